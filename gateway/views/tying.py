"""The month-end tie-out: what Loop, the partners' receipts, Shopify's refunds, our credits and our stock say of the same goods (requirements R-159, A-123).

Five sides, each read from its own rows. A period takes the returns whose credit was made in it. Every difference is a sentence that names its return.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain.documents import ZERO, Return
from gateway.store import database, ledger, tallies


@dataclass(frozen=True, slots=True, kw_only=True)
class TieOut:
    """A tie-out: amounts by currency and name, units by name, every difference in words."""

    start: datetime | None
    end: datetime | None
    amounts: dict[str, dict[str, Decimal]]
    units: dict[str, int]
    rows: list[dict[str, Any]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def tie_out(connection: Connection, *, start: datetime | None = None, end: datetime | None = None) -> TieOut:
    """Tie out the credits made in a period (from `start`, before `end`)."""
    amounts: dict[str, dict[str, Decimal]] = {}
    invoices = tallies.invoices_between(connection, start, end)
    refunds = {row["refund_id"]: row for row in tallies.refunds_between(connection, start, end)}
    for invoice in invoices:
        money = amounts.setdefault(invoice["currency"], {})
        _add(money, "credits", Decimal(invoice["total"]))
        for settlement in ledger.settlements(invoice):
            _add(money, settlement.kind, settlement.amount)
    for refund in refunds.values():
        _add(amounts.setdefault(refund["currency"], {}), "refunds imported", Decimal(refund["credit"]))
    numbers = sorted({row["rma"] for row in invoices if row["rma"]})
    rows = [row for part in _parts(numbers) for row in _returns(connection, part)]
    units = Counter[str]()
    for row in rows:
        units.update({name: row[name] for name in ("good", "second", "not returned")})
    differences = [*(text for _, text in _refund_differences(invoices, refunds)), *(text for row in rows for text in _differences(row))]
    return TieOut(start=start, end=end, amounts=amounts, units=dict(units), rows=rows, differences=differences)


def find_differences(connection: Connection, rmas: Iterable[str]) -> dict[str, list[str]]:
    """The differences of returns that were credited or refunded, by RMA; under "" those of refunds that belong to no return."""
    found: dict[str, list[str]] = {}
    for part in _parts(sorted(rmas)):
        invoices = tallies.invoices_of(connection, part)
        credited = sorted({row["rma"] for row in invoices})
        for row in _returns(connection, credited):
            found.setdefault(row["rma"], []).extend(_differences(row))
        refunds = {row["refund_id"]: row for row in tallies.refunds_of(connection, part)}
        for rma, text in _refund_differences(invoices, refunds):
            found.setdefault(rma, []).append(text)
    for rma, text in _refund_differences(*tallies.unowned_mismatches(connection)):
        found.setdefault(rma, []).append(text)
    return {rma: texts for rma, texts in found.items() if texts}


def _add(money: dict[str, Decimal], name: str, amount: Decimal) -> None:
    money[name] = money.get(name, ZERO) + amount


def _parts(numbers: list[str], size: int = 500) -> Iterable[list[str]]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))


def _returns(connection: Connection, numbers: list[str]) -> list[dict[str, Any]]:
    """One row a return: what each side says."""
    documents = {held.document.rma: held.document for held in tallies.returns_numbered(connection, numbers)}
    received = tallies.units_received(connection, numbers)
    posted = tallies.units_posted(connection, numbers)
    restocked = tallies.units_restocked(connection, numbers)
    credits_of: dict[str, list[dict[str, Any]]] = {}
    for row in tallies.invoices_of(connection, numbers):
        credits_of.setdefault(row["rma"], []).append(row)
    cash_of = tallies.cash_refunded(connection, numbers)
    orders = tallies.open_orders(connection, numbers)
    found = []
    for rma in numbers:
        document, made = documents.get(rma), credits_of.get(rma, [])
        settled = Counter[str]()
        for invoice in made:
            for one in json.loads(invoice["settlements"]):
                settled[one["kind"]] += Decimal(one["amount"])  # type: ignore[assignment]  # a sum of decimals
        lines = received.get(rma, {})
        found.append(
            {
                "rma": rma,
                "order": document.order_name if document else "",
                "currency": made[0]["currency"] if made else "",
                "loop": _loop_value(document),
                "credit": sum((Decimal(row["total"]) for row in made), ZERO),
                "settled": {kind: Decimal(amount) for kind, amount in settled.items()},
                "refunded": cash_of.get(rma, ZERO),
                "good": sum(line["good"] for line in lines.values()),
                "second": sum(line["second"] for line in lines.values()),
                "not returned": sum(line["not_returned"] for line in lines.values()),
                "received": {sku: line["good"] + line["second"] for sku, line in lines.items()},
                "posted": posted.get(rma, {}),
                "restocked": restocked.get(rma, {}),
                "ar": orders.get(rma, ZERO),
            }
        )
    return found


def _loop_value(document: Return | None) -> Decimal | None:
    """What Loop says was given back for a return: refund, gift card, exchange and fee; None when it is not in the book."""
    if document is None:
        return None
    return document.refund + document.gift_card + document.exchange_credit + document.handling_fee


def _refund_differences(invoices: list[dict[str, Any]], refunds: dict[str, dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """Refunds and their invoices that disagree: the RMA, and how."""
    by_refund = {row["refund_id"]: row for row in invoices}
    for refund_id, refund in refunds.items():
        credit = Decimal(refund["credit"])
        made = Decimal(by_refund[refund_id]["total"]) if refund_id in by_refund else ZERO
        if refund_id in by_refund and credit != made:
            yield refund["rma"] or "", f"RMA {refund['rma'] or 'none'}: refund {refund_id} credits {credit}, its invoice {made}"
        if credit and refund_id not in by_refund:
            yield refund["rma"] or "", f"RMA {refund['rma'] or 'none'}: refund {refund_id} credits {credit} and has no invoice"


def _differences(row: dict[str, Any]) -> Iterable[str]:
    """Where two sides of a return disagree."""
    rma, settled = row["rma"], sum(row["settled"].values(), ZERO)
    if settled != row["credit"]:
        yield f"RMA {rma}: credited {row['credit']}, settled {settled}: {row['credit'] - settled} not accounted for"
    if row["settled"].get("unexplained"):
        yield f"RMA {rma}: {row['settled']['unexplained']} of the credit is settled by nothing that is known"
    for sku in sorted(row["posted"].keys() | row["restocked"].keys()):
        posted, received = row["posted"].get(sku, 0), row["received"].get(sku, 0)
        least, most = row["restocked"].get(sku, (0, 0))
        if not least <= posted <= most:
            yield f"RMA {rma}: {sku} {posted} posted to stock, {least if posted < least else most} credited by refunds"
        if row["received"] and posted > received:
            yield f"RMA {rma}: {sku} {posted} posted to stock, {received} received"
    if row["loop"] is not None and row["loop"] != row["credit"]:
        yield f"RMA {rma}: Loop gives {row['loop']} for the goods, credited {row['credit']}"
    if row["ar"]:
        yield f"RMA {rma}: its exchange order has an open A/R of {row['ar']}"


def plain(found: TieOut) -> dict[str, Any]:
    """A tie-out as a record: money as text with two places."""
    names = ("loop", "credit", "refunded")
    return {
        "from": database.instant(found.start) if found.start else None,
        "to": database.instant(found.end) if found.end else None,
        "amounts": {currency: {name: f"{amount:.2f}" for name, amount in money.items()} for currency, money in found.amounts.items()},
        "units": found.units,
        "differences": found.differences,
        "returns": [
            {name: row[name] for name in ("rma", "order", "currency", "good", "second", "not returned")}
            | {name: f"{row[name]:.2f}" if row[name] is not None else None for name in names}
            for row in found.rows
        ],
    }
