"""Files of secrets: for their owner alone, and never half written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mpi.errors import InvalidSettings


def write_secret(path: Path, content: str) -> None:
    """Put a secret into a file, all or nothing, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def require_secret(path: Path, what: str) -> None:
    """Raise InvalidSettings unless the file is there and for its owner alone.

    Args:
        path: In the folder of the keys.
        what: What it holds, for the sentence.
    """
    if not path.is_file():
        raise InvalidSettings(f"keys_folder: it holds no {what}; mpi init makes what is missing")
    if path.stat().st_mode & 0o077:
        raise InvalidSettings(f"keys_folder: {path.name} must be readable by its owner alone")
