"""Datasets: their contracts, the registry that finds them, and what is built from a contract."""
