"""The services: each a wing of its own, importing only `shared`, never one another."""
