"""The subcommands of `smelt`, one module a subject."""
