"""The commands of `smelt` for the stack on this machine."""
