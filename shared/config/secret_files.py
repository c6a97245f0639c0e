"""Secrets from files, one per variable, as Docker, Kubernetes and systemd mount them."""

import os
import re
from pathlib import Path

from shared.errors import PermanentError

FOLDER = "SMELT_SECRETS_FOLDER"
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")  # ignores other files, such as Kubernetes's `..data`


def read() -> None:
    """Set environment variables from the files in the folder `SMELT_SECRETS_FOLDER`, unless already set.

    A file is named after its variable (`SMELT_DATABASE_URL`, `PGPASSWORD`); a trailing line end is removed. Raises
    PermanentError if the folder or a file cannot be read.
    """
    if not (folder := os.environ.get(FOLDER)):
        return
    try:
        for file in Path(folder).iterdir():
            if VARIABLE.fullmatch(file.name):
                os.environ.setdefault(file.name, file.read_text().rstrip("\r\n"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a file in it is not text"
        message = f"{FOLDER}: {folder} cannot be read: {reason}"
        raise PermanentError(message) from None
