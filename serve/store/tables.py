"""The tables. Times are seconds since 1970 (UTC), in every database alike.

A change here needs a migration in migrations/versions; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

ID = String(32)
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

decisions = Table(
    "decisions",
    metadata,
    Column("id", ID, primary_key=True),  # rises with time, see `serve.store.new_id`
    Column("created", Double, nullable=False),
    Column("ticket", String(200), index=True),  # the help desk's own id
    Column("fingerprint", String(64), nullable=False),  # keyed hash of the text
    Column("bundle", String(200), nullable=False),
    Column("queue", Text, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("stage", String(40), nullable=False),
    Column("action", String(10), nullable=False),
    Column("pending", Boolean, nullable=False),  # a later answer replaces this one
    Column("finished", Double),  # when that was
    Column("answer", Text, nullable=False),  # JSON, without any word of the customer's
    Index("ix_decisions_created", "created", "stage"),  # the live figures read this alone
)

texts = Table(
    "texts",
    metadata,
    Column("decision", ID, ForeignKey("decisions.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),  # cleaned and masked
    Column("created", Double, nullable=False, index=True),
)
"""Only where the operator keeps texts."""

replies = Table(
    "replies",
    metadata,
    Column("caller", ID, nullable=False),
    Column("key", String(200), nullable=False),
    Column("body", String(64), nullable=False),  # keyed hash
    Column("answer", Text, nullable=False),
    Column("created", Double, nullable=False, index=True),
    PrimaryKeyConstraint("caller", "key"),
)
"""What was answered under an idempotency key."""

reviews = Table(
    "reviews",
    metadata,
    Column("decision", ID, ForeignKey("decisions.id", ondelete="CASCADE"), primary_key=True),
    Column("created", Double, nullable=False),
    Column("priority", Double, nullable=False),  # the costliest first
    Column("claimed_by", String(200)),
    Column("claimed_until", Double),
    Column("done", Double),
    Column("outcome", String(10)),  # decided, corrected
    Index("ix_reviews_open", "done", "priority"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created", Double, nullable=False, index=True),
    Column("decision", ID, ForeignKey("decisions.id", ondelete="SET NULL"), index=True),
    Column("ticket", String(200)),
    Column("queue", Text, nullable=False),  # where it belongs
    Column("source", String(10), nullable=False),  # review, api
    Column("by", String(200), nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(10), nullable=False),  # finish, callback
    Column("decision", ID, ForeignKey("decisions.id", ondelete="CASCADE"), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("due", Double, nullable=False, index=True),  # also the end of a worker's lease
    Column("attempts", Integer, nullable=False),
    Column("holder", ID),  # who works on it
    UniqueConstraint("decision", "kind"),
)
"""What is still to be done. A row is deleted in the transaction that stores what it led to."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(64), nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created", Double, nullable=False),
    Column("path", Text, nullable=False),
    Column("configured", Text, nullable=False),  # what the settings named then
    Column("bundle", String(200)),
    Column("state", String(10), nullable=False),  # preparing, active, refused
    Column("reason", Text, nullable=False),
)
"""Bundles that were put into service, the newest active one last."""

workers = Table(
    "workers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("seen", Double, nullable=False),
    Column("deployment", Integer),  # the one it serves
    Column("prepared", Integer),  # the one that it could serve at once, or could not
    Column("failure", Text, nullable=False),
)
"""The worker processes that are alive, by their heartbeat."""
