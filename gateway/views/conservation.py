"""The conservation report: that units and money are neither created nor lost, over all of the book or a period (R-183).

Accounts are gathered here from independent records and judged by `domain.conserving`. `altered` compares the stock ledger and the credit invoices with
the sealed events that told them: what was changed, removed or slipped in by hand is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import conserving, money, receiving
from gateway.domain.conserving import Account, CreditAccount, GoodsAccount, LineAccount, StockAccount
from gateway.domain.documents import ZERO
from gateway.domain.lifecycle import RaState
from gateway.store import database, events, ledger, received, returns
from gateway.store.returns import HeldAuthorization

UNSEEN = "restocked without receipt"


def report(connection: Connection, *, start: datetime | None = None, end: datetime | None = None, most_bonus: Decimal = ZERO) -> dict[str, Any]:
    """The identities of every return that something happened to in [start, end): totals, what is broken, and Loop's money exceptions."""
    rmas = returns_of(connection, start, end)
    accounts = [account(connection, rma) for rma in rmas] + [account(connection, "")]
    found = [fault for one in accounts for fault in conserving.broken(one)]
    return {
        "from": database.instant(start) if start else "",
        "to": database.instant(end) if end else "",
        "returns": len(rmas),
        "units": units(accounts),
        "money": credits_by_currency(accounts),
        "broken": [{"identity": fault.identity, "rma": fault.rma, "text": fault.text} for fault in found],
        "exceptions": [row for row in money_exceptions(connection, most_bonus=most_bonus) if row["rma"] in rmas],
    }


def returns_of(connection: Connection, start: datetime | None, end: datetime | None) -> list[str]:
    """The RMAs in question: all, or those something was recorded of in the period."""
    if start or end:
        return events.returns_within(connection, start, end)
    return [held.document.rma for held in returns.list_returns(connection)]


def account(connection: Connection, rma: str) -> Account:
    """Everything of one return that must add up; with an empty number, the refunds that belong to no return."""
    ras = returns.authorizations_of(connection, rma) if rma else []
    standings = {ra.document.ra: _standing(connection, ra) for ra in ras}
    lines = tuple(line for ra in ras for line in _lines(connection, ra, standings[ra.document.ra]))
    refunds = ledger.refunds_of_return(connection, rma)
    refund_lines = {row["refund_id"]: ledger.lines_of_refund(connection, row["refund_id"]) for row in refunds if row["status"] == "imported"}
    movements = ledger.movements_for(connection, rma) if rma else _without_return(connection)
    return Account(
        rma=rma,
        lines=lines,
        goods=tuple(_goods(connection, lines, standings, refund_lines, movements, ras)) if rma and ras else (),
        stock=tuple(_stock(refund_lines, movements)),
        credits=tuple(_credits(connection, rma, refunds, refund_lines)),
    )


def _without_return(connection: Connection) -> list[dict[str, Any]]:
    return [row for row in ledger.movements_within(connection, None, None) if row["rma"] is None and row["cause"] == "refund"]


def _standing(connection: Connection, ra: HeldAuthorization) -> receiving.Standing:
    return receiving.accumulate(ra.document, [r.document for r in received.receipts_of(connection, ra.document.ra)])


def _lines(connection: Connection, ra: HeldAuthorization, standing: receiving.Standing) -> Iterator[LineAccount]:
    counted = {line.sku: line for line in standing.lines}
    for row in returns.lines_of(connection, ra.document.ra):
        own = counted.get(row["sku"])
        yield LineAccount(
            ra=ra.document.ra,
            sku=row["sku"],
            authorized=row["expected"],
            good=row["good"],
            second=row["second"],
            not_returned=row["not_returned"],
            over=row["over"],
            receipts_good=own.good if own else 0,
            receipts_second=own.second if own else 0,
            receipts_over=own.over if own else 0,
            closed=ra.state == RaState.CLOSED,
        )


def _goods(
    connection: Connection,
    lines: Iterable[LineAccount],
    standings: Mapping[str, receiving.Standing],
    refund_lines: Mapping[str, list[dict[str, Any]]],
    movements: list[dict[str, Any]],
    ras: list[HeldAuthorization],
) -> Iterator[GoodsAccount]:
    expected: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for line in lines:
        expected[line.sku] = expected.get(line.sku, 0) + line.good + line.second
        unknown[line.sku] = unknown.get(line.sku, 0) + line.over
    for standing in standings.values():
        for extra in standing.extras:
            key = extra.sku or extra.stated
            unknown[key] = unknown.get(key, 0) + extra.quantity
    own = {ra.document.warehouse for ra in ras}
    holds = _bundles(ras)
    for sku in sorted({*expected, *unknown, *(row["sku"] for row in movements)}):
        mine = [row for row in movements if row["sku"] == sku and row["cause"] == "refund" and row["remark"] != UNSEEN]
        yield GoodsAccount(
            sku=sku,
            received=expected.get(sku, 0) + unknown.get(sku, 0),
            unknown=unknown.get(sku, 0),
            restocked=sum(row["quantity"] for row in mine if row["warehouse"] in own),
            second=sum(row["quantity"] for row in mine if row["warehouse"] not in own),
            credited=sum(line["imported"] * holds.get((line["sku"], sku), line["sku"] == sku) for rows in refund_lines.values() for line in rows),
        )


def _bundles(ras: Iterable[HeldAuthorization]) -> dict[tuple[str, str], int]:
    """How many of a component one bundle of these RAs holds, by bundle and component."""
    return {(part.bundle, line.sku): part.quantity for ra in ras for line in ra.document.lines for part in line.bundle_parts}


