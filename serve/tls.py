"""TLS, where the service speaks it itself."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cascade.errors import InputError
from serve import logs

PLAIN = "This port speaks TLS: ask with https://."
_PLAIN_HTTP = "HTTP_REQUEST"
"""OpenSSL's name of what came in place of a handshake."""


class Certificate:
    """A certificate and its key. When the files are renewed, new connections get the new ones.

    Args:
        certificate: PEM file, with the chain.
        key: PEM file, not encrypted.

    Raises:
        InputError: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._seen = self._stamps()
        self._context = self._read()

    def options(self) -> dict[str, Any]:
        """gunicorn's settings."""
        certificate, key = map(str, self._files)
        return {"certfile": certificate, "keyfile": key, "ssl_context": self.context}

    def context(self, config: object, default: object) -> ssl.SSLContext:
        """What a connection is wrapped with, as gunicorn asks for it (its own is not used)."""
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            try:
                self._context = self._read()
            except InputError as error:  # such as a new certificate whose key is still to come
                logs.log.error("the certificate stays the one before: %s", error)
        return self._context

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # TLS 1.2 or newer
        try:
            # Without a password given, OpenSSL would ask for one on a terminal.
            context.load_cert_chain(*self._files, password="")
        except ssl.SSLError as error:
            told = f"not a certificate and its key as PEM without a password ({error.reason})"
            raise InputError(f"{self}: {told}") from None
        except OSError as error:
            raise InputError(f"{self}: {error.strerror}") from None
        return context

    def __str__(self) -> str:
        return ", ".join(map(str, self._files))

    def _stamps(self) -> list[int]:
        return [file.stat().st_mtime_ns if file.exists() else 0 for file in self._files]


def reason(error: BaseException) -> dict[str, str]:
    """OpenSSL's name for what went wrong, for the log."""
    return {"reason": str(error.reason)} if isinstance(error, ssl.SSLError) else {}


def is_plain(error: BaseException) -> bool:
    """Whether the client spoke HTTP without TLS."""
    return isinstance(error, ssl.SSLError) and error.reason == _PLAIN_HTTP
