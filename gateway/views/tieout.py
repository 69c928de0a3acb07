"""The month-end tie-out: Loop, partner receipts, Shopify refunds, credit invoices, stock and exchange orders of a period, with every difference (R-159).

Everything is counted by the day it entered the book, amounts currency by currency. `differences` are words with the return they belong to; an empty list
says that the period ties out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import money
from gateway.domain.documents import ZERO
from gateway.store import database, ledger, received, returns
from gateway.views import conservation, goods


def period(connection: Connection, *, start: datetime, end: datetime, most_bonus: Decimal = ZERO) -> dict[str, Any]:
    """The tie-out of [start, end)."""
    proof = conservation.report(connection, start=start, end=end, most_bonus=most_bonus)
    found = {
        "from": database.instant(start),
        "to": database.instant(end),
        "loop": loop(connection, start, end),
        "receipts": receipts(connection, start, end),
        "refunds": refunds(connection, start, end),
        "credits": credits_(connection, start, end),
        "stock": stock(connection, start, end),
        "orders": orders(connection, start, end),
    }
    return found | {"differences": list(differences(connection, start, end, proof))}


def loop(connection: Connection, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    """The returns that Loop closed: how many, what their goods were worth, and what was given for them."""
    found: dict[str, dict[str, Any]] = {}
    names = ("return_total", "refund", "gift_card", "exchange_total", "handling_fee", "upsell")
    for held in returns.closed_returns(connection, start=start, end=end):
        mine = found.setdefault(held.document.currency, {"returns": 0} | dict.fromkeys(names, ZERO))
        mine["returns"] += 1
        for name in names:
            mine[name] += getattr(held.document, name)
    return {currency: {"returns": row["returns"]} | _texts(row, names, currency) for currency, row in found.items()}


def _texts(row: dict[str, Any], names: Iterable[str], currency: str) -> dict[str, str]:
    return {name: money.text(row[name], currency) for name in names}


def receipts(connection: Connection, start: datetime, end: datetime) -> dict[str, int]:
    """Units that partners reported, and units given up by closing their return."""
    arrived = received.applied_receipts(connection, start=start, end=end)
    lines = [line for held in arrived for line in held.document.lines]
    closed = [held.document.rma for held in returns.closed_returns(connection, start=start, end=end)]
    rows = [row for rma in closed for ra in returns.authorizations_of(connection, rma) for row in returns.lines_of(connection, ra.document.ra)]
    return {
        "receipts": len(arrived),
        "good": sum(line.good for line in lines),
        "second": sum(line.second for line in lines),
        "not_returned": sum(row["not_returned"] for row in rows),
        "over": sum(row["over"] for row in rows),
    }


def refunds(connection: Connection, start: datetime, end: datetime) -> dict[str, int]:
    """Shopify's refunds by what became of them."""
    found = {"imported": 0, "skipped": 0, "held": 0}
    for row in ledger.refunds_within(connection, start, end):
        found[row["status"]] = found.get(row["status"], 0) + 1
    return found


def credits_(connection: Connection, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    """Credit invoices by currency: how many, their parts and total, and how they are settled by now."""
    found: dict[str, dict[str, Any]] = {}
    names = ("merchandise", "tax", "shipping", "duties", "adjustment", "total")
    for row in ledger.invoices_within(connection, start, end):
        mine = found.setdefault(row["currency"], {"invoices": 0, "settled": {}} | dict.fromkeys(names, ZERO))
        mine["invoices"] += 1
        for name in names:
            mine[name] += Decimal(row[name])
        for kind, amount in ledger.split(connection, row).items():
            mine["settled"][kind] = mine["settled"].get(kind, ZERO) + amount
    return {
        currency: {"invoices": row["invoices"], "settled": _texts(row["settled"], sorted(row["settled"]), currency)} | _texts(row, names, currency)
        for currency, row in found.items()
    }


def stock(connection: Connection, start: datetime, end: datetime) -> dict[str, dict[str, int]]:
    """Units moved by cause and warehouse."""
    found: dict[str, dict[str, int]] = {}
    for row in ledger.movements_within(connection, start, end):
        if row["cause"] != "opening":
            mine = found.setdefault(row["cause"], {})
            mine[row["warehouse"]] = mine.get(row["warehouse"], 0) + row["quantity"]
    return found


def orders(connection: Connection, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    """Exchange orders by currency."""
    found: dict[str, dict[str, Any]] = {}
    names = ("merchandise", "tax", "misc_charge", "discount", "collected", "ar")
    for row in ledger.orders_within(connection, start, end):
        mine = found.setdefault(row["currency"], {"orders": 0} | dict.fromkeys(names, ZERO))
        mine["orders"] += 1
        for name in names:
            mine[name] += Decimal(row[name])
    return {currency: {"orders": row["orders"]} | _texts(row, names, currency) for currency, row in found.items()}


def differences(connection: Connection, start: datetime, end: datetime, proof: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Everything of the period that does not tie out, in words."""
    yield from ({"kind": f"broken: {row['identity']}", "rma": row["rma"], "text": row["text"]} for row in proof["broken"])
    yield from ({"kind": "money exception", "rma": row["rma"], "text": row["text"]} for row in proof["exceptions"])
    yield from against_loop(connection, start, end)
    touched = conservation.returns_of(connection, start, end)
    for words, rows in (
        ("credited, not received", goods.credited_not_received(connection, touched) + goods.credited_alone(connection, start, end)),
        ("received, not credited", goods.received_not_credited(connection, touched)),
    ):
        for row in rows:
            text = f"{row['rma'] or row['order']} {row['sku']}: {row['units']} unit(s), {row['value']} {row['currency']}, {words} ({row['why']})"
            yield {"kind": words, "rma": row["rma"], "text": text}
    known = {*touched, ""}
    for row in goods.open_orders(connection, None, None):
        if row["rma"] in known:
            yield {"kind": "A/R not zero", "rma": row["rma"], "text": f"{row['name']}: A/R {row['ar']} {row['currency']}"}
    for row in ledger.refunds_within(connection, start, end):
        if row["status"] == "held":
            yield {"kind": "held refund", "rma": row["rma"] or "", "text": f"Refund {row['refund_id']} of {row['order_name']}: {row['message']}"}


def against_loop(connection: Connection, start: datetime, end: datetime) -> Iterator[dict[str, str]]:
    """Closed returns whose credited goods are not what Loop says they were worth, and credits that nothing explains."""
    for held in returns.closed_returns(connection, start=start, end=end):
        rma = held.document
        invoices = [row for row in ledger.invoices_of_return(connection, rma.rma) if row["currency"] == rma.currency]
        goods = money.total(Decimal(row["merchandise"]) + Decimal(row["tax"]) for row in invoices)
        if invoices and goods != rma.return_total:
            words = f"{money.text(goods, rma.currency)} of goods credited, Loop returned {money.text(rma.return_total, rma.currency)} {rma.currency}"
            yield {"kind": "credit differs from Loop", "rma": rma.rma, "text": f"RMA {rma.rma}: {words}"}
    for row in ledger.invoices_within(connection, start, end):
        for kind, amount in ledger.split(connection, row).items():
            if kind in ("unexplained", "pending", "to be paid"):
                text = f"{row['number']}: {money.text(amount, row['currency'])} {row['currency']} is {kind}"
                yield {"kind": f"settlement {kind}", "rma": row["rma"] or "", "text": text}
