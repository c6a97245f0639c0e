"""Quarantined records: look and replay."""
