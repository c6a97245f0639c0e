"""Queues: depth, rates, waits, workers."""
