"""Files in and out, the documents in them, and control numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.store import database
from gateway.store.schema import control_numbers, file_documents, files

WANTING = ("", "error", "partial", "held", "quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as the book holds it; `content` only for files we made."""

    id: int
    direction: str
    partner: str
    name: str
    sha256: str
    size: int
    state: str
    outcome: str
    reason: str
    control: str
    duplicate_of: int | None
    resend_of: int | None
    resends: int
    place: str
    next_place: str
    folder: str
    content: bytes | None
    side_text: str
    masked_sha256: str
    arrived_at: datetime

    @property
    def kept_sha256(self) -> str:
        """The hash of the bytes that are kept: another than the first where a person's data was taken out."""
        return self.masked_sha256 or self.sha256


# Statements of the way of a file, made once: making one costs as much as running it.
BY_ID = select(files).where(files.c.id == bindparam("asked_id"))
BY_IDS = select(files).where(files.c.id.in_(bindparam("asked_ids", expanding=True))).order_by(files.c.id)
TAKEN = BY_ID.where(files.c.state == "taken")
CHANGE = update(files).where(files.c.id == bindparam("asked_id"))
CLAIMED_AS = select(files).where(files.c.claimed_as.in_(bindparam("claimed", expanding=True))).order_by(files.c.id)
USED_BEFORE = select(files).where(
    files.c.direction == "in",
    files.c.partner == bindparam("partner"),
    files.c.id < bindparam("before"),
    files.c.outcome.in_(["applied", "partial"]),
)
SAME_CONTENT = USED_BEFORE.where(files.c.sha256 == bindparam("sha256")).order_by(files.c.id).limit(1)
SAME_CONTROL = USED_BEFORE.where(files.c.sender == bindparam("sender"), files.c.control == bindparam("control")).order_by(files.c.id.desc()).limit(1)


def _file(row: dict[str, Any]) -> File:
    fields = {name: row[name] for name in File.__dataclass_fields__ if name != "arrived_at"}
    return File(**fields, arrived_at=database.moment(row["arrived_at"]))


def add(connection: Connection, *, at: datetime, **fields: Any) -> int:
    """Write a file row; its number."""
    made = database.insert_new(connection, files, {**fields, "arrived_at": database.instant(at)})
    return int(made or 0)


def load(connection: Connection, file_id: int) -> File | None:
    """A file by its number."""
    found = connection.execute(BY_ID, {"asked_id": file_id}).mappings().first()
    return _file(dict(found)) if found else None


def load_all(connection: Connection, file_ids: Iterable[int]) -> dict[int, File]:
    """The files of these numbers that there are."""
    found = connection.execute(BY_IDS, {"asked_ids": list(file_ids)}).mappings()
    return {row["id"]: _file(dict(row)) for row in found}


def load_taken(connection: Connection, file_id: int) -> File | None:
    """A file that is taken and not handled yet, its row locked, so that of two readers only one applies it."""
    found = connection.execute(database.lock_row(connection, TAKEN), {"asked_id": file_id}).mappings().first()
    return _file(dict(found)) if found else None


def list_files(connection: Connection, *criteria: Any) -> list[File]:
    """Files that meet the criteria, oldest first, without their contents' cost."""
    return [_file(row) for row in database.rows(connection, select(files).where(*criteria).order_by(files.c.id))]


def change(connection: Connection, file_id: int, **values: Any) -> None:
    """Write what became of a file."""
    change_all(connection, {file_id: values})


