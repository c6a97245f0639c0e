"""Uploads: putting files where they get loaded."""
