"""Gold: refreshed, exported, granted to readers."""
