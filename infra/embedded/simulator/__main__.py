"""Serve the simulated USAJOBS API on this machine: `python -m infra.embedded.simulator --port 8100`."""

import argparse
import os
import signal
import socket
import sys
from datetime import date

import uvicorn

from infra.embedded.simulator.app import Simulator
from infra.embedded.simulator.market import Market


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exits with one line on standard error where it cannot start."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        simulator = Simulator(Market(arguments.seed, arguments.postings), arguments.day, arguments.api_key)
        listener = socket.create_server((arguments.host, arguments.port), backlog=128)
    except (OSError, OverflowError) as error:
        sys.exit(f"simulator: port {arguments.port} cannot be used: {error}")
    except ValueError as error:
        sys.exit(f"simulator: {error}")
    print(f"USAJOBS simulator on http://{arguments.host}:{listener.getsockname()[1]}", flush=True)
    # Nobody may wait for a reply that is slow on purpose when the stack is asked to stop.
    config = uvicorn.Config(simulator, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.embedded.simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1", help="another one only where nothing outside reaches it")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other postings")
    parser.add_argument("--postings", type=int, default=3000, help="how many are open at once")
    parser.add_argument("--day", type=date.fromisoformat, help="the simulated day; default: today in UTC, and on")
    parser.add_argument("--api-key", help="the only Authorization-Key accepted; default: any")
    parser.add_argument("--api-key-of", metavar="VARIABLE", help="the same from the environment: `ps` shows arguments")
    arguments = parser.parse_args()
    if arguments.api_key_of:
        arguments.api_key = os.environ[arguments.api_key_of]
    return arguments


if __name__ == "__main__":
    main()
