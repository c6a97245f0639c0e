"""For analysts: gold views, read API and search page."""
