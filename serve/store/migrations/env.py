"""How Alembic runs migrations: on the connection that `serve.store.Store.migrate` hands it."""

from alembic import context
from alembic.util import CommandError

from serve.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
before = context.get_context().get_current_heads()
context.run_migrations()
if connection.dialect.name == "sqlite" and context.get_context().get_current_heads() != before:
    # It did not look after foreign keys meanwhile.
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if lost:
        raise CommandError("after the migration rows would refer to others that are not there")
