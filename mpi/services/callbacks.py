"""Sending one webhook message to an address that somebody else chose.

A callback is a way to make the server call what only it can reach, so it may lead only to hosts
that the operator lists; the name is resolved once, the address is judged, and that very address is
called. No redirect is followed, nothing of the answer but its status is used, and a receiver that
answers drop by drop is cut off.
"""

from __future__ import annotations

import base64
import hmac
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mpi.errors import InvalidInput

SECRET_PREFIX: Final = "whsec_"
CONNECT_TIMEOUT_S: Final = 5.0
"""Seconds in which a receiver must take the connection."""
ANSWER_WITHIN_S: Final = 15.0
"""Seconds from the connection to the answer's headers, however slowly they come."""
URL_CHARACTERS_MAX: Final = 2_000
_PORTS: Final = {"http": 80, "https": 443}

Address = IPv4Address | IPv6Address


class CallbackRefused(Exception):
    """The address may not be called; the text says why."""


def checked_url(url: str, allowed_hosts: Iterable[str]) -> str:
    """The address, unchanged, if webhooks may lead there.

    Args:
        url: What an organisation asked for.
        allowed_hosts: `host` or `host:port`; a bare host stands for 443, or 80 without TLS.

    Raises:
        InvalidInput: If it is no sound address, not on the list of hosts, or without TLS although
            it is not on this machine.
    """
    parts = _split(url)
    if f"{parts.hostname}:{_port(parts)}" not in _with_ports(allowed_hosts, parts):
        raise InvalidInput("url: its host is not in the setting webhook_hosts")
    if parts.scheme != "https" and not _is_this_machine(parts.hostname or ""):
        raise InvalidInput("url: must begin with https://")
    return url


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature of a message: `v1,` and HMAC-SHA-256 (RFC 2104) in base 64.

    Args:
        secret: `whsec_` and the key in base 64.
        message_id: The header webhook-id.
        timestamp_s: The header webhook-timestamp: seconds since 1970.
        body: Exactly what is sent.

    Source: the Standard Webhooks specification, symmetric.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def post(url: str, body: bytes, headers: Mapping[str, str], allowed_hosts: Iterable[str]) -> int:
    """The status with which a receiver answers, whatever it is; redirects are not followed.

    Args:
        url: Judged again here, with the address to which its name leads now.
        body: What is sent.
        headers: Sent as they are.
        allowed_hosts: See `checked_url`.

    Raises:
        CallbackRefused: If the address may not be called, now that its name is resolved.
        TimeoutError: If it answered later than `ANSWER_WITHIN_S` seconds.
        OSError, HTTPException: If it does not answer.
    """
    try:
        parts = _split(checked_url(url, allowed_hosts))
    except InvalidInput as error:
        raise CallbackRefused(str(error)) from error
    connection = _Pinned(parts, _judged_address(parts))
    is_late = threading.Event()
    cut = threading.Timer(ANSWER_WITHIN_S, _cut, [connection, is_late])
    cut.daemon = True
    try:
        connection.connect()
        cut.start()
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("POST", path, body, dict(headers))
        status = connection.getresponse().status
    finally:
        cut.cancel()
        connection.close()
    if is_late.is_set():
        raise TimeoutError("the receiver answered too slowly")
    return status


class _Pinned(HTTPConnection):
    """A connection to an address that was judged, whatever its name leads to by now."""

    def __init__(self, parts: SplitResult, address: Address) -> None:
        super().__init__(parts.hostname or "", _port(parts), timeout=CONNECT_TIMEOUT_S)
        self._address = str(address)
        self._is_tls = parts.scheme == "https"

    def connect(self) -> None:
        opened = socket.create_connection((self._address, self.port), self.timeout)
        opened.settimeout(ANSWER_WITHIN_S)
        self.sock = opened  # Closed with the connection, whatever comes of the handshake.
        if self._is_tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(opened, server_hostname=self.host)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_sound = bool(parts.hostname) and parts.scheme in _PORTS and parts.port != 0
    except ValueError:
        is_sound = False
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not is_sound or not is_plain or len(url) > URL_CHARACTERS_MAX:
        raise InvalidInput("url: must be https:// with a host and a path")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidInput("url: must hold neither a user nor a fragment")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _with_ports(allowed_hosts: Iterable[str], parts: SplitResult) -> set[str]:
    """The list with the port that a bare host stands for: that of its kind of address."""
    default = _PORTS[parts.scheme]
    return {host if ":" in host else f"{host}:{default}" for host in map(str.lower, allowed_hosts)}


def _judged_address(parts: SplitResult) -> Address:
    """The address behind the name, none of whose addresses may be of a kind that nobody lists."""
    found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = [ip_address(each[4][0]) for each in found]
    if not _is_this_machine(parts.hostname or "") and any(map(_is_forbidden, addresses)):
        raise CallbackRefused("url: its name leads to an address that may not be called")
    return addresses[0]


def _is_forbidden(address: Address) -> bool:
    """This machine, its link (where clouds keep their secrets), and what is no host at all."""
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(
        inner.is_loopback
        or inner.is_link_local
        or inner.is_multicast
        or inner.is_unspecified
        or inner.is_reserved
    )


def _is_this_machine(host: str) -> bool:
    """Said as a number or as localhost: only an operator who lists that means it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cut(connection: HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):
        return  # It was closed just then.
