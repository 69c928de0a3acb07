"""What is old and finished, and where a person's data can stand (requirements R-176).

What stops a thing from being done twice stays for ever: numbers, hashes, quantities, amounts, states. What goes is bytes of files, words and free text.
Nothing is found here that is still open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Engine, String, Table, and_, cast, func, literal, or_, select, update

from gateway.domain.lifecycle import ENDED
from gateway.store import database
from gateway.store.schema import (
    alerts,
    authorizations,
    decisions,
    effects,
    events,
    file_documents,
    files,
    job_runs,
    messages,
    receipts,
    refunds,
    returns,
    tasks,
    told_causes,
    tracking_numbers,
    work_queue,
)

Rows = list[dict[str, Any]]
PERSONAL_TEXT = frozenset({"comment", "note", "tracking_number"})
PERSONAL_LISTS = frozenset({"tracking_numbers"})
FINISHED = ("closed", "cancelled", "expired")
# identifiers inside documents: a word to be forgotten that happens to be part of one does not change it
IDENTIFIERS = frozenset(
    [
        "sku",
        "upc",
        "stated",
        "rma",
        "ra",
        "ra_reference",
        "order_id",
        "order_name",
        "order_line_id",
        "line_item_id",
        "line_item_ids",
        "unit_ids",
        "receipt_no",
        "partner",
        "warehouse",
        "currency",
        "state",
        "refund_id",
        "refund_ids",
        "key",
        "kind",
        "movements",
        "invoice",
        "events",
    ]
)
BATCH = 200
PROVING = ("stock.posted", "stock.opened", "invoice.made")  # they carry the movement or invoice itself, and no person's data
# every column in which words of people can stand; events are replaced through `audit` instead
TEXTS: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (returns, ("document", "hold", "none_because")),
    (authorizations, ("document", "hold")),
    (receipts, ("document", "reason")),
    (effects, ("payload", "evidence", "cause")),
    (refunds, ("document", "message")),
    (tasks, ("text", "advice", "note", "closed_because")),
    (decisions, ("document",)),
    (job_runs, ("reasons", "trouble")),
    (work_queue, ("trouble",)),
    (alerts, ("text",)),
    (messages, ("subject", "body", "html")),
    (told_causes, ("text",)),
    (files, ("reason", "side_text")),
    (file_documents, ("reason",)),
)


def without_person(value: Any) -> Any:
    """A document without what a person wrote or can be followed by: comments, notes, tracking numbers."""
    if isinstance(value, list):
        return [without_person(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    plain = {name: "" if name in PERSONAL_TEXT else [] if name in PERSONAL_LISTS else without_person(entry) for name, entry in value.items()}
    return plain


def personal_texts(value: Any) -> set[str]:
    """What `without_person` takes out."""
    if isinstance(value, list):
        return set().union(*(personal_texts(entry) for entry in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for name, entry in value.items():
        if name in PERSONAL_TEXT and entry:
            found.add(str(entry))
        elif name in PERSONAL_LISTS:
            found |= {str(one) for one in entry}
        else:
            found |= personal_texts(entry)
    return found


# what is old


def _not_ended() -> Any:
    return authorizations.c.state.not_in([state.value for state in ENDED])


def old_files_in(connection: Connection, before: datetime) -> Rows:
    """Inbound files that were handled before a time, of which no receipt is still open and no task waits."""
    open_receipt = (
        select(receipts.c.id)
        .outerjoin(authorizations, authorizations.c.ra == receipts.c.ra)
        .where(receipts.c.file_id == files.c.id, or_(receipts.c.state.in_(["waiting", "unmatched"]), _not_ended()))
    )
    waiting = select(tasks.c.id).where(tasks.c.open.is_(True), tasks.c.subject == literal("file ") + cast(files.c.id, String(20)))
    old = (files.c.direction == "in", files.c.state.in_(["shelved", "purging"]), files.c.arrived_at < database.instant(before))
    columns = (files.c.id, files.c.partner, files.c.name, files.c.place)
    return database.rows(connection, select(*columns).where(*old, files.c.outcome != "held", ~open_receipt.exists(), ~waiting.exists()))


def old_files_out(connection: Connection, before: datetime) -> list[int]:
    """Files we sent before a time, of which no RA is still open and no other document awaits its answer."""
    open_document = (
        select(file_documents.c.id)
        .outerjoin(authorizations, authorizations.c.ra == file_documents.c.ra)
        .where(
            file_documents.c.file_id == files.c.id,
            or_(_not_ended(), and_(authorizations.c.ra.is_(None), file_documents.c.acknowledgement.in_(["awaiting", "overdue"]))),
        )
    )
    old = (files.c.direction == "out", files.c.state == "delivered", files.c.content.is_not(None), files.c.settled_at < database.instant(before))
    return [int(r[0]) for r in connection.execute(select(files.c.id).where(*old, ~open_document.exists()))]


def drop_content(connection: Connection, numbers: Sequence[int]) -> None:
    """Let the kept bytes of files go; name, size, hash and fate stay."""
    for start in range(0, len(numbers), BATCH):
        connection.execute(update(files).where(files.c.id.in_(numbers[start : start + BATCH])).values(content=None))


def old_returns(connection: Connection, before: datetime) -> list[str]:
    """Returns that ended before a time, with every RA ended, nothing on the work list and no effect unsettled."""
    open_ra = select(authorizations.c.ra).where(authorizations.c.rma == returns.c.rma, _not_ended())
    waiting = select(tasks.c.id).where(tasks.c.rma == returns.c.rma, tasks.c.open.is_(True))
    unsettled = select(effects.c.id).where(effects.c.target == returns.c.rma, effects.c.state.in_(["intended", "in_doubt"]))
    ended = (returns.c.state.in_(FINISHED), returns.c.updated_at < database.instant(before), returns.c.emptied_at.is_(None))
    statement = select(returns.c.rma).where(*ended, ~open_ra.exists(), ~waiting.exists(), ~unsettled.exists())
    return [str(r[0]) for r in connection.execute(statement.order_by(returns.c.rma))]


def empty_returns(connection: Connection, numbers: Sequence[str], *, at: datetime) -> None:
    """Take the free text out of returns, their RAs, receipts and effects, and their closed tasks off."""
    ras = select(authorizations.c.ra).where(authorizations.c.rma.in_(numbers))
    for table, criterion in (
        (returns, returns.c.rma.in_(numbers)),
        (authorizations, authorizations.c.rma.in_(numbers)),
        (receipts, receipts.c.ra.in_(ras)),
    ):
        _empty_documents(connection, table, criterion)
    connection.execute(tracking_numbers.delete().where(tracking_numbers.c.ra.in_(ras)))
    connection.execute(update(effects).where(effects.c.target.in_(numbers)).values(payload="{}", evidence="{}"))
    connection.execute(tasks.delete().where(tasks.c.rma.in_(numbers), tasks.c.open.is_(False)))
    connection.execute(update(returns).where(returns.c.rma.in_(numbers)).values(emptied_at=database.instant(at)))


def _empty_documents(connection: Connection, table: Table, criterion: Any) -> None:
    key = next(iter(table.primary_key.columns))
    for row in database.rows(connection, select(key, table.c.document).where(criterion)):
        plain = database.pack(without_person(json.loads(row["document"])))
        connection.execute(update(table).where(key == row[key.name]).values(document=plain))


def events_of(connection: Connection, numbers: Sequence[str], *, empty_word: str) -> Rows:
    """The events of returns that still say something beside what proves stock and money."""
    said = events.c.word.not_in([empty_word, *PROVING])
    return database.rows(connection, select(events).where(events.c.rma.in_(numbers), said).order_by(events.c.id))


def delete_old(connection: Connection, kind: str, before: datetime, *, count_only: bool) -> int:
    """Runs, messages or resolved alerts that ended before a time: counted, and deleted unless only counted."""
    at = database.instant(before)
    wanted: dict[str, tuple[Table, Any]] = {
        "runs": (job_runs, (job_runs.c.ended_at < at)),
        "messages": (messages, (messages.c.settled_at < at) & messages.c.state.in_(["sent", "failed"])),
        "alerts": (alerts, (alerts.c.last_at < at) & alerts.c.open.is_(False)),
    }
    table, criterion = wanted[kind]
    if count_only:
        return int(connection.execute(select(func.count()).select_from(table).where(criterion)).scalar_one())
    return connection.execute(table.delete().where(criterion)).rowcount


# a person's data


def returns_of_order(connection: Connection, order: str) -> Rows:
    """The returns on an order, by its name (with or without #) or id."""
    plain = order.lstrip("#")
    wanted = or_(returns.c.order_id == plain, returns.c.order_name.in_([order, f"#{plain}"]))
    return database.rows(connection, select(returns.c.rma, returns.c.state, returns.c.document).where(wanted).order_by(returns.c.rma))


def documents_of(connection: Connection, numbers: Sequence[str]) -> list[Any]:
    """The documents of returns, their RAs and receipts."""
    ras = select(authorizations.c.ra).where(authorizations.c.rma.in_(numbers))
    statements = (
        select(returns.c.document).where(returns.c.rma.in_(numbers)),
        select(authorizations.c.document).where(authorizations.c.rma.in_(numbers)),
        select(receipts.c.document).where(receipts.c.ra.in_(ras)),
    )
    return [json.loads(row[0]) for statement in statements for row in connection.execute(statement)]


def files_of(connection: Connection, numbers: Sequence[str]) -> list[int]:
    """The files in which documents of returns travelled."""
    ras = select(authorizations.c.ra).where(authorizations.c.rma.in_(numbers))
    sent = select(file_documents.c.file_id).where(file_documents.c.ra.in_(ras))
    came = select(receipts.c.file_id).where(receipts.c.ra.in_(ras), receipts.c.file_id.is_not(None))
    return sorted({int(r[0]) for statement in (sent, came) for r in connection.execute(statement)})


def mask(text: str, terms: Iterable[str]) -> str:
    """The text with each term, in any case, written over letter by letter, so that lengths and places stay."""
    pattern = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    return re.sub(pattern, lambda found: "X" * len(found.group()), text, flags=re.IGNORECASE) if pattern else text


def mask_words(text: str, terms: Sequence[str]) -> str:
    """The same for text that may be JSON: there only values are written over, and no identifiers."""
    if not text.startswith(("{", "[")):
        return mask(text, terms)
    try:
        value = json.loads(text)
    except ValueError:
        return mask(text, terms)
    masked = _mask_value(value, terms)
    return text if masked == value else database.pack(masked)


def _mask_value(value: Any, terms: Sequence[str]) -> Any:
    if isinstance(value, str):
        return mask_words(value, terms)
    if isinstance(value, list):
        return [_mask_value(entry, terms) for entry in value]
    if isinstance(value, dict):
        return {name: entry if name in IDENTIFIERS else _mask_value(entry, terms) for name, entry in value.items()}
    return value


def mask_bytes(content: bytes, terms: Iterable[str]) -> bytes:
    """The same for bytes in UTF-8 or a one-byte alphabet."""
    forms = {term.encode(code) for term in terms for code in ("utf-8", "latin-1") if _fits(term, code)}
    pattern = b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.sub(pattern, lambda found: b"X" * len(found.group()), content, flags=re.IGNORECASE) if pattern else content


def _fits(term: str, code: str) -> bool:
    try:
        term.encode(code)
    except UnicodeEncodeError:
        return False
    return True


def mask_tables(connection: Connection, terms: Sequence[str], *, within: Sequence[str] | None) -> int:
    """Write the terms over in every column where words can stand, or only in rows of the given returns; how many rows were changed."""
    changed = 0
    for table, names in TEXTS:
        keys = list(table.primary_key.columns)
        criterion = _within(table, within)
        if criterion is None:
            continue
        columns = [table.c[name] for name in names]
        for row in database.rows(connection, select(*keys, *columns).where(criterion, or_(*_mentions(columns, terms)))):
            values = {name: mask_words(row[name], terms) for name in names if row[name]}
            if any(values[name] != row[name] for name in values):
                same = [key == row[key.name] for key in keys]
                connection.execute(update(table).where(*same).values(**values))
                changed += 1
    return changed


def _mentions(columns: Sequence[Column[Any]], terms: Sequence[str]) -> list[Any]:
    """Rows that may have a term; letters beyond ASCII have no case in every database, so a term with them is looked for in every row."""
    if any(not term.isascii() for term in terms):
        return [columns[0].is_not(None)]
    return [func.lower(column).contains(term.lower(), autoescape=True) for column in columns for term in terms]


def _within(table: Table, numbers: Sequence[str] | None) -> Any:
    if numbers is None:
        return next(iter(table.primary_key.columns)).is_not(None)
    if table is receipts:
        return table.c.ra.in_(select(authorizations.c.ra).where(authorizations.c.rma.in_(numbers)))
    if table is effects:
        return table.c.target.in_(numbers)
    if table is files:
        return table.c.id.in_(files_of_statement(numbers))
    return table.c.rma.in_(numbers) if "rma" in table.c else None


def files_of_statement(numbers: Sequence[str]) -> Any:
    """The numbers of the files in which documents of returns travelled, as a select."""
    ras = select(authorizations.c.ra).where(authorizations.c.rma.in_(numbers))
    return select(file_documents.c.file_id).where(file_documents.c.ra.in_(ras)).union(select(receipts.c.file_id).where(receipts.c.ra.in_(ras)))


def events_with(connection: Connection, terms: Sequence[str], *, within: Sequence[str] | None) -> Rows:
    """Events that mention a term, or only those of the given returns."""
    criterion = events.c.rma.in_(within) if within is not None else events.c.id.is_not(None)
    return database.rows(connection, select(events).where(criterion, or_(*_mentions([events.c.text, events.c.facts], terms))).order_by(events.c.id))


def all_file_ids(connection: Connection) -> list[int]:
    """The numbers of all files whose bytes are still there."""
    there = or_(files.c.content.is_not(None), (files.c.direction == "in") & (files.c.state == "shelved"))
    return [int(r[0]) for r in connection.execute(select(files.c.id).where(there).order_by(files.c.id))]


def change_files(connection: Connection, numbers: Sequence[int], **values: Any) -> None:
    """Write the same values to several files."""
    for start in range(0, len(numbers), BATCH):
        connection.execute(update(files).where(files.c.id.in_(numbers[start : start + BATCH])).values(**values))


def scrub(engine: Engine) -> None:
    """Make what was written over unreadable in the database's free pages too: rewrite it, and cut the write-ahead log."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            tables: Mapping[str, Table] = {table.name: table for table, _ in TEXTS} | {"events": events}
            for name in tables:
                connection.exec_driver_sql(f"VACUUM FULL {name}")
        return
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            cursor.execute(statement)
            cursor.fetchall()
        cursor.close()
    finally:
        raw.close()
