"""The audit log proves itself: what an event said when it was written is chained to everything before it (requirements R-174).

Each event carries the digest of its content (who, when, what, before and after, why), taken when it is written. Sealing runs behind the writers and gives
each event its place in the chain: `seal` covers the digest, the place and the seal before it. Places are given in the order of sealing, not of numbers,
since on PostgreSQL a number that was taken first may be committed last. The head of the chain stands in `positions` and in the log, so that a cut-off end
is noticed. Stock movements and credit invoices are carried by their own events (`ledger.post`), so that the chain covers them too.

Events are never changed. What must go (a person's data, what is too old) leaves its place, its digest and its seal behind, and a later event says which
content took its place; what is not named so is broken. The database itself refuses to change or delete events (`PROTECT`), except inside `unprotected`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway.store import database
from gateway.store.schema import events, positions

CONTENT = ("at", "word", "rma", "ra", "file_id", "partner", "actor", "text", "facts")
HEAD = "audit.head"
REDACTED = "audit.redacted"
MOST_ROWS = 500
MOST_EVENTS = 5000
SEALING = 5_200_945  # the advisory lock of whoever seals


def digest_of(row: Mapping[str, Any], names: Sequence[str] = CONTENT) -> str:
    """What a row says, in 64 letters."""
    return hashlib.sha256(database.pack([None if row[name] is None else str(row[name]) for name in names]).encode()).hexdigest()


def _seal_of(before: str, link: int, digest: str) -> str:
    return hashlib.sha256(f"{before} {link} {digest}".encode()).hexdigest()


def seal(connection: Connection) -> int:
    """Give events that have none their place in the chain, at most `MOST_EVENTS` at a time; how many were sealed."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SEALING})")
    link, last = _head(connection)
    waiting = select(events.c.id, events.c.digest).where(events.c.link.is_(None)).order_by(events.c.id).limit(MOST_EVENTS)
    places = []
    for row in database.rows(connection, waiting):
        link, last = link + 1, _seal_of(last, link + 1, row["digest"])
        places.append({"b_id": row["id"], "b_link": link, "b_seal": last})
    if places:
        change = update(events).where(events.c.id == bindparam("b_id")).values(link=bindparam("b_link"), seal=bindparam("b_seal"))
        connection.execute(change, places)
        database.put(connection, positions, {"name": HEAD, "value": f"{link} {last}"})
    return len(places)


def _head(connection: Connection) -> tuple[int, str]:
    """The last place of the chain and its seal."""
    row = database.row(connection, select(events.c.link, events.c.seal).where(events.c.link.is_not(None)).order_by(events.c.link.desc()).limit(1))
    if row:
        return int(row["link"]), str(row["seal"])
    return 0, ""


def kept(connection: Connection, name: str) -> str:
    """A kept position of the chain, `PLACE SEAL`; empty when there is none."""
    return str(connection.execute(select(positions.c.value).where(positions.c.name == name)).scalar() or "")


def find_broken(connection: Connection) -> Iterable[str]:
    """Every event that is not what was sealed; nothing when all are."""
    link, before = 0, ""
    replaced = _promises(connection)
    statement = select(events).where(events.c.link.is_not(None)).order_by(events.c.link)
    for found in connection.execute(statement.execution_options(yield_per=1000)).mappings():
        row = dict(found)
        told = f"event {row['id']} of {row['at'][:19]} ({row['word']}, RMA {row['rma']})"
        if row["link"] != link + 1:
            yield f"{row['link'] - link - 1} event(s) before {told} are missing"
        link = int(row["link"])
        if _seal_of(before, link, row["digest"]) != row["seal"]:
            yield f"{told} does not match its seal"
        if digest_of(row) not in (row["digest"], replaced.get(row["id"])):
            yield f"{told} was changed: it does not say what was sealed"
        before = row["seal"]
    if kept(connection, HEAD) not in ("", f"{link} {before}"):
        yield f"the end of the log is missing: the last event sealed was number {kept(connection, HEAD).split()[0]} of the chain, now it is {link}"
    for row in database.rows(connection, select(events).where(events.c.link.is_(None)).order_by(events.c.id)):
        if digest_of(row) != row["digest"]:
            yield f"event {row['id']} of {row['at'][:19]} ({row['word']}, RMA {row['rma']}) was changed before it was sealed"


def _promises(connection: Connection) -> dict[int, str]:
    """What later events say took the place of the content of earlier ones."""
    replaced: dict[int, str] = {}
    for (text,) in connection.execute(select(events.c.facts).where(events.c.word == REDACTED).order_by(events.c.id)):
        replaced.update({int(number): digest for number, digest in json.loads(text)["events"].items()})
    return replaced


PROTECTED_TEXT = "audit events are never changed or deleted"


def protect(connection: Connection) -> None:
    """Make the database itself refuse to change or delete events; harmless when it does already."""
    if connection.dialect.name == "postgresql":
        _protect_postgres(connection)
        return
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in ("id", *CONTENT, "digest"))
    sealing = f"OLD.link IS NULL AND {same}"
    stop = f"BEGIN SELECT RAISE(ABORT, '{PROTECTED_TEXT}'); END"
    connection.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events WHEN NOT ({sealing}) {stop}")
    connection.exec_driver_sql(f"CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events {stop}")


def _protect_postgres(connection: Connection) -> None:
    same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in ("id", *CONTENT, "digest"))
    connection.exec_driver_sql(
        "CREATE OR REPLACE FUNCTION events_stay() RETURNS trigger AS $$ BEGIN "
        "IF current_setting('gateway.redacting', true) = 'on' THEN RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END IF; "
        f"IF TG_OP = 'UPDATE' AND OLD.link IS NULL AND {same} THEN RETURN NEW; END IF; "
        f"RAISE EXCEPTION '{PROTECTED_TEXT}'; END $$ LANGUAGE plpgsql"
    )
    connection.exec_driver_sql("CREATE OR REPLACE TRIGGER events_stay BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_stay()")


@contextmanager
def unprotected(connection: Connection) -> Iterator[None]:
    """Let this transaction replace what events say; whoever does so writes an event that names them (`replace`)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL gateway.redacting = 'on'")
        yield
        connection.exec_driver_sql("SET LOCAL gateway.redacting = 'off'")
        return
    for name in ("events_stay", "events_remain"):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
    yield
    protect(connection)


def replace(connection: Connection, rows: Iterable[Mapping[str, Any]], *, at: datetime, actor: str, because: str) -> int:
    """Give events new content (their text and facts); digest, place and seal stay, and an event names what took their place. How many were replaced."""
    from gateway.store.events import note

    named: dict[str, str] = {}
    with unprotected(connection):
        for row in rows:
            values = {name: row[name] for name in CONTENT}
            connection.execute(update(events).where(events.c.id == row["id"]).values(**values))
            named[str(row["id"])] = digest_of(row)
    numbers = list(named)
    for start in range(0, len(numbers), MOST_ROWS):
        part = {number: named[number] for number in numbers[start : start + MOST_ROWS]}
        note(connection, REDACTED, f"{len(part)} event(s) emptied: {because}", at=at, actor=actor, facts={"events": part})
    return len(named)
