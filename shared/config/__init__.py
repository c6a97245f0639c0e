"""Settings, addresses, secrets, topology."""
