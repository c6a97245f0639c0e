"""Bronze object in, silver batch and quarantine out."""

import os

# Polars makes as many threads as there are cores when it is imported. A worker is one process among several, and its
# batches are small: threads that fight over the cores cost more than they save.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
