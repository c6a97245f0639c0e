"""From a row or an object back to where it came from."""
