"""The kit of the console: forms, actions, templates. It knows no subject."""
