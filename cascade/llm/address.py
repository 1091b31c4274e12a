"""Whom the cascade may talk to: tickets do not leave the company's network by accident.

A server's name must resolve to loopback or private addresses, all of them, when the service starts
and again at each connection. The connection is made to the very address that was checked, so a name
that changes its mind in between (DNS rebinding) gains nothing; the ``Host`` header, the TLS name
and the certificate stay those of the name.

What counts is the address that the operating system would connect to, never its spelling: a
decimal, octal or hexadecimal IPv4 address, ``localhost.`` or an IPv4 address inside an IPv6 one are
resolved first and judged afterwards.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

from cascade.errors import InputError
from cascade.llm.base import NoAnswer

INTERNAL = tuple(
    map(
        ipaddress.ip_network,
        # Loopback; RFC 1918; loopback and unique local addresses (RFC 4193) of IPv6.
        ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"),
    )
)
"""Nothing else passes. Link-local addresses do not: 169.254.169.254 hands out a cloud machine's
keys. Shared addresses (100.64.0.0/10, RFC 6598) do not: they are the provider's network, not the
company's, and Alibaba's keys are at 100.100.100.200. Nor does 0.0.0.0, which means another thing on
each system."""

METADATA = tuple(map(ipaddress.ip_network, ("fd00:ec2::/32", "fd20:ce::254/128")))
"""Where AWS and Google put the keys of a machine, inside the unique local addresses."""

START_SECONDS = 10.0
"""How long a name may take to resolve at start-up."""

_PRINTABLE = re.compile(r"[!-\[\]-~]+")
"""ASCII without blanks and control characters, and without the backslash, which some take for a
slash."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a base URL, parsed once, so that no two parsers can differ about it."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a base URL apart, such as ``http://10.0.0.5:8000/v1``.

        Raises:
            InputError: it is not a plain http or https URL. A URL is not repeated where it may
                hold a password.
        """
        try:
            parts = urlsplit(url if _PRINTABLE.fullmatch(url) else "")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if "@" in parts.netloc:
            raise InputError(
                "the LLM server's address holds a user name or a password: "
                "leave them out, and set an API key instead"
            )
        if parts.scheme not in ("http", "https") or not host or port == 0:
            raise InputError(
                "the LLM server's address is not a URL such as http://127.0.0.1:8000/v1 "
                "(http or https; an international name in its xn-- form)"
            )
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise InputError("the LLM server's address must end with its path, without ? or #")
        default = 443 if parts.scheme == "https" else 80
        return cls(parts.scheme, host, port or default, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Host and port, as they stand in the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_internal(address: str) -> bool:
    """Whether a numeric IP address is loopback or private; see `INTERNAL`."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return any(ip in net for net in INTERNAL) and not any(ip in net for net in METADATA)


def resolve(host: str, port: int, until: float) -> list[str]:
    """All numeric addresses of a host, in the system's order of preference.

    The look-up runs in a thread of its own, as the system's resolver knows no time limit.

    Args:
        until: moment (of `time.monotonic`) to wait for it.

    Raises:
        TimeoutError: it takes longer.
        OSError: there is no such name.
    """
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.put(error)
        except UnicodeError:  # a label that is empty or longer than 63 characters
            answers.put(OSError("not a name"))
        else:
            answers.put(list(dict.fromkeys(str(info[4][0]) for info in found)))

    threading.Thread(target=look_up, name="llm-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def check(url: str, *, allow_public: bool = False) -> Address:
    """Check a server's base URL when the service starts.

    Args:
        url: ``http://host:port/path`` or ``https://…``.
        allow_public: let every address pass.

    Raises:
        InputError: it is not such a URL, does not resolve, or leads out of the company's network.
    """
    address = Address.parse(url)
    if allow_public:
        return address
    try:
        found = resolve(address.host, address.port, time.monotonic() + START_SECONDS)
    except OSError:
        raise InputError(
            f"the LLM server's name {address.host} cannot be resolved to an address: check its "
            "spelling and the machine's DNS"
        ) from None
    outside = [ip for ip in found if not is_internal(ip)]
    if outside:
        raise InputError(
            f"the LLM server {address.host} is at {outside[0]}, which is neither loopback nor "
            "private: tickets would leave the company's network; if that is meant, set "
            "CASCADE_LLM_ALLOW_PUBLIC=1"
        )
    return address


class Guard(httpcore.NetworkBackend):
    """Makes connections for httpcore, to internal addresses only.

    The time limits that httpcore hands through are moments of `time.monotonic` here, not durations:
    so a limit holds for all of a reply, however slowly its bytes drip.
    """

    def __init__(self, *, allow_public: bool = False) -> None:
        self._allow_public = allow_public

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, `examine`, and connect to the first address that answers.

        Raises:
            NoAnswer: see `examine`.
            httpcore.ConnectError: no such name, or nobody listens.
            httpcore.ConnectTimeout: the moment ``timeout`` has come.
        """
        until = time.monotonic() + START_SECONDS if timeout is None else timeout
        try:
            found = resolve(host, port, until)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except OSError:
            raise httpcore.ConnectError from None
        self.examine(found)
        failure: type[Exception] = httpcore.ConnectError
        for tried, ip in enumerate(found):
            try:
                share = _left(until) / (len(found) - tried)
                sock = socket.create_connection((ip, port), share)
            except TimeoutError:
                failure = httpcore.ConnectTimeout
            except OSError:
                failure = httpcore.ConnectError
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(sock)
        raise failure

    def examine(self, addresses: Sequence[str]) -> None:
        """Look at the numeric addresses of a name before any is called.

        Raises:
            NoAnswer: ``forbidden``, one of them is neither loopback nor private.
        """
        if not self._allow_public and not all(map(is_internal, addresses)):
            raise NoAnswer("forbidden", "the LLM server's address is neither loopback nor private")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Not offered."""
        raise httpcore.UnsupportedProtocol


def _left(until: float | None) -> float:
    """Seconds until a moment."""
    left = START_SECONDS if until is None else until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Stream(httpcore.NetworkStream):
    """A connection whose time limits are moments."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._silent = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._sock.settimeout(_left(timeout))
            data = self._sock.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError:
            raise httpcore.ReadError from None
        if not data and self._silent:  # cut off, not nonsense
            raise httpcore.ReadError
        self._silent = False
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                self._sock.settimeout(_left(timeout))
                rest = rest[self._sock.send(rest) :]
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError:
            raise httpcore.WriteError from None

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(_left(timeout))
            return _Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname))
        except TimeoutError:
            self.close()
            raise httpcore.ConnectTimeout from None
        except ssl.SSLCertVerificationError:
            self.close()
            raise NoAnswer("forbidden", "the LLM server's certificate is not trusted") from None
        except (OSError, ValueError):  # ValueError: a name that no certificate can be for
            self.close()
            raise httpcore.ConnectError from None

    def get_extra_info(self, info: str) -> Any:
        """Nothing: what httpcore asks for is of use to connections that are kept, and to HTTP/2."""
        return None
