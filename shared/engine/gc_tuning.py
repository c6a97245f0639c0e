"""Python's search for garbage in cycles, made rare: a batch is a hundred thousand objects, and none is in one."""

import gc

THRESHOLDS = (20_000, 20, 20)  # Python's (700, 10, 10) cost a transformer 6 % of its CPU


def tune_gc() -> None:
    """For a process that has imported all it needs: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
