"""Differences between records and what a dataset declares."""