def _stock(refund_lines: Mapping[str, list[dict[str, Any]]], movements: list[dict[str, Any]]) -> Iterator[StockAccount]:
    told: dict[tuple[str, str, str], int] = {}
    for refund_id, rows in refund_lines.items():
        for line in rows:
            for warehouse, sku, quantity in json.loads(line["stocked"]):
                told[f"refund {refund_id} line {line['key']}", warehouse, sku] = quantity
    held = {(row["reference"], row["warehouse"], row["sku"]): row["quantity"] for row in movements if row["cause"] == "refund"}
    for key in sorted({*told, *held}):
        yield StockAccount(reference=key[0], warehouse=key[1], sku=key[2], by_refund=told.get(key, 0), in_ledger=held.get(key, 0))


def _credits(
    connection: Connection, rma: str, refunds: list[dict[str, Any]], refund_lines: Mapping[str, list[dict[str, Any]]]
) -> Iterator[CreditAccount]:
    invoices = {row["refund_id"]: row for row in ledger.invoices_of_return(connection, rma)}
    for refund in refunds:
        invoice = invoices.pop(refund["refund_id"], None)
        if invoice is None and not Decimal(refund["credit"]):
            continue
        yield _credit(connection, invoice, refund, refund_lines.get(refund["refund_id"], []))
    for invoice in invoices.values():
        yield _credit(connection, invoice, None, [])


def _credit(connection: Connection, invoice: dict[str, Any] | None, refund: dict[str, Any] | None, lines: list[dict[str, Any]]) -> CreditAccount:
    parts = {name: Decimal(invoice[name]) if invoice else ZERO for name in ("merchandise", "tax", "shipping", "duties", "adjustment", "total")}
    known = invoice or refund or {}
    return CreditAccount(
        invoice=invoice["number"] if invoice else f"refund {refund['refund_id'] if refund else ''} without its credit invoice",
        currency=known["currency"],
        total=parts["total"],
        parts=money.total(amount for name, amount in parts.items() if name != "total"),
        settled=money.total(ledger.split(connection, invoice).values()) if invoice else ZERO,
        by_refund=Decimal(refund["credit"]) if refund else ZERO,
        goods=parts["merchandise"] + parts["tax"],
        by_lines=money.total(Decimal(line[name]) for line in lines for name in ("merchandise", "tax")),
    )


def units(accounts: list[Account]) -> dict[str, int]:
    """The totals of both unit identities."""
    lines = [line for one in accounts for line in one.lines]
    goods = [sku for one in accounts for sku in one.goods]
    found = {name: sum(getattr(line, name) for line in lines) for name in ("authorized", "good", "second", "missing", "not_returned")}
    names = {"received": "received", "restocked": "restocked", "second_quality": "second", "owner_unknown": "unknown", "waiting": "waiting"}
    return found | {word: sum(getattr(sku, name) for sku in goods) for word, name in names.items()}


def credits_by_currency(accounts: list[Account]) -> dict[str, dict[str, str]]:
    """Credit and settlement, currency by currency."""
    found: dict[str, list[CreditAccount]] = {}
    for one in (credit for entry in accounts for credit in entry.credits):
        found.setdefault(one.currency, []).append(one)
    return {
        currency: {
            name: money.text(money.total(getattr(one, field) for one in rows), currency)
            for name, field in (("credit", "total"), ("settled", "settled"))
        }
        for currency, rows in found.items()
    }


def money_exceptions(
    connection: Connection, *, start: datetime | None = None, end: datetime | None = None, most_bonus: Decimal = ZERO
) -> list[dict[str, str]]:
    """Closed returns for which Loop's own money identity does not hold, with the difference (R-114)."""
    found = []
    for held in returns.closed_returns(connection, start=start, end=end):
        sides = conserving.loop_sides(held.document, most_bonus=most_bonus)
        if sides.difference:
            amounts = {name: money.text(getattr(sides, name), sides.currency) for name in ("asked", "given", "bonus", "difference")}
            text = (
                f"RMA {sides.rma}: returned goods and upsell are {amounts['asked']} {sides.currency}, but refund, store credit, exchange and fee are "
                f"{amounts['given']}: difference {amounts['difference']}"
            )
            found.append({"rma": sides.rma, "currency": sides.currency, **amounts, "text": text})
    return found


def altered(connection: Connection) -> Iterator[str]:
    """Stock movements and credit invoices that are not what their events told: changed, removed, or entered by hand (A-142)."""
    told: dict[int, list[Any]] = {}
    invoiced: dict[str, dict[str, Any]] = {}
    for event in events.of_kinds(connection, ("stock.posted", "stock.opened", "invoice.made")):
        facts = json.loads(event["facts"])
        told |= {int(row[0]): row[1:] for row in facts.get("movements", ())}
        if "invoice" in facts:
            invoiced[facts["invoice"]["number"]] = facts["invoice"]
    for row in ledger.movements_within(connection, None, None):
        was = told.pop(row["id"], None)
        now = [row[name] for name in ledger.MOVEMENT]
        if was != now:
            yield f"stock movement {row['id']} (RMA {row['rma'] or 'none'}, {row['reference']}): is {_words(now)}, but was told as {_words(was)}"
    yield from (f"stock movement {number} ({_words(was)}) is gone from the ledger" for number, was in told.items())
    for invoice in ledger.invoices_within(connection, None, None):
        facts = invoiced.pop(invoice["number"], {})
        names = [name for name in ledger.INVOICE if facts.get(name) != invoice[name]]
        if names:
            yield f"credit invoice {invoice['number']} (RMA {invoice['rma'] or 'none'}): {', '.join(names)} differ from what was told when it was made"
    yield from (f"credit invoice {number} is gone" for number in invoiced)


def _words(movement: list[Any] | None) -> str:
    return f"{movement[2]} x {movement[1]} into {movement[0]}" if movement else "nothing"
