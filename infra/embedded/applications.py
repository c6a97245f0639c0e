"""smelt's own parts: the USAJOBS simulator, the workers, the console and serving, as child processes."""

import os
import secrets
import sys
from pathlib import Path
from typing import Final

import infra
from infra.embedded import aws, postgres, valkey
from infra.embedded.options import Options
from infra.embedded.ports import HOST, is_healthy
from infra.embedded.process import Command, Kind, write_privately
from infra.embedded.state import State
from shared.config.topology import BRONZE, EXTRACT, SILVER, UPLOADS, queue_of
from shared.datasets import registry

ROOT: Final = Path(infra.__file__).parents[1]  # where `python -m services…` finds the packages, installed or not
PROXIES: Final = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def environment(home: Path, state: State, options: Options) -> dict[str, str]:
    """What every process of the stack, and a person's shell, needs to use it."""
    ports = state.ports
    simulator = {
        "SMELT_USAJOBS_BASE_URL": f"http://{HOST}:{ports['simulator']}",
        "SMELT_USAJOBS_API_KEY": state.secrets.simulator,
        "SMELT_USAJOBS_USER_AGENT": "smelt@localhost.example",
    }
    return {
        "SMELT_HOME": str(home),
        "SMELT_DATABASE_URL": database_server(state).url,
        "SMELT_REDIS_URL": valkey.url(ports["valkey"], state.secrets.cache),
        "SMELT_BUCKET": aws.BUCKET,
        "SMELT_EXTRACT_QUEUE_URL": aws.queue_url(ports["aws"], EXTRACT),
        "SMELT_BRONZE_QUEUE_URL": aws.queue_url(ports["aws"], BRONZE),
        "SMELT_UPLOADS_QUEUE_URL": aws.queue_url(ports["aws"], UPLOADS),
        "SMELT_SILVER_QUEUE_URL": aws.queue_url(ports["aws"], SILVER),
        **aws.environment(ports["aws"], state.secrets.emulator),
        **(console_login(home, ports["console"]) if options.console else {}),
        **({"SMELT_SERVING_URL": f"http://{HOST}:{ports['serving']}"} if options.serving else {}),
        **(simulator if simulates(state, options) else {}),
        **({registry.FOLDERS: folders} if (folders := _datasets()) else {}),
    }


def _datasets() -> str:
    """The folders with contracts, from wherever a process runs."""
    folders = filter(None, os.environ.get(registry.FOLDERS, "").split(os.pathsep))
    return os.pathsep.join(str(Path(folder).resolve()) for folder in folders)


def console_login(home: Path, port: int) -> dict[str, str]:
    """Where the console is and its token: ours, kept in the home for its owner only, unless the environment has one."""
    kept = home / "console-token"
    if not kept.exists():
        write_privately(kept, secrets.token_hex(24))
    token = os.environ.get("SMELT_CONSOLE_TOKEN") or kept.read_text()
    return {"SMELT_CONSOLE_URL": f"http://{HOST}:{port}", "SMELT_CONSOLE_TOKEN": token}


def database_server(state: State) -> postgres.Server:
    """The PostgreSQL server that this state describes."""
    held = state.secrets
    return postgres.Server(
        state.postgres_folder, state.ports["postgres"], held.database_administrator, held.database_owner
    )


def simulates(state: State, options: Options) -> bool:
    """Whether USAJOBS is simulated: not with a real key. Our own key may be in the shell from `smelt env`."""
    key = os.environ.get("SMELT_USAJOBS_API_KEY")
    return options.simulator_postings > 0 and key in {None, "", state.secrets.simulator}


def commands(home: Path, state: State, options: Options) -> list[Command]:
    """How to run them, in the order of start."""
    given = _inherited() | state.environment
    simulator = [_simulator(state, options, given)] if simulates(state, options) else []
    counts = {
        "extractor": options.extractors,
        "transformer": options.transformers,
        "uploads": options.uploads,
        "loader": options.loaders,
    }
    workers = [
        _worker(home, service, number, given)
        for service, count in counts.items()
        for number in range(1, count + 1)
        if options.workers
    ]
    console = [_console(state, given)] if options.console else []
    serving = [_serving(state, given)] if options.serving else []
    return [*simulator, *workers, *console, *serving]


def _simulator(state: State, options: Options, given: dict[str, str]) -> Command:
    port, postings = state.ports["simulator"], options.simulator_postings
    settings = ["--port", str(port), "--postings", str(postings), "--api-key-of", "SMELT_USAJOBS_API_KEY"]
    arguments = [sys.executable, "-m", "infra.embedded.simulator", *settings]
    return Command("simulator", Kind.SIMULATOR, arguments, given, ROOT, port=port, patience=5)


def _worker(home: Path, service: str, number: int, given: dict[str, str]) -> Command:
    name = f"{service}-{number}"
    liveness = home / "run" / f"{name}.alive"
    arguments = [sys.executable, "-m", queue_of(service).module]
    own = given | {
        "SMELT_LIVENESS_FILE": str(liveness),
        "SMELT_RECEIVE_WAIT_SECONDS": "1",
    }  # a stop waits for the poll to end
    return Command(name, Kind.WORKER, arguments, own, ROOT, liveness=liveness)


def _console(state: State, given: dict[str, str]) -> Command:
    port = state.ports["console"]
    own = given | {"SMELT_CONSOLE_PORT": str(port)}
    return _web("console", Kind.CONSOLE, "services.ops.console", own, port)


def _serving(state: State, given: dict[str, str]) -> Command:
    port = state.ports["serving"]
    own = given | {"SMELT_SERVING_PORT": str(port)}
    return _web("serving", Kind.SERVING, "services.serving", own, port)


def _web(name: str, kind: Kind, module: str, own: dict[str, str], port: int) -> Command:
    arguments = [sys.executable, "-m", module]
    return Command(name, kind, arguments, own, ROOT, port=port, ready=lambda: is_healthy(port, "/healthz"))


def _inherited() -> dict[str, str]:
    """Our own environment without another AWS's settings, and with no proxy between the parts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    if any(kept.get(name) for name in PROXIES):
        direct = ",".join(filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), HOST]))
        kept |= {"no_proxy": direct, "NO_PROXY": direct}
    return kept
