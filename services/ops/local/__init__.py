"""The stack on this machine: up, down, status, env."""
