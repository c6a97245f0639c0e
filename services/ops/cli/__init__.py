"""The kit of the command line: output, prompts, progress, number formats."""
