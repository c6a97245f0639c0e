"""The datasets that are installed, and their tables."""
