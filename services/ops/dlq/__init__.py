"""Dead letters: look, filter, replay, discard."""
