"""Whoever listens at the operator's address for later answers, called as Standard Webhooks says.

See https://github.com/standard-webhooks/standard-webhooks (spec, version 1) for ids and signatures.

Only the address in the settings is ever called: no request, no ticket and no reply can name
another, as redirects are not followed. Its name is resolved once a call, and the connection is made
to the very address that was checked. Private and public addresses are both fine, as the operator
chose; those that hand out the keys of a machine never are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpcore

from cascade.errors import InputError
from cascade.llm.address import METADATA, Guard
from cascade.llm.base import NoAnswer
from serve.settings import SHORTEST_SECRET

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
PREFIX = "whsec_"
"""Before a secret that is written in base64, as Standard Webhooks' own libraries want it."""

_IPV4 = ipaddress.IPv4Address
_IPV6 = ipaddress.IPv6Address
_NEVER = (
    *METADATA,  # where clouds put the keys of a machine, as they do
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("0.0.0.0/8"),
)
"""Beside link-local, multicast and unspecified addresses."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Undelivered(Exception):  # noqa: N818  (a reason, not an error: it is tried again)
    """There was no reply. The message is a short fixed text."""


class Receiver:
    """Whoever listens at an address. Safe to call from several threads.

    Args:
        url: http or https.
        secret: of the signatures; in base64 after `PREFIX`, else as it is.

    Raises:
        InputError: the URL or the secret cannot be used.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._key = _parsed(url), _key(secret)
        secure = self._url.scheme == b"https"
        self._pool = httpcore.ConnectionPool(
            # The system's certificates, where a company adds its own, not certifi's.
            ssl_context=ssl.create_default_context() if secure else None,
            max_connections=None,
            network_backend=Pinned(),
        )

    def post(self, message: str, body: bytes) -> int:
        """Send a body.

        Args:
            message: id that says whether it is the same one again.

        Returns:
            The reply's HTTP status. Nothing else of the reply is read.

        Raises:
            Undelivered: nobody answered within `TOTAL_SECONDS`, or nobody who may be asked.
        """
        now = time.monotonic()
        end = now + TOTAL_SECONDS
        moments = {"connect": now + CONNECT_SECONDS, "write": end, "read": end}
        headers = {
            "Host": _authority(self._url),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "User-Agent": "ticket-cascade",
            **signed(self._key, message, int(time.time()), body),
        }
        try:
            with self._pool.stream(
                "POST",
                self._url,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": moments},
            ) as reply:
                return reply.status
        except httpcore.TimeoutException:
            raise Undelivered("the receiver did not answer in time") from None
        except httpcore.NetworkError:
            raise Undelivered("the receiver is down or cut the connection") from None
        except httpcore.ProtocolError:
            raise Undelivered("the receiver does not speak HTTP") from None
        except NoAnswer:  # the guard's word
            raise Undelivered("the receiver's certificate is not trusted") from None

    def close(self) -> None:
        """Close the connections of calls that are still on their way."""
        self._pool.close()


class Pinned(Guard):
    """Connects to any server's address, but to none that hands out keys."""

    def examine(self, addresses: Sequence[str]) -> None:
        """Look at the numeric addresses of a name before any is called.

        Raises:
            Undelivered: one of them may not be called.
        """
        if not all(map(may_be_called, addresses)):
            raise Undelivered("the receiver is at an address that may not be called")


def may_be_called(address: str) -> bool:
    """Whether a numeric IP address is one of a server, not of a machine's keys or of nobody."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # with a zone, as link-local ones are written
        return False
    ip = _inner(ip)
    nobody = ip.is_unspecified or ip.is_multicast or ip.is_link_local
    return not nobody and not any(ip in net for net in _NEVER)


def _inner(ip: _IPV4 | _IPV6) -> _IPV4 | _IPV6:
    """The IPv4 address that an IPv6 one leads to, where it does."""
    if isinstance(ip, _IPV4):
        return ip
    nat64 = _IPV4(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or nat64 or ip


def signed(key: bytes, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: HMAC-SHA256 over id, time and body."""
    content = b"%s.%d.%s" % (message.encode("ascii"), timestamp, body)
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode("ascii")
    return {
        "Webhook-Id": message,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": f"v1,{signature}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST_SECRET:
        raise InputError(
            f"CASCADE_CALLBACK_SECRET: after {PREFIX} there must be base64 of at least "
            f"{SHORTEST_SECRET} bytes; copy it again or make a new one"
        )
    return key


def _parsed(url: str) -> httpcore.URL:
    # A URL may hold a password or a token, so it is not repeated.
    fault = InputError(
        "CASCADE_CALLBACK_URL: not a URL such as https://desk.example/cascade (http or https, "
        "without a password; an international name in its xn-- form)"
    )
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise fault from None
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or not parts.hostname or "@" in parts.netloc:
        raise fault
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname, port=port, target=target)


def _authority(url: httpcore.URL) -> str:
    host = url.host.decode("ascii")
    return f"[{host}]:{url.port}" if ":" in host else f"{host}:{url.port}"
