"""Runs: start, follow, list, show."""
