"""Benchmarks of smelt beside dlt and the floor, all in one run on this machine.

    python -m bench [--pages DIR] [--write docs/performance.md]

Starts a stack of its own in a temporary folder, and removes it. Needs Linux (it reads /proc) and, for dlt, the extra
`bench`; without dlt that comparison is left out. So are the workloads wide and captured where the developers' tool
that makes them is absent.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from bench import report
from bench.run import Plan, run
from shared import telemetry
from shared.engine.gc_tuning import tune_gc


def main() -> int:
    """Measure, print, write. The exit code says whether contenders agree on what they loaded; goals are only shown."""
    options = _options()
    if not Path("/proc/self/stat").exists():
        sys.exit("bench: needs Linux: it reads CPU and memory of processes from /proc")
    telemetry.configure("bench", "ERROR")
    tune_gc()  # as workers do
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is stopped and removed
    started = time.monotonic()
    plan = Plan(options.pages, options.postings, options.rounds, upload=options.memory)
    result = run(plan, lambda line: print(f"{time.monotonic() - started:5.0f} s  {line}", file=sys.stderr, flush=True))
    print(report.summary(result))
    if options.write:
        options.write.write_text(report.document(result, minutes=(time.monotonic() - started) / 60))
    return 1 if result.differences else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, metavar="DIR", help="bronze pages of USAJOBS Search to load instead")
    parser.add_argument("--postings", type=int, default=Plan.postings, help="of the main workload (%(default)s)")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="of the main workload (%(default)s)")
    parser.add_argument("--memory", action="store_true", help="peak memory for an upload of 1 GB, too: takes minutes")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the document, docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
