"""API keys: who may call, and for what.

A key is ``csc_<id>_<secret>``. Its secret is 256 random bits, so one round of SHA-256 hides it as
well as a slow hash would: there is nothing to guess from. It is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as randomness
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, insert, or_, select, update
from sqlalchemy.exc import TimeoutError

from serve.store import DOWN, Store
from serve.store.tables import keys

SCOPES = ("route", "review", "admin", "metrics")
ADMIN = "admin"
"""Implies all the others."""
FRESH = 1.0
"""Seconds for which a worker trusts what it knows of the keys, or that they cannot be read."""
KEPT = 300.0
"""Seconds for which it goes by what it knows while they cannot be read, nor revoked."""
TOKEN = re.compile(r"csc_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; times are seconds since 1970.

    Attributes:
        id: 12 hexadecimal digits, no secret.
        name: what it is for.
        hash: SHA-256 of the secret, in hexadecimal digits.
        expires: None for never.
        revoked: when, if it was.
    """

    id: str
    name: str
    hash: str
    scopes: frozenset[str]
    created: float
    expires: float | None = None
    revoked: float | None = None

    def allows(self, scope: str) -> bool:
        """Whether it may do what needs the scope."""
        return scope in self.scopes or ADMIN in self.scopes

    def state(self, now: float) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


def add(
    connection: Connection, name: str, scopes: Collection[str], expires: float | None = None
) -> tuple[Key, str]:
    """Make a key.

    Returns:
        The key, and its token, which is nowhere else.
    """
    secret = randomness.token_hex(32)
    key = Key(randomness.token_hex(6), name, _hash(secret), frozenset(scopes), time.time(), expires)
    row = {
        "id": key.id,
        "name": key.name,
        "hash": key.hash,
        "scopes": " ".join(scope for scope in SCOPES if scope in key.scopes),
        "created": key.created,
        "expires": key.expires,
    }
    connection.execute(insert(keys), row)
    return key, f"csc_{key.id}_{secret}"


def everyone(connection: Connection) -> list[Key]:
    """All keys, also those that are over, the oldest first."""
    rows = connection.execute(select(keys).order_by(keys.c.created)).mappings()
    return [_key(row) for row in rows]


def valid(connection: Connection) -> list[Key]:
    """The keys that are neither revoked nor expired."""
    lasts = or_(keys.c.expires.is_(None), keys.c.expires > time.time())
    rows = connection.execute(select(keys).where(keys.c.revoked.is_(None), lasts)).mappings()
    return [_key(row) for row in rows]


def revoke(connection: Connection, key_id: str) -> bool:
    """Let a key be of no use from now on.

    Returns:
        Whether there is such a key. One that was revoked before stays as it is.
    """
    now = time.time()
    connection.execute(
        update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None)).values(revoked=now)
    )
    return connection.scalar(select(keys.c.id).where(keys.c.id == key_id)) is not None


class KeyRing:
    """The valid keys, as they were at most `FRESH` seconds ago, or `KEPT` with the store away.

    All are read at once, and so seldom that a request costs no query. What is no key costs none
    either, so that guessing loads nothing, and no more is held than the operator has made. One
    thread reads them; the others go by what is known and do not wait for a store that says nothing.

    Args:
        store: where they are.
        clock: seconds, never going back.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._known: Mapping[str, Key] = {}
        self._read = self._tried = float("-inf")
        self._reading = threading.Lock()

    def check(self, token: str) -> Key | None:
        """The valid key whose token this is.

        Raises:
            SQLAlchemyError: one of `serve.store.DOWN`; the keys could not be read for too long.
        """
        parts = TOKEN.fullmatch(token)
        key = self.find(parts[1]) if parts else None
        if key is None or parts is None:
            return None
        return key if hmac.compare_digest(key.hash, _hash(parts[2])) else None

    def find(self, key_id: str) -> Key | None:
        """The valid key with this id; raises as `check` does."""
        key = self._fresh().get(key_id)
        return key if key and key.state(time.time()) == "valid" else None

    def _fresh(self) -> Mapping[str, Key]:
        def known() -> bool:
            return self._clock() < self._read + KEPT

        def tried() -> bool:
            return self._clock() < self._tried + FRESH

        if not tried() and self._reading.acquire(blocking=not known()):
            try:
                if not tried():  # by the thread that was waited for
                    self._look(known())
            finally:
                self._reading.release()
        if not known():
            raise TimeoutError("the keys could not be read a moment ago")
        return self._known

    def _look(self, quietly: bool) -> None:
        began = self._clock()
        try:
            with self._store.read() as connection:
                self._known = {key.id: key for key in valid(connection)}
            self._read = self._tried = began
        except DOWN:
            self._tried = self._clock()
            if not quietly:
                raise


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _key(row: RowMapping) -> Key:
    return Key(**{**row, "scopes": frozenset(row["scopes"].split())})
