"""The keys that sign access tokens: one signs, the one before it still counts.

They live in a file of their own beside the store, so that a copy of the store signs nothing. A
rotation writes the file anew; every worker notices at the next token whose key it does not know,
or within `CHECK_EVERY_S`, and needs no restart.

Source: RFC 7517 (JWK), RFC 7518 for ES256: ECDSA with P-256 and SHA-256.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import ECKey

from mpi.errors import InvalidSettings
from mpi.services.key_files import require_secret, write_secret

KEYS_FILE: Final = "signing-keys.json"
ALGORITHM: Final = "ES256"
CHECK_EVERY_S: Final = 2.0
"""Seconds between two looks at the file."""
_LIVE_COUNT: Final = 2
_PURPOSE: Final = {"use": "sig", "alg": ALGORITHM}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The live keys at one time."""

    keys: tuple[ECKey, ...]
    """The first signs."""
    is_demo: bool
    """Made for a demonstration: the server then serves this machine only."""

    def find(self, kid: object) -> ECKey | None:
        """The live key of this id; None if there is none, or it is no id at all."""
        return next((key for key in self.keys if key.kid == kid), None)


@dataclass(slots=True)
class SigningKeys:
    """The live keys, read again when their file changes; safe to share between threads."""

    folder: Path | None
    """None: keys of this process alone, gone with it."""
    _ring: KeyRing
    _stamp: tuple[int, int] | None = None
    _checked_at: float = field(default_factory=time.monotonic)

    def current(self) -> KeyRing:
        """The live keys; looks at the file every `CHECK_EVERY_S` seconds at most.

        Raises:
            InvalidSettings: If the file has changed and cannot be read.
        """
        if time.monotonic() - self._checked_at > CHECK_EVERY_S:
            self._read_again()
        return self._ring

    def find(self, kid: object) -> ECKey | None:
        """The live key of this id, looked for in the file too if it is not known yet; else None.

        Raises:
            InvalidSettings: If the file has changed and cannot be read.
        """
        found = self.current().find(kid)
        if found is None and self._read_again():
            found = self._ring.find(kid)
        return found

    def public_keys(self) -> dict[str, Any]:
        """The JWKS (RFC 7517) for those who check our tokens: `keys`, of which the first signs."""
        return {"keys": [key.as_dict(private=False) for key in self.current().keys]}

    def _read_again(self) -> bool:
        """Whether the file had changed."""
        self._checked_at = time.monotonic()
        if self.folder is None or (stamp := _stamp(self.folder)) == self._stamp:
            return False
        self._ring, self._stamp = _read(self.folder), stamp
        return True


def passing_keys() -> SigningKeys:
    """Keys that nobody else knows and that end with the process; for demonstrations and tests."""
    return SigningKeys(None, KeyRing((_new_key(), _new_key()), is_demo=True))


def open_keys(folder: Path) -> SigningKeys:
    """The keys of a folder, followed from now on.

    Raises:
        InvalidSettings: If there are none, they cannot be read, or others than their owner may
            read them.
    """
    require_secret(folder / KEYS_FILE, "signing keys")
    return SigningKeys(folder, _read(folder), _stamp(folder))


def create_keys(folder: Path, *, is_demo: bool = False) -> bool:
    """Make keys where there are none, or only a demonstration's; whether any were made.

    Args:
        folder: Made if it is missing, for its owner alone.
        is_demo: The server then serves this machine only.

    Raises:
        InvalidSettings: If there is a file of keys that cannot be read: it is not overwritten.
        OSError: If the folder cannot be written to.
    """
    has_keys = (folder / KEYS_FILE).is_file()
    if has_keys and (is_demo or not _read(folder).is_demo):
        return False
    _write(folder, KeyRing((_new_key(), _new_key()), is_demo))
    return True


def rotate_keys(folder: Path) -> str:
    """Sign with a new key from now on; the one before still counts. The new key's id.

    Raises:
        InvalidSettings: As `open_keys`.
        OSError: If the folder cannot be written to.
    """
    ring = open_keys(folder).current()
    key = _new_key()
    _write(folder, KeyRing((key, *ring.keys[: _LIVE_COUNT - 1]), ring.is_demo))
    return str(key.kid)


def _new_key() -> ECKey:
    parameters: Any = {**_PURPOSE, "kid": secrets.token_hex(8)}
    return ECKey.generate_key("P-256", parameters, private=True)


def _read(folder: Path) -> KeyRing:
    try:
        content = json.loads((folder / KEYS_FILE).read_text("utf-8"))
        keys = tuple(ECKey.import_key(each) for each in content["keys"])
        ring = KeyRing(keys, bool(content["is_demo"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSettings(f"keys_folder: {KEYS_FILE} cannot be read") from error
    if not ring.keys:
        raise InvalidSettings(f"keys_folder: {KEYS_FILE} holds no key")
    return ring


def _write(folder: Path, ring: KeyRing) -> None:
    content: Mapping[str, Any] = {
        "is_demo": ring.is_demo,
        "keys": [key.as_dict(private=True) for key in ring.keys],
    }
    write_secret(folder / KEYS_FILE, json.dumps(content))


def _stamp(folder: Path) -> tuple[int, int] | None:
    try:
        found = (folder / KEYS_FILE).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
