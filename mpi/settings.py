"""Settings of an installation, from `mpi.toml` and the environment.

A wrong one is told in one sentence before anything is done with it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from mpi.errors import InvalidSettings

SETTINGS_FILE: Final = "mpi.toml"
ENVIRONMENT_PREFIX: Final = "MPI_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an installation may choose; each is also an environment variable `MPI_<NAME>`.

    docs/interfaces/command-line.md describes them for those who run the service.
    """

    database_url: str = field(default="sqlite:///mpi.sqlite3", repr=False)
    """SQLAlchemy URL of the store; may hold a password, so it is never printed."""
    sources_folder: Path | None = None
    """Folder of source mappings; None means those that come with the product."""
    release_folder: Path | None = None
    """Folder of the model release in force; None means the newest shipped one."""
    workers_count: int = 0
    """Processes that batch work may use; 0 means one for each processor."""
    memory_mib: int = 0
    """Memory, in MiB, that batch engines may use; 0 means what a region's load may spare them."""
    keys_folder: Path | None = None
    """Folder of the signing keys; None means beside a SQLite store, else `mpi-keys`."""
    public_url: str = ""
    """Where clients reach the server: https://mpi.example.nhs.uk; needed beyond this machine."""
    tls_certificate: Path | None = None
    """Certificate chain (PEM) with which the server itself speaks TLS."""
    tls_key: Path | None = None
    """Private key (PEM) of the certificate."""
    trusted_proxies: str = ""
    """Addresses, with commas, of proxies that speak TLS for the server and say who called."""
    requests_per_minute: int = 30_000
    """Requests of one client that one worker takes in a minute; 0 means any number."""
    webhook_hosts: str = ""
    """Hosts, with commas, to which webhooks may lead: `host` or `host:port`; empty means none."""
    audit_roots_file: Path | None = None
    """File to which the root of every audit seal is appended, best on another machine's disk."""
    log_level: str = "info"
    """Least level of what is logged: debug, info, warning or error."""


def keys_folder_of(settings: Settings) -> Path:
    """The folder of an installation's signing keys, whether it exists or not.

    As chosen, else `<file>.keys` beside a SQLite store, else `mpi-keys` in the working folder.
    """
    if settings.keys_folder is not None:
        return settings.keys_folder
    kind, _, path = settings.database_url.partition(":///")
    return Path(f"{path}.keys") if kind == "sqlite" else Path("mpi-keys")


def listed(texts: str) -> tuple[str, ...]:
    """The members of a setting that holds several, with commas: in order, trimmed, perhaps none."""
    return tuple(each.strip() for each in texts.split(",") if each.strip())


def read_settings(
    folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings from `mpi.toml` in a folder, overridden by `MPI_*` variables.

    Variables that are no setting are left alone: other programs use the same prefix.

    Args:
        folder: The working folder if None; the file may be missing.
        environment: Name -> text; the process's own if None. An empty text counts as not set.

    Raises:
        InvalidSettings: If the file is no TOML, or a setting is unknown, of the wrong kind or at
            odds with another.
    """
    path = (folder or Path.cwd()) / SETTINGS_FILE
    chosen = read_toml(path) if path.exists() else {}
    known = {setting.name: setting.type for setting in fields(Settings)}
    for name in chosen:
        if name not in known:
            raise InvalidSettings(f"{SETTINGS_FILE}: {name}: there is no such setting")
    values = {name: _setting(SETTINGS_FILE, name, known[name], chosen[name]) for name in chosen}
    surroundings = os.environ if environment is None else environment
    for name, kind in known.items():
        variable = ENVIRONMENT_PREFIX + name.upper()
        if surroundings.get(variable):
            values[name] = _setting("environment", variable, kind, surroundings[variable])
    return _checked(Settings(**values))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, which must be UTF-8.

    Raises:
        InvalidSettings: If it cannot be read or is no TOML; the sentence names the file.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidSettings(f"{path.name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"{path.name}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"{path.name}: is not TOML: {error}") from error


def _setting(place: str, name: str, kind: Any, value: Any) -> Any:
    """The value as the setting's kind; texts of the environment become numbers and paths."""
    if kind == "int":
        if type(value) is int or (isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value)):
            return int(value)
        raise InvalidSettings(f"{place}: {name}: must be a whole number, 0 or more")
    if not isinstance(value, str) or not value:
        raise InvalidSettings(f"{place}: {name}: must be a text that is not empty")
    return value if kind == "str" else Path(value)


def _checked(settings: Settings) -> Settings:
    """The settings, if those that hang together do."""
    if settings.log_level not in LOG_LEVELS:
        raise InvalidSettings(f"log_level: must be one of {', '.join(LOG_LEVELS)}")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise InvalidSettings("tls_certificate: it and tls_key are given together or not at all")
    if settings.public_url and not _is_address(settings.public_url):
        raise InvalidSettings("public_url: must be http:// or https:// with a host and no path")
    return settings


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_sound and url == f"{parts.scheme}://{parts.netloc}" and "@" not in url
