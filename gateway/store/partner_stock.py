"""What partners say they have in stock, one row a count; it is compared with the ledger and never posted to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from gateway.domain.documents import StockReport
from gateway.store import database
from gateway.store.schema import partner_stock


def add(connection: Connection, report: StockReport, *, file_id: int) -> int:
    """Keep a report; how many counts it has. One of this number and day that was kept before is not kept again."""
    where = (
        partner_stock.c.partner == report.partner,
        partner_stock.c.kind == report.kind,
        partner_stock.c.number == report.number,
        partner_stock.c.reported_on == str(report.reported_on),
    )
    if connection.execute(select(partner_stock.c.id).where(*where).limit(1)).first():
        return 0
    facts = {"file_id": file_id, "partner": report.partner, "kind": report.kind, "number": report.number, "warehouse": report.warehouse}
    rows = [
        facts
        | {"reported_on": str(report.reported_on), "stated": line.stated, "sku": line.sku, "quality": line.quality}
        | {"quantity": line.quantity, "reason": line.reason, "position": line.position}
        for line in report.lines
    ]
    if rows:
        connection.execute(insert(partner_stock), rows)
    return len(rows)


def list_counts(connection: Connection, *, partner: str, kind: str = "snapshot") -> list[dict[str, Any]]:
    """The counts of a partner, oldest report first."""
    where = (partner_stock.c.partner == partner, partner_stock.c.kind == kind)
    return database.rows(connection, select(partner_stock).where(*where).order_by(partner_stock.c.reported_on, partner_stock.c.id))
