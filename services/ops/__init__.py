"""For operators: the `smelt` command line and the console."""
