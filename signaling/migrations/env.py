"""What Alembic runs for every command: the migrations, on the connection that `signaling.migrate` hands it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], **context.config.attributes["options"])
with context.begin_transaction():
    context.run_migrations()
