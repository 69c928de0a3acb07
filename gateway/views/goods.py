"""Goods and credits that do not meet: credited and not received, received and not credited (requirements, effort targets of finance)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.store import tallies

Rows = list[dict[str, Any]]


def credited_not_received(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Units that a refund of the period credits beyond what came back, by return and SKU."""
    numbers = sorted({row["rma"] for row in tallies.refunds_between(connection, start, end) if row["rma"]})
    return [
        {"rma": rma, "sku": sku, "credited": credited, "received": received, "units": credited - received}
        for rma, sku, credited, received in _pairs(connection, numbers)
        if credited > received
    ]


def received_not_credited(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Units of RAs made in the period that came back and no refund credits, with the state of their RA."""
    lines = [row for row in tallies.lines_expected(connection, start, end) if row["good"] + row["second"]]
    about = {row["rma"]: row for row in lines}
    return [
        {"rma": rma, "sku": sku, "received": received, "credited": credited, "units": received - credited}
        | {"state": about[rma]["state"], "partner": about[rma]["partner"], "since": about[rma]["first_receipt_at"]}
        for rma, sku, credited, received in _pairs(connection, sorted(about))
        if received > credited
    ]


def open_orders(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Exchange orders imported in the period whose A/R is not zero; normally none."""
    names = ("order_id", "name", "rma", "original_order", "currency")
    money = ("merchandise", "tax", "shipping", "misc_charge", "discount", "collected", "ar")
    return [
        {name: row[name] for name in names} | {name: Decimal(row[name]) for name in money}
        for row in tallies.orders_between(connection, start, end)
        if Decimal(row["ar"])
    ]


def _pairs(connection: Connection, numbers: list[str], size: int = 500) -> Iterable[tuple[str, str, int, int]]:
    """Return, SKU, units credited, units received."""
    for at in range(0, len(numbers), size):
        part = numbers[at : at + size]
        credited, received = tallies.units_restocked(connection, part), tallies.units_received(connection, part)
        for rma in part:
            for sku in sorted(credited.get(rma, {}).keys() | received.get(rma, {}).keys()):
                line = received.get(rma, {}).get(sku, {"good": 0, "second": 0})
                yield rma, sku, credited.get(rma, {}).get(sku, (0, 0))[1], line["good"] + line["second"]
