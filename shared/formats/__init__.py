"""Messages and files that services exchange."""
