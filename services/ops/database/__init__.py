"""The database schema: the commands of `smelt db`."""
