"""Goods and credits that do not meet, and exchange orders that are not settled: the one source of pages, reports and the tie-out (effort targets of finance).

Which returns are looked at is the caller's choice; units are then added up for some hundred returns a statement. Values are what the shopper paid, tax
included. What the shopper keeps by agreement is credited and never comes: it is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import money
from gateway.domain.documents import ZERO, Return
from gateway.domain.lifecycle import RaState as S
from gateway.store import ledger, overview, tallies

Rows = list[dict[str, Any]]
LIMIT = 100
CAME_NOT_CREDITED = (S.PARTLY_RECEIVED, S.RECEIVED, S.PROCESS_REQUESTED, S.FLAGGED, S.PROCESSED)


def credited_within(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Units that refunds of the period credit beyond what came, and goods that refunds took back without a return."""
    refunds = tallies.refunds_between(connection, start, end)
    numbers = sorted({row["rma"] for row in refunds if row["rma"]})
    return credited_not_received(connection, numbers) + list(_without_return(connection, refunds))


def received_within(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Units of RAs made in the period that came and that no refund credits."""
    lines = tallies.lines_expected(connection, start, end)
    return received_not_credited(connection, sorted({row["rma"] for row in lines if row["good"] + row["second"]}))


def credited_alone(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Goods that refunds of the period took back without a return."""
    return list(_without_return(connection, tallies.refunds_between(connection, start, end)))


def credited_now(connection: Connection) -> Rows:
    """The same of RAs that are short and are credited already, some hundred at most."""
    numbers = overview.credited_beyond_receipts(connection, limit=LIMIT)
    return credited_not_received(connection, numbers) + list(_without_return(connection, ledger.refunds_of_return(connection, "")))


def received_now(connection: Connection) -> Rows:
    """The same of RAs that wait for their credit, longest first, some hundred at most."""
    numbers = overview.came_without_credit(connection, states=CAME_NOT_CREDITED, limit=LIMIT)
    return sorted(received_not_credited(connection, numbers), key=lambda row: (row["since"], row["rma"]))


def credited_not_received(connection: Connection, numbers: Iterable[str]) -> Rows:
    """By return and SKU the units credited beyond what came."""
    return [row for part in _parts(numbers) for row in _beyond_receipts(connection, part)]


def received_not_credited(connection: Connection, numbers: Iterable[str]) -> Rows:
    """By return and SKU the units that came beyond what is credited, with the state of the RA."""
    return [row for part in _parts(numbers) for row in _beyond_credits(connection, part)]


def open_orders(connection: Connection, start: datetime | None, end: datetime | None) -> Rows:
    """Exchange orders imported in the period whose A/R is not zero; normally none."""
    names = ("order_id", "name", "rma", "original_order", "currency")
    amounts = ("merchandise", "tax", "shipping", "misc_charge", "discount", "collected", "ar")
    return [
        {name: row[name] for name in names} | {name: Decimal(row[name]) for name in amounts}
        for row in tallies.orders_between(connection, start, end)
        if Decimal(row["ar"])
    ]


def _parts(numbers: Iterable[str], size: int = 500) -> Iterator[list[str]]:
    known = list(numbers)
    return (known[at : at + size] for at in range(0, len(known), size))


def _beyond_receipts(connection: Connection, numbers: list[str]) -> Iterator[dict[str, Any]]:
    credited, received = tallies.units_credited(connection, numbers), tallies.units_received(connection, numbers)
    beyond = [rma for rma in numbers if any(units > _come(received, rma, sku) for sku, (units, _) in credited.get(rma, {}).items())]
    for held in tallies.returns_numbered(connection, beyond):
        rma = held.document
        for sku, (units, value) in sorted(credited[rma.rma].items()):
            kept = max(sum(unit.sku == sku for unit in rma.units) - received.get(rma.rma, {}).get(sku, {"expected": 0})["expected"], 0)
            come = _come(received, rma.rma, sku)
            if units - kept > come:
                found = _row(rma, sku, units=units - kept - come, each=value / units, why=f"{units} credited, {come} received")
                yield found | {"credited": units, "received": come}


def _beyond_credits(connection: Connection, numbers: list[str]) -> Iterator[dict[str, Any]]:
    credited, received = tallies.units_credited(connection, numbers), tallies.units_received(connection, numbers)
    open_units = {
        (rma, sku): _come(received, rma, sku) - credited.get(rma, {}).get(sku, (0, ZERO))[0] for rma, lines in received.items() for sku in lines
    }
    wanted = sorted({rma for (rma, _), units in open_units.items() if units > 0})
    about = tallies.standing_of(connection, wanted)
    for held in tallies.returns_numbered(connection, wanted):
        rma = held.document
        worth = {unit.sku: unit.value for unit in rma.units}
        for sku in sorted(received[rma.rma]):
            units, come = open_units[rma.rma, sku], _come(received, rma.rma, sku)
            if units > 0:
                found = _row(rma, sku, units=units, each=worth.get(sku, ZERO), why=f"{come} received, {rma.state} in Loop")
                yield found | {"credited": come - units, "received": come} | about[rma.rma]


def _come(received: dict[str, dict[str, dict[str, int]]], rma: str, sku: str) -> int:
    line = received.get(rma, {}).get(sku, {"good": 0, "second": 0})
    return line["good"] + line["second"]


def _row(rma: Return, sku: str, *, units: int, each: Decimal, why: str) -> dict[str, Any]:
    value = money.rounded(each * units, rma.currency)
    return {
        "rma": rma.rma,
        "order": rma.order_name,
        "refund_id": "",
        "sku": sku,
        "units": units,
        "value": value,
        "currency": rma.currency,
        "why": why,
    }


def _without_return(connection: Connection, refunds: Rows) -> Iterator[dict[str, Any]]:
    """Refunds made in Shopify that put goods back without any return."""
    for refund in refunds:
        if refund["rma"] or refund["status"] != "imported":
            continue
        for line in ledger.lines_of_refund(connection, refund["refund_id"]):
            if line["imported"] and line["restock_type"] == "RETURN" and line["goods"] == "merchandise":
                yield {
                    "rma": "",
                    "order": refund["order_name"],
                    "refund_id": refund["refund_id"],
                    "sku": line["sku"],
                    "units": line["imported"],
                    "value": money.rounded(Decimal(line["merchandise"]) + Decimal(line["tax"]), refund["currency"]),
                    "currency": refund["currency"],
                    "why": "refunded in Shopify without a return",
                    "credited": line["imported"],
                    "received": 0,
                }
