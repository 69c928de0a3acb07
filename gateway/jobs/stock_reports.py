"""A partner's stock report (846, 947, INVRPT) kept for comparison; nothing is booked from it."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.edi.edifact import Message
from gateway.edi.syntax import Finding
from gateway.edi.x12 import TransactionSet
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading
from gateway.mapping import snapshots
from gateway.mapping.inbound_parts import ReceiptFault
from gateway.store import events, partner_stock


def take(ctx: Context, connection: Connection, reading: Reading, document: TransactionSet | Message) -> list[Finding]:
    """Keep a report; the findings that kept it from being read."""
    found = snapshots.to_snapshot(document, profile=reading.profile, catalogue=ctx.places.catalogue)
    if isinstance(found, ReceiptFault):
        reading.problems.append(Problem.of(found.finding, "stock report"))
        return [found.finding]
    count = partner_stock.add(connection, found, file_id=reading.file.id)
    text = (
        f"stock {found.kind} {found.number} of {found.reported_on}: {count} counts kept"
        if count
        else f"stock {found.kind} {found.number} was kept before"
    )
    reading.applied += 1
    reading.remarks.append(text)
    events.note(connection, "stock.reported", text, at=ctx.now(), file_id=reading.file.id, partner=reading.profile.partner)
    return []
