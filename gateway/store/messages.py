"""Messages to people: the outbox from which they are sent, and which causes were told.

A message is one text for one receiver, unique by its key, so that the same recap cannot be made twice. It is *sending* from a commit before it leaves
until an answer settles it; what a crash leaves so may have arrived, is shown, and is not sent again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from gateway.domain.telling import Cause, Told
from gateway.store import database, workqueue
from gateway.store.schema import messages, told_causes

QUEUE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as the book holds it."""

    id: int
    key: str
    kind: str
    channel: str
    subject: str
    body: str
    html: str
    state: str
    attempts: int
    created_at: datetime


def add(connection: Connection, *, key: str, kind: str, channel: str, words: tuple[str, str, str], at: datetime) -> int | None:
    """Write a message (`words`: subject, text, HTML) and queue it; None when one with this key is there."""
    subject, body, html = words
    row = {"key": key, "kind": kind, "channel": channel, "subject": subject, "body": body, "html": html, "created_at": database.instant(at)}
    made = database.insert_new(connection, messages, row)
    if made is not None:
        workqueue.enqueue(connection, QUEUE, made, due_at=at)
    return made


def load(connection: Connection, message_id: int) -> Message | None:
    """A message by its number."""
    row = database.row(connection, database.lock_row(connection, select(messages).where(messages.c.id == message_id)))
    if row is None:
        return None
    fields = {name: row[name] for name in Message.__dataclass_fields__ if name != "created_at"}
    return Message(**fields, created_at=database.moment(row["created_at"]))


def begin(connection: Connection, message: Message) -> bool:
    """Note that a message leaves; False when another process has it."""
    mine = (messages.c.id == message.id) & (messages.c.state == "pending") & (messages.c.attempts == message.attempts)
    return connection.execute(update(messages).where(mine).values(state="sending", attempts=message.attempts + 1)).rowcount == 1


def settle(connection: Connection, message_id: int, *, state: str, cause: str, at: datetime) -> None:
    """Write what became of a message."""
    ended = {"settled_at": database.instant(at)} if state in ("sent", "failed", "in doubt") else {}
    connection.execute(update(messages).where(messages.c.id == message_id).values(state=state, cause=cause, **ended))


def send_again(connection: Connection, message_id: int, *, at: datetime) -> bool:
    """Let a message that failed or is in doubt leave once more, because a person says so; False when it was sent or is on its way."""
    mine = (messages.c.id == message_id) & messages.c.state.in_(["failed", "in doubt"])
    found = connection.execute(update(messages).where(mine).values(state="pending")).rowcount == 1
    if found:
        workqueue.enqueue(connection, QUEUE, message_id, due_at=at)
    return found


def list_messages(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Messages that meet the criteria, oldest first."""
    return database.rows(connection, select(messages).where(*criteria).order_by(messages.c.id))


def told(connection: Connection) -> list[Told]:
    """The causes that were told and have not been told as resolved."""
    return [
        Told(kind=row["kind"], subject=row["subject"], text=row["text"], told_at=database.moment(row["told_at"]), times=row["times"])
        for row in database.rows(connection, select(told_causes).order_by(told_causes.c.told_at))
    ]


def remember(connection: Connection, cause: Cause, *, times: int, at: datetime) -> None:
    """Note that a cause was told."""
    row = {"kind": cause.kind, "subject": cause.subject, "text": cause.text, "told_at": database.instant(at), "times": times}
    database.put(connection, told_causes, row)


def forget(connection: Connection, causes: Iterable[Told]) -> None:
    """Note that causes were told as resolved."""
    for one in causes:
        connection.execute(told_causes.delete().where(told_causes.c.kind == one.kind, told_causes.c.subject == one.subject))
