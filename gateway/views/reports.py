"""Reports as tables of plain rows: what a report is called, its columns, and how its rows are found (requirements R-158, R-159).

`REPORTS` is every report. A row is a dictionary by column; money is Decimal, counts are int, instants are text in UTC. Screens, files and JSON are made
from the same rows; `scorecard` alone needs pandas, which is imported there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain.documents import ZERO
from gateway.errors import PermanentError
from gateway.store import tallies
from gateway.views import aging, goods, scorecards, tying

Rows = list[dict[str, Any]]


class UnknownReportError(PermanentError):
    """There is no report of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a report is asked: a period (from `start`, before `end`), and the instant that is now."""

    now: datetime
    start: datetime | None = None
    end: datetime | None = None
    limits: aging.Limits = field(default_factory=aging.Limits)
    calendars: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A finished report. `notes` stand below it; `money` names the columns that are amounts."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Rows
    notes: tuple[str, ...] = ()
    money: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report that can be asked for."""

    title: str
    columns: tuple[str, ...]
    find: Callable[[Connection, Question], Rows]
    money: frozenset[str] = frozenset()
    notes: Callable[[Connection, Question], tuple[str, ...]] = lambda _connection, _question: ()


def make(connection: Connection, name: str, question: Question) -> Table:
    """Ask a report."""
    report = REPORTS.get(name)
    if report is None:
        raise UnknownReportError(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
    rows = report.find(connection, question)
    notes = report.notes(connection, question)
    return Table(name=name, title=report.title, columns=report.columns, rows=rows, notes=notes, money=report.money)


def expected(connection: Connection, question: Question) -> Rows:
    """Each RA line of the period: expected against what came."""
    return [
        row | {"missing": row["expected"] - row["good"] - row["second"] - row["not_returned"]}
        for row in tallies.lines_expected(connection, question.start, question.end)
    ]


def style_of(sku: str) -> str:
    """The style of a SKU written style-colour-size."""
    return sku.split("-", 1)[0]


def damaged(connection: Connection, question: Question) -> Rows:
    """Second-quality units by style and SKU, against all that came."""
    found: dict[str, dict[str, Any]] = {}
    for row in tallies.lines_expected(connection, question.start, question.end):
        style = style_of(row["sku"])
        entry = found.setdefault(row["sku"], {"style": style, "sku": row["sku"], "received": 0, "second": 0})
        entry["received"] += row["good"] + row["second"]
        entry["second"] += row["second"]
    rows = [row | {"percent": _percent(row["second"], row["received"])} for row in found.values() if row["second"]]
    return sorted(rows, key=lambda row: (-row["second"], row["sku"]))


def reasons(connection: Connection, question: Question) -> Rows:
    """The shopper's reasons, by units and value."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for kept in tallies.authorization_documents(connection, question.start, question.end):
        document = json.loads(kept["document"])
        for line in document["lines"]:
            key = (line["reason"] or "none given", document["currency"])
            entry = found.setdefault(key, {"reason": key[0], "units": 0, "value": ZERO, "currency": key[1]})
            entry["units"] += line["quantity"]
            entry["value"] += Decimal(line["value"]) + Decimal(line["tax"])
    return sorted(found.values(), key=lambda row: (-row["units"], row["reason"]))


def flagged(connection: Connection, question: Question) -> Rows:
    """The reasons for which returns were flagged, counted."""
    counted = Counter[str]()
    for kept in tallies.reasons_decided(connection, question.start, question.end):
        decision = json.loads(json.loads(kept["document"])["decision"])
        counted.update(decision["reasons"] or [decision["verdict"]])
    return [{"reason": reason, "returns": count} for reason, count in counted.most_common()]


def unmatched(connection: Connection, question: Question) -> Rows:
    """Receipts that belong to no RA."""
    names = ("id", "partner", "receipt_no", "ra_reference", "state", "reason", "file", "received_on", "arrived_at")
    found = []
    for row in tallies.waiting_receipts(connection, question.start, question.end):
        lines = json.loads(row["document"])["lines"]
        goods = ", ".join(f"{line['good'] + line['second']} x {line['sku'] or line['stated']}" for line in lines)
        found.append({name: row[name] for name in names} | {"goods": goods})
    return found


def refunds(connection: Connection, question: Question) -> Rows:
    """Every refund of the period: imported, skipped or held, and why."""
    names = ("refund_id", "order_id", "order_name", "rma", "status", "currency", "message", "seen_at")
    return [
        {name: row[name] for name in names} | {"credit": Decimal(row["credit"]), "cash": Decimal(row["cash"])}
        for row in tallies.refunds_seen(connection, question.start, question.end)
    ]


def refund_lines(connection: Connection, question: Question) -> Rows:
    """Every refund line of the period with its result."""
    names = ("refund_id", "order_name", "rma", "sku", "imported", "skipped", "restock_type", "result", "reason", "currency")
    return [
        {name: row[name] for name in names} | {"merchandise": Decimal(row["merchandise"]), "tax": Decimal(row["tax"])}
        for row in tallies.refund_lines_seen(connection, question.start, question.end)
    ]


def month_end(connection: Connection, question: Question) -> Rows:
    """The tie-out, one row a return."""
    rows = tying.tie_out(connection, start=question.start, end=question.end).rows
    return [
        {name: row[name] for name in ("rma", "order", "currency", "loop", "credit", "refunded", "good", "second", "not returned")}
        | {name: row["settled"].get(name, ZERO) for name in ("cash", "store credit", "exchange credit", "fee kept")}
        | {"posted": sum(row["posted"].values())}
        for row in rows
    ]


def month_end_notes(connection: Connection, question: Question) -> tuple[str, ...]:
    """Totals and every difference."""
    found = tying.tie_out(connection, start=question.start, end=question.end)
    money = [f"{currency} {name}: {amount:.2f}" for currency, amounts in found.amounts.items() for name, amount in amounts.items()]
    units = [f"units {name}: {count}" for name, count in found.units.items()]
    told = [f"DIFFERENCE {text}" for text in found.differences] or ["differences: none"]
    return (*money, *units, *told)


def stuck(connection: Connection, question: Question) -> Rows:
    """What stands still for too long."""
    return aging.find_aging(connection, limits=question.limits, calendars=question.calendars, now=question.now)


def scorecard(connection: Connection, question: Question) -> Rows:
    """Each partner's week."""
    return scorecards.find_weeks(connection, question.start, question.end)


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else Decimal("0.0")


REPORTS: dict[str, Report] = {
    "expected": Report(
        title="Expected against received",
        columns=("ra", "rma", "partner", "warehouse", "state", "sku", "expected", "good", "second", "not_returned", "missing", "over", "created_at"),
        find=expected,
    ),
    "damaged": Report(title="Damaged by style", columns=("style", "sku", "received", "second", "percent"), find=damaged),
    "reasons": Report(title="Reasons for returning", columns=("reason", "units", "value", "currency"), find=reasons, money=frozenset({"value"})),
    "flagged": Report(title="Decisions by reason", columns=("reason", "returns"), find=flagged),
    "unmatched": Report(
        title="Unmatched receipts",
        columns=("id", "partner", "receipt_no", "ra_reference", "goods", "state", "reason", "file", "received_on", "arrived_at"),
        find=unmatched,
    ),
    "refunds": Report(
        title="Refunds imported, skipped and held",
        columns=("refund_id", "order_id", "order_name", "rma", "status", "credit", "cash", "currency", "message", "seen_at"),
        find=refunds,
        money=frozenset({"credit", "cash"}),
    ),
    "refund-lines": Report(
        title="Refund lines",
        columns=(
            "refund_id",
            "order_name",
            "rma",
            "sku",
            "imported",
            "skipped",
            "merchandise",
            "tax",
            "currency",
            "restock_type",
            "result",
            "reason",
        ),
        find=refund_lines,
        money=frozenset({"merchandise", "tax"}),
    ),
    "scorecard": Report(title="Partner scorecard by week", columns=scorecards.COLUMNS, find=scorecard),
    "month-end": Report(
        title="Month-end tie-out",
        columns=(
            "rma",
            "order",
            "currency",
            "loop",
            "credit",
            "cash",
            "store credit",
            "exchange credit",
            "fee kept",
            "refunded",
            "good",
            "second",
            "not returned",
            "posted",
        ),
        find=month_end,
        money=frozenset({"loop", "credit", "cash", "store credit", "exchange credit", "fee kept", "refunded"}),
        notes=month_end_notes,
    ),
    "open-ar": Report(
        title="Exchange orders whose A/R is not zero",
        columns=(
            "name",
            "order_id",
            "rma",
            "original_order",
            "merchandise",
            "tax",
            "shipping",
            "misc_charge",
            "discount",
            "collected",
            "ar",
            "currency",
        ),
        find=lambda connection, question: goods.open_orders(connection, question.start, question.end),
        money=frozenset({"merchandise", "tax", "shipping", "misc_charge", "discount", "collected", "ar"}),
    ),
    "credited-not-received": Report(
        title="Credited, not received",
        columns=("rma", "order", "refund_id", "sku", "credited", "received", "units", "value", "currency", "why"),
        money=frozenset({"value"}),
        find=lambda connection, question: goods.credited_within(connection, question.start, question.end),
    ),
    "received-not-credited": Report(
        title="Received, not credited",
        columns=("rma", "order", "sku", "received", "credited", "units", "value", "currency", "state", "partner", "since"),
        money=frozenset({"value"}),
        find=lambda connection, question: goods.received_within(connection, question.start, question.end),
    ),
    "aging": Report(
        title="Aging",
        columns=("level", "step", "ra", "rma", "partner", "warehouse", "state", "days", "value", "currency", "since"),
        find=stuck,
        money=frozenset({"value"}),
    ),
}
