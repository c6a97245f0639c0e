"""Celery workers on SQS with native messages: transport, retry, dead letters, and the wrapper round every message."""
