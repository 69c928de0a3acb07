"""Receipts as rows: what a partner said had come, whichever RA it counts for.

As with returns, what is loaded in a writing transaction decides there; a receipt is written once, by its partner, number and content.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.domain.documents import Receipt
from gateway.store import database, documents
from gateway.store.schema import IS_WAITING, authorizations, receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReceipt:
    """A receipt as the book holds it."""

    id: int
    document: Receipt
    ra: str | None
    state: str
    reason: str
    file_id: int | None
    arrived_at: datetime | None = None


def last_receipt(connection: Connection) -> int:
    """The newest receipt's number; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(receipts.c.id), 0))).scalar_one())


def receipts_after(connection: Connection, receipt_id: int) -> list[HeldReceipt]:
    """The receipts written after one, in order."""
    return list_receipts(connection, receipts.c.id > receipt_id)


def receipts_in(connection: Connection, file_id: int, *, limit: int | None = None) -> list[HeldReceipt]:
    """The receipts that came in a file, at most the first so many."""
    return list_receipts(connection, receipts.c.file_id == file_id, limit=limit)


def has_receipts(connection: Connection, file_id: int) -> bool:
    """Whether a receipt came in a file."""
    return connection.execute(select(receipts.c.id).where(receipts.c.file_id == file_id).limit(1)).first() is not None


def row_of(  # noqa: PLR0913 - the columns that a receipt alone does not give
    receipt: Receipt, *, content_key: str, ra: str | None, state: str, reason: str, file_id: int | None, at: datetime
) -> dict[str, Any]:
    """A receipt as it is written."""
    return {
        "partner": receipt.partner,
        "receipt_no": receipt.receipt_no,
        "content_key": content_key,
        "ra": ra,
        "ra_reference": receipt.ra_reference,
        "state": state,
        "reason": reason,
        "file_id": file_id,
        "document": documents.dump(receipt),
        "received_on": receipt.received_on.isoformat(),
        "arrived_at": database.instant(at),
    }


def add_receipt(connection: Connection, receipt: Receipt, **fields: Any) -> int | None:
    """Write a receipt (the fields of `row_of`); None when the same receipt (partner, number, lines) is there already (R-075)."""
    return database.insert_new(connection, receipts, row_of(receipt, **fields))


def add_receipts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Write several of a partner at once; the content keys of those that were not there already."""
    return {row.content_key for row in database.insert_all_new(connection, receipts, rows, returning=("content_key",))}


def _held_receipt(row: dict[str, Any]) -> HeldReceipt:
    return HeldReceipt(
        id=row["id"],
        document=documents.load(Receipt, row["document"]),
        ra=row["ra"],
        state=row["state"],
        reason=row["reason"],
        file_id=row["file_id"],
        arrived_at=database.moment(row["arrived_at"]) if row["arrived_at"] else None,
    )


def list_receipts(connection: Connection, *criteria: Any, limit: int | None = None) -> list[HeldReceipt]:
    """Receipts that meet the criteria, in order of arrival, at most the first so many."""
    return [_held_receipt(row) for row in database.rows(connection, select(receipts).where(*criteria).order_by(receipts.c.id).limit(limit))]


COUNTING = select(receipts).where(receipts.c.ra == bindparam("ra"), receipts.c.state == "applied").order_by(receipts.c.id)


def receipts_of(connection: Connection, ra: str) -> list[HeldReceipt]:
    """The receipts that count for an RA."""
    return [_held_receipt(dict(row)) for row in connection.execute(COUNTING, {"ra": ra}).mappings()]


def test_receipts_of(connection: Connection, ra: str) -> list[HeldReceipt]:
    """The receipts that were tried on an RA while its partner was in testing."""
    return list_receipts(connection, receipts.c.ra == ra, receipts.c.state == "test")


def applied_receipts(connection: Connection, *, start: datetime | None = None, end: datetime | None = None) -> list[HeldReceipt]:
    """The receipts that count, all or those that arrived within a time."""
    return list_receipts(connection, receipts.c.state == "applied", *database.within(receipts.c.arrived_at, start, end))


def receipts_of_return(connection: Connection, rma: str) -> list[HeldReceipt]:
    """Every receipt that names an RA of a return, whether it counts or not."""
    own = select(authorizations.c.ra).where(authorizations.c.rma == rma)
    return list_receipts(connection, receipts.c.ra.in_(own))


NUMBERED = (
    select(receipts).where(receipts.c.partner == bindparam("partner"), receipts.c.receipt_no == bindparam("receipt_no")).order_by(receipts.c.id)
)


NUMBERED_ANY = (
    select(receipts)
    .where(receipts.c.partner == bindparam("partner"), receipts.c.receipt_no.in_(bindparam("numbers", expanding=True)))
    .order_by(receipts.c.id)
)


def receipts_numbered(connection: Connection, *, partner: str, receipt_no: str) -> list[HeldReceipt]:
    """Every receipt of a partner with this number."""
    found = connection.execute(NUMBERED, {"partner": partner, "receipt_no": receipt_no}).mappings()
    return [_held_receipt(dict(row)) for row in found]


def receipts_numbered_any(connection: Connection, *, partner: str, numbers: Collection[str]) -> dict[str, list[HeldReceipt]]:
    """The same for several numbers at once; those of each that has any."""
    found: dict[str, list[HeldReceipt]] = {}
    for row in connection.execute(NUMBERED_ANY, {"partner": partner, "numbers": list(numbers)}).mappings():
        found.setdefault(row["receipt_no"], []).append(_held_receipt(dict(row)))
    return found


def waiting_receipts(connection: Connection, *, naming: str) -> list[HeldReceipt]:
    """Receipts whose RA is not known yet and that mention a number."""
    mentions = func.upper(receipts.c.document).contains(naming.upper(), autoescape=True)
    return list_receipts(connection, IS_WAITING, mentions)


def overdue_receipts(connection: Connection, *, partner: str, before: datetime, limit: int) -> list[HeldReceipt]:
    """A partner's receipts that have waited for their RA since before an instant, longest first."""
    late = (receipts.c.state == "waiting", receipts.c.partner == partner, receipts.c.arrived_at <= database.instant(before))
    found = connection.execute(select(receipts).where(*late).order_by(receipts.c.id).limit(limit)).mappings()
    return [_held_receipt(dict(row)) for row in found]


def live_receipts(connection: Connection, *, partner: str) -> list[HeldReceipt]:
    """A partner's receipts that count or may count."""
    return list_receipts(connection, receipts.c.partner == partner, receipts.c.state.in_(["applied", "waiting", "unmatched"]))


def load_receipt(connection: Connection, receipt_id: int) -> HeldReceipt | None:
    """A receipt by its number in the book."""
    found = list_receipts(connection, receipts.c.id == receipt_id)
    return found[0] if found else None


def set_receipt(
    connection: Connection, receipt_id: int, *, state: str, reason: str = "", ra: str | None = None, document: Receipt | None = None
) -> None:
    """Change what is known about a receipt's match."""
    values: dict[str, Any] = {"state": state, "reason": reason}
    if ra is not None:
        values["ra"] = ra
    if document is not None:
        values["document"] = documents.dump(document)
    connection.execute(update(receipts).where(receipts.c.id == receipt_id).values(**values))


def unmatch_receipt(connection: Connection, receipt_id: int, *, reason: str) -> None:
    """Take a receipt off its RA; it waits for a person again."""
    connection.execute(update(receipts).where(receipts.c.id == receipt_id).values(state="unmatched", ra=None, reason=reason))
