"""Who may sign in, who is signed in, and which webhooks were seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.store import database
from gateway.store.schema import sessions, users, webhooks


def add_user(connection: Connection, *, name: str, role: str, password: str, at: datetime) -> bool:
    """Write a user; False when there is one of this name."""
    row = {"name": name, "role": role, "password": password, "created_at": database.instant(at)}
    return database.insert_new(connection, users, row) is not None


def load_user(connection: Connection, name: str) -> dict[str, Any] | None:
    """A user's row."""
    return database.row(connection, select(users).where(users.c.name == name))


def list_users(connection: Connection) -> list[dict[str, Any]]:
    """Every user, without the password's hash."""
    columns = [column for column in users.c if column.name != "password"]
    return database.rows(connection, select(*columns).order_by(users.c.name))


def change_user(connection: Connection, name: str, **values: Any) -> bool:
    """Write values of a user; False when there is none."""
    plain = {key: database.instant(value) if isinstance(value, datetime) else value for key, value in values.items()}
    return connection.execute(update(users).where(users.c.name == name).values(**plain)).rowcount == 1


def count_failure(connection: Connection, name: str) -> int:
    """Count a wrong password; how many there are now."""
    connection.execute(update(users).where(users.c.name == name).values(failures=users.c.failures + 1))
    return int(connection.execute(select(users.c.failures).where(users.c.name == name)).scalar() or 0)


def remove_user(connection: Connection, name: str) -> bool:
    """Remove a user and sign it out everywhere; False when there is none."""
    end_sessions(connection, name)
    return connection.execute(delete(users).where(users.c.name == name)).rowcount == 1


def start_session(connection: Connection, *, token: str, user: str, form_key: str, at: datetime, ends_at: datetime) -> None:
    """Write a session; those that have ended are taken out."""
    connection.execute(delete(sessions).where(sessions.c.ends_at < database.instant(at)))
    row = {"token": token, "user": user, "form_key": form_key, "created_at": database.instant(at), "ends_at": database.instant(ends_at)}
    database.insert_new(connection, sessions, row)


def load_session(connection: Connection, token: str, *, now: datetime) -> dict[str, Any] | None:
    """A session that has not ended, with its user's role."""
    statement = (
        select(sessions.c.user, sessions.c.form_key, users.c.role)
        .join(users, users.c.name == sessions.c.user)
        .where(sessions.c.token == token, sessions.c.ends_at > database.instant(now))
    )
    return database.row(connection, statement)


def end_session(connection: Connection, token: str) -> None:
    """Sign out."""
    connection.execute(delete(sessions).where(sessions.c.token == token))


def end_sessions(connection: Connection, user: str) -> None:
    """Sign a user out everywhere."""
    connection.execute(delete(sessions).where(sessions.c.user == user))


def see_webhook(connection: Connection, key: str, *, at: datetime, forget_before: datetime) -> bool:
    """Note a delivery; False when it was seen before. Old ones are forgotten."""
    connection.execute(delete(webhooks).where(webhooks.c.at < database.instant(forget_before)))
    return database.insert_new(connection, webhooks, {"key": key, "at": database.instant(at)}) is not None
