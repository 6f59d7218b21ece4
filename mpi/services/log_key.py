"""The secret from which the log's references to persons are made.

A log must let an operator see that two lines are about one person, and tell nobody who that is.
The references change every month by themselves; whoever may ask the audit trail can make the
reference of a person for a month as long as the secret is kept, and nobody once it is replaced.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from mpi.errors import InvalidSettings
from mpi.services.key_files import require_secret, write_secret

LOG_KEY_FILE: Final = "log-key"
_SECRET_BYTES: Final = 32


def create_log_key(folder: Path) -> bool:
    """Make the secret where there is none; whether it was made."""
    if (folder / LOG_KEY_FILE).is_file():
        return False
    replace_log_key(folder)
    return True


def replace_log_key(folder: Path) -> None:
    """Make another secret: references of before cannot be traced to anybody any more."""
    write_secret(folder / LOG_KEY_FILE, secrets.token_hex(_SECRET_BYTES))


def read_log_key(folder: Path) -> bytes:
    """The secret. Raises InvalidSettings if there is none, a short one, or others may read it."""
    require_secret(folder / LOG_KEY_FILE, "secret of the log")
    secret = (folder / LOG_KEY_FILE).read_bytes()
    if len(secret) < _SECRET_BYTES:
        raise InvalidSettings(f"keys_folder: {LOG_KEY_FILE} is too short to be a secret")
    return secret
