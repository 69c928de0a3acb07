"""What partners say they have in stock, one row a count; it is compared with the ledger and never posted to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from gateway.domain.counting import Difference
from gateway.domain.documents import StockReport
from gateway.store import database
from gateway.store.schema import partner_stock, stock_comparisons, stock_differences


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


def uncompared(connection: Connection) -> list[list[dict[str, Any]]]:
    """The counts of each report and warehouse that was not compared yet, oldest report first."""
    key = ("partner", "kind", "number", "reported_on", "warehouse")
    done = [partner_stock.c[name] == stock_comparisons.c[name] for name in key]
    statement = select(partner_stock).where(~select(stock_comparisons.c.id).where(*done).exists())
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in database.rows(connection, statement.order_by(partner_stock.c.reported_on, partner_stock.c.id)):
        found.setdefault(tuple(row[name] for name in key), []).append(row)
    return list(found.values())


def save_comparison(
    connection: Connection, counts: list[dict[str, Any]], differences: list[Difference], *, remarks: list[str], at: datetime
) -> int | None:
    """Write what a comparison came to; None when it was made before."""
    head = {name: counts[0][name] for name in ("partner", "kind", "number", "reported_on", "warehouse")}
    row = head | {"counts": len(counts), "differences": len(differences), "remarks": database.pack(remarks), "compared_at": database.instant(at)}
    number = database.insert_new(connection, stock_comparisons, row)
    names = ("warehouse", "sku", "ours", "theirs", "position")
    if number is not None and differences:
        connection.execute(insert(stock_differences), [{name: getattr(d, name) for name in names} | {"comparison_id": number} for d in differences])
    return number


def list_differences(connection: Connection, *, comparison_id: int | None = None) -> list[dict[str, Any]]:
    """The differences of a comparison, or all, each with its report."""
    joined = select(
        stock_differences, stock_comparisons.c.partner, stock_comparisons.c.kind, stock_comparisons.c.number, stock_comparisons.c.reported_on
    ).join(stock_comparisons, stock_comparisons.c.id == stock_differences.c.comparison_id)
    if comparison_id is not None:
        joined = joined.where(stock_differences.c.comparison_id == comparison_id)
    return database.rows(connection, joined.order_by(stock_differences.c.id))
