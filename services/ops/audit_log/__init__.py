"""The audit log: what operators did."""
