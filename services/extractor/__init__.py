"""Run command in, bronze pages out."""
