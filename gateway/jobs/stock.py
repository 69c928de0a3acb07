"""Our stock and the partner's: corrections as entries of their own, and the comparison with what the partner reports.

A correction is never an edit: it is a new entry with a reason and an actor, and the balance stays the sum. A reference makes it happen once.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain import counting
from gateway.domain.counting import Count, Difference
from gateway.errors import PermanentError
from gateway.jobs.context import Context, Tally
from gateway.store import database, events, ledger, partner_stock

DIFFERS = "stock differs"


class RefusedCorrectionError(PermanentError):
    """A stock correction that cannot be entered."""


def correct_stock(  # noqa: PLR0913 - a movement is these facts
    ctx: Context, *, warehouse: str, sku: str, quantity: int, reason: str, actor: str, reference: str = ""
) -> int:
    """Enter a correction of so many units (negative: out); the new balance. The same reference is entered once (R-118)."""
    fault = _fault(ctx, warehouse, sku, quantity, reason)
    if fault:
        raise RefusedCorrectionError(fault)
    with database.writing(ctx.engine) as connection:
        before = ledger.balance(connection, warehouse, sku)
        if before + quantity < 0:
            raise RefusedCorrectionError(f"{warehouse} has {before} x {sku}; {quantity} would make it negative. Count again")
        text = f"Stock corrected by {actor}: {quantity:+d} x {sku} in {warehouse}, {before} → {before + quantity} ({reason})"
        entry: dict[str, Any] = {"warehouse": warehouse, "sku": sku, "quantity": quantity, "cause": "correction", "remark": reason, "actor": actor}
        entry["reference"] = reference or f"correction {ledger.last_entry(connection) + 1}"
        if ledger.post(connection, text, at=ctx.now(), **entry) is None:
            raise RefusedCorrectionError(f"{entry['reference']!r} corrected {sku} in {warehouse} before; it is not entered twice")
        return ledger.balance(connection, warehouse, sku)


def _fault(ctx: Context, warehouse: str, sku: str, quantity: int, reason: str) -> str:
    faults = {
        f"{warehouse} is no warehouse of gateway.toml; it lists {', '.join(ctx.places.warehouses)}": warehouse not in ctx.places.warehouses,
        f"{sku} is not in mappings/items.csv": sku not in ctx.places.catalogue.by_sku,
        "a correction of 0 units corrects nothing": quantity == 0,
        "a correction needs a reason": not reason.strip(),
    }
    return next((words for words, applies in faults.items() if applies), "")


def compare_stock(ctx: Context) -> Tally:
    """Compare every stock report that was not compared yet with the ledger as it stood at the end of the report's day."""
    tally = Tally()
    with database.reading(ctx.engine) as connection:
        reports = partner_stock.uncompared(connection)
    for counts in reports:
        tally.read += 1
        head = counts[0]
        name = f"{head['partner']} {head['kind']} {head['number']} of {head['reported_on']}"
        warehouse = head["warehouse"] or _only_warehouse(ctx, head["partner"])
        if warehouse not in ctx.places.warehouses:
            tally.skip(name, "it names no warehouse of ours; map its code under receive.stock.warehouses in the profile")
            continue
        with database.writing(ctx.engine) as connection:
            differences, remarks = _compare(ctx, connection, counts, warehouse)
            if partner_stock.save_comparison(connection, counts, differences, remarks=remarks, at=ctx.now()) is None:
                continue
            _tell(ctx, connection, name, f"{head['partner']} {warehouse}", differences, remarks)
        tally.done += 1
    return tally


def _only_warehouse(ctx: Context, partner: str) -> str:
    """The warehouse of a partner that has only one."""
    mine = [w.code for w in ctx.places.warehouses.values() if w.partner == partner and w.sellable]
    return mine[0] if len(mine) == 1 else ""


def _compare(ctx: Context, connection: Connection, counts: list[dict[str, Any]], warehouse: str) -> tuple[list[Difference], list[str]]:
    second = ctx.places.warehouses[warehouse].second_quality or ""
    stated = [
        Count(sku=c["sku"], stated=c["stated"], quality=c["quality"], quantity=c["quantity"], position=f"{c['position']}, file {c['file_id']}")
        for c in counts
    ]
    if counts[0]["kind"] == "adjustment":
        return counting.moved(stated, warehouse=warehouse, second=second), []
    balances = ledger.balances_at(connection, [warehouse, second], before=_end_of(ctx, date.fromisoformat(counts[0]["reported_on"])))
    return counting.compare(stated, warehouse=warehouse, second=second, balances=balances)


def _end_of(ctx: Context, day: date) -> datetime:
    """The instant at which a day of the merchant ends."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    return midnight - (ctx.local(midnight).utcoffset() or timedelta())


def _tell(ctx: Context, connection: Connection, name: str, subject: str, differences: list[Difference], remarks: list[str]) -> None:
    if not differences and not remarks:
        events.close_tasks(connection, kind=DIFFERS, subject=subject, because=f"{name} agrees", at=ctx.now())
        return
    rows = [f"{d.sku} in {d.warehouse}: ours {d.ours}, theirs {'not listed' if d.theirs is None else d.theirs}" for d in differences]
    text = f"{name}: {len(differences)} difference(s): " + "; ".join([*rows[:10], *remarks[:3]]) + (" …" if len(rows) > 10 else "")
    advice = "count; where ours is wrong, `gateway correct-stock WAREHOUSE SKU QUANTITY --reason …`; the next report that agrees closes this"
    events.close_tasks(connection, kind=DIFFERS, subject=subject, because=f"{name} is newer", at=ctx.now())
    events.open_task(connection, DIFFERS, subject, text, at=ctx.now(), advice=advice)
