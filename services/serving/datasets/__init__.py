"""The rows of any dataset, from its contract."""
