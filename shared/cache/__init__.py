"""What Redis is asked to remember; nothing depends on it."""
