"""Secrets that come as files, one a variable, as Docker, Kubernetes and systemd put them into a folder."""

import os
import re
from pathlib import Path

from shared.errors import PermanentError

FOLDER = "SMELT_SECRETS_FOLDER"
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")  # other files are somebody else's: Kubernetes keeps `..data` there


def read() -> None:
    """Give the environment what it lacks of the files in the folder that `SMELT_SECRETS_FOLDER` names, if it does.

    A file is named as its variable (`SMELT_DATABASE_URL`, `PGPASSWORD`); a line end after it is not part of it. Raises
    PermanentError where the folder, or a file in it, cannot be read.
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
