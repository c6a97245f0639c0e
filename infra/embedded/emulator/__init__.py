"""The emulator of AWS as the stack runs it: `ministack`, with a check of who asks and queues that survive a kill."""
