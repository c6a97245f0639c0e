"""The AWS emulator: `ministack` with authentication, and with queues that survive a kill."""