def change_all(connection: Connection, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """The same for several files by their numbers, in one statement; what is written of each has the same names."""
    rows = [
        {"asked_id": file_id} | {name: database.instant(value) if isinstance(value, datetime) else value for name, value in values.items()}
        for file_id, values in changes.items()
    ]
    if rows:
        connection.execute(CHANGE, rows if len(rows) > 1 else rows[0])


def arrived(connection: Connection, file_id: int) -> str:
    """Note that a file is where it was planned to go; its place."""
    file = load(connection, file_id)
    place = (file.next_place or file.place) if file else ""
    change(connection, file_id, state="shelved", place=place, next_place="")
    return place


def same_content(connection: Connection, *, partner: str, sha256: str, before: int) -> File | None:
    """The first earlier file of a partner with this content that was used."""
    found = connection.execute(SAME_CONTENT, {"partner": partner, "sha256": sha256, "before": before}).mappings().first()
    return _file(dict(found)) if found else None


def same_control(connection: Connection, *, partner: str, sender: str, control: str, before: int) -> File | None:
    """The last earlier used file of a partner whose interchange has this control number."""
    asked = {"partner": partner, "sender": sender, "control": control, "before": before}
    found = connection.execute(SAME_CONTROL, asked).mappings().first()
    return _file(dict(found)) if found else None


def claimed_as(connection: Connection, *, partner: str, places: Collection[str]) -> dict[str, File]:
    """The files that were claimed under names in `processing/`, wherever they are now: the first of each name."""
    found: dict[str, File] = {}
    if places:
        for row in connection.execute(CLAIMED_AS, {"claimed": [f"{partner}/{place}" for place in places]}).mappings():
            found.setdefault(str(row["claimed_as"]).removeprefix(f"{partner}/"), _file(dict(row)))
    return found


def sent_since(connection: Connection, *, partner: str | None, since: datetime, until: datetime | None = None) -> list[File]:
    """Original documents delivered to a partner since a time (and before another), without our acknowledgements."""
    where = [files.c.direction == "out", files.c.state == "delivered", files.c.resend_of.is_(None), files.c.settled_at >= database.instant(since)]
    where += [files.c.settled_at < database.instant(until)] if until else []
    with_ra = select(file_documents.c.file_id).where(file_documents.c.ra.is_not(None))
    return list_files(connection, *where, files.c.id.in_(with_ra), *([files.c.partner == partner] if partner else []))


def received_between(connection: Connection, *, partner: str | None, start: datetime | None, end: datetime | None) -> list[int]:
    """The numbers of kept files that came from a partner (any: None) in a period."""
    where = [files.c.direction == "in", files.c.state == "shelved"]
    where += [files.c.partner == partner] if partner else []
    where += [files.c.arrived_at >= database.instant(start)] if start else []
    where += [files.c.arrived_at < database.instant(end)] if end else []
    return [int(r[0]) for r in connection.execute(select(files.c.id).where(*where).order_by(files.c.id))]


def last_file(connection: Connection) -> int:
    """The newest file's number; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(files.c.id), 0))).scalar_one())


def unfinished(connection: Connection) -> list[File]:
    """Files taken in or made, but not yet handled to the end."""
    return list_files(connection, files.c.state.in_(["taken", "pending", "staged"]))


def count_taken(connection: Connection, *, partner: str) -> int:
    """How many files of a partner are taken and not handled yet."""
    where = (files.c.state == "taken", files.c.partner == partner)
    return connection.execute(select(func.count()).select_from(files).where(*where)).scalar_one()


def sent_as(connection: Connection, *, partner: str, name: str, folder: str) -> list[File]:
    """Files of ours that lie in a partner's outbox under a name, not delivered yet."""
    where = (files.c.direction == "out", files.c.partner == partner, files.c.name == name, files.c.folder == folder)
    return list_files(connection, *where, files.c.state.in_(["staged", "placed"]))


def add_document(connection: Connection, **fields: Any) -> int:
    """Write one document of a file."""
    made = database.insert_new(connection, file_documents, fields)
    return int(made or 0)


def documents_of(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Documents that meet the criteria, with the name of their file."""
    statement = (
        select(file_documents, files.c.name.label("file_name"), files.c.state.label("delivery"), files.c.settled_at.label("delivered_at"))
        .join(files, files.c.id == file_documents.c.file_id)
        .where(*criteria)
        .order_by(file_documents.c.id)
    )
    return database.rows(connection, statement)


def sent_in(connection: Connection, file_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """The documents in each of several files."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in documents_of(connection, file_documents.c.file_id.in_(file_ids)):
        found.setdefault(row["file_id"], []).append(row)
    return found


def documents_in(connection: Connection, file_id: int) -> list[dict[str, Any]]:
    """The documents of one file."""
    return documents_of(connection, file_documents.c.file_id == file_id)


def sent_documents(connection: Connection, *, partner: str, group_control: str) -> list[dict[str, Any]]:
    """The documents we sent to a partner under a group control number (compared as a number: `1` is `0001`)."""
    wanted = group_control.lstrip("0") or "0"
    return documents_of(
        connection,
        file_documents.c.direction == "out",
        file_documents.c.partner == partner,
        file_documents.c.group_control == wanted,
        files.c.resend_of.is_(None),
    )


def documents_under(connection: Connection, *, partner: str, control: str) -> list[dict[str, Any]]:
    """The RAs' documents we sent to a partner in the interchange of this control number."""
    where = (file_documents.c.direction == "out", file_documents.c.partner == partner, file_documents.c.ra.is_not(None))
    return documents_of(connection, *where, files.c.control == control, files.c.resend_of.is_(None))


def documents_for(connection: Connection, ra: str) -> list[dict[str, Any]]:
    """The documents sent for an RA."""
    return documents_of(connection, file_documents.c.direction == "out", file_documents.c.ra == ra)


def sent_documents_all(connection: Connection) -> list[dict[str, Any]]:
    """Every document sent for an RA."""
    return documents_of(connection, file_documents.c.direction == "out", file_documents.c.ra.is_not(None))


def test_documents(connection: Connection, *, partner: str) -> list[dict[str, Any]]:
    """The documents of RAs that a partner got in testing."""
    tried = (files.c.folder == "test") & (file_documents.c.partner == partner) & (file_documents.c.direction == "out")
    return documents_of(connection, tried, file_documents.c.ra.is_not(None))


def retire_test_documents(connection: Connection, *, partner: str) -> None:
    """Let what was sent in testing not count as sent any more."""
    tried = select(files.c.id).where(files.c.folder == "test", files.c.partner == partner, files.c.direction == "out")
    named = file_documents.c.document
    wanted = update(file_documents).where(file_documents.c.file_id.in_(tried), named.not_like("test %"), file_documents.c.ra.is_not(None))
    connection.execute(wanted.values(document="test " + named, acknowledgement="not expected"))


def change_document(connection: Connection, document_id: int, **values: Any) -> None:
    """Write what became of a document."""
    plain = {name: database.instant(value) if isinstance(value, datetime) else value for name, value in values.items()}
    connection.execute(update(file_documents).where(file_documents.c.id == document_id).values(**plain))


def overdue_documents(connection: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Documents whose acknowledgement is overdue."""
    late = file_documents.c.expected_by <= database.instant(now)
    return documents_of(connection, late, file_documents.c.acknowledgement == "awaiting")


def next_control(connection: Connection, *, partner: str, kind: str, first: int) -> int:
    """Take the next control number, in the caller's transaction: without gap when it commits, without trace when it does not (R-065)."""
    return database.count_on(connection, control_numbers, {"partner": partner, "kind": kind, "last": first})


def next_controls(connection: Connection, *, partner: str, kinds: Sequence[str], first: int) -> dict[str, int]:
    """The same for several kinds at once."""
    return database.count_all_on(connection, control_numbers, [{"partner": partner, "kind": kind, "last": first} for kind in kinds], by="kind")


def count_wanting(connection: Connection) -> dict[str, int]:
    """How many files by direction and outcome, without those that are done with (applied, duplicate, delivered), which are most."""
    wanting = files.c.outcome.in_(WANTING)
    statement = select(files.c.direction, files.c.outcome, func.count()).where(files.c.direction.in_(["in", "out"]), wanting)
    return {f"{way}.{outcome or 'open'}": n for way, outcome, n in connection.execute(statement.group_by(files.c.direction, files.c.outcome))}


def count_by_outcome(connection: Connection) -> dict[str, int]:
    """How many files by direction and outcome."""
    statement = select(files.c.direction, files.c.outcome, func.count()).group_by(files.c.direction, files.c.outcome)
    return {f"{direction}.{outcome or 'open'}": count for direction, outcome, count in connection.execute(statement)}
