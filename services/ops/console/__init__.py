"""The console: what flows, what waits, what failed and why, and what an operator does about it, as pages."""
