"""Once a day: the last 120 days of Loop against what we hold (issue 4). Polling can miss what webhooks and clocks lose; this finds it.

What Loop has and we do not, or have otherwise, is taken over by the same step as an import. What agrees on paper but stands elsewhere with us (Loop has closed
or ended it, our RA waits) is asked to follow. What we hold as open and Loop does not list is for a person. Every difference is in the story of its return.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.clients.loop import BadReturn
from gateway.domain import lifecycle
from gateway.domain.documents import Return
from gateway.domain.lifecycle import RaState
from gateway.jobs import loop
from gateway.jobs.context import Context, Tally
from gateway.store import database, events, returns, workqueue
from gateway.store.returns import HeldReturn

COMPARED = "loop.compared_at"
WINDOW = timedelta(days=119)
WAITS_FOR_CLOSING = lifecycle.BEFORE_RECEIPT | {RaState.PARTLY_RECEIVED, RaState.RECEIVED, RaState.PROCESS_REQUESTED, RaState.FLAGGED}


def compare_returns(ctx: Context, *, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Compare by date of creation: the last 120 days once a day at night, or a range at once. Paced by Loop's rate limit like every call."""
    tally = Tally(scope=f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" if start and end else "")
    not_now = "" if start else _not_now(ctx)
    if not_now:
        tally.skip("comparison", not_now)
        return tally
    until = end or ctx.now()
    since = start or max(until - WINDOW, ctx.import_from)
    seen: set[str] = set()
    for begin, finish in loop.windows(since, until):
        for state in loop.STATES:
            for page in ctx.loop.list_returns(start=begin, end=finish, state=state, field="created_at"):
                seen |= {entry.rma for entry in page}
                _compare_page(ctx, page, tally)
    _ask_about_missing(ctx, seen, since, until - timedelta(seconds=ctx.timing.import_overlap), tally)
    if start is None:
        with database.writing(ctx.engine) as connection:
            events.set_position(connection, COMPARED, database.instant(ctx.now()))
    return tally


def _not_now(ctx: Context) -> str:
    """Why it is not time to compare; empty when it is: once each day of the merchant, from the hour set for it on."""
    with database.reading(ctx.engine) as connection:
        last = events.position(connection, COMPARED)
        imported = events.position(connection, loop.POSITION)
    if imported is None:
        return "nothing was imported from Loop yet"
    here = ctx.local(ctx.now())
    if last and ctx.local(database.moment(last)).date() >= here.date():
        return (
            f"compared today at {ctx.local(database.moment(last)):%H:%M}; `gateway job LoopCompareReturns --from DAY --to DAY` compares a range now"
        )
    return f"it is not {ctx.compare_hour}:00 yet" if here.hour < ctx.compare_hour else ""


def _compare_page(ctx: Context, page: Sequence[Return | BadReturn], tally: Tally) -> None:
    with database.writing(ctx.engine) as connection:
        for entry in page:
            tally.read += 1
            if isinstance(entry, BadReturn):
                tally.fail(entry.rma, entry.why)
                continue
            known = returns.load_return(connection, entry.rma)
            difference = _difference(connection, known, entry) if known else ""
            if known is None or difference:
                _take_over(ctx, connection, entry, difference, tally)


def _difference(connection: Connection, known: HeldReturn, found: Return) -> str:
    """How a return differs between Loop and us, in words; empty when it does not."""
    names = [field.name for field in fields(Return) if getattr(known.document, field.name) != getattr(found, field.name)]
    if not found.refund_ids:  # the list does not show them
        names = [name for name in names if name != "refund_ids"]
    if "state" in names:
        return f"Loop has it as {found.state}, we had it as {known.document.state}"
    if names:
        return "other in Loop: " + ", ".join(name.replace("_", " ") for name in names)
    states = [ra.state for ra in returns.authorizations_of(connection, found.rma)]
    if found.state == "closed" and any(state in WAITS_FOR_CLOSING for state in states):
        return f"closed in Loop, but an RA of ours is {next(s for s in states if s in WAITS_FOR_CLOSING).value}"
    if found.state in ("cancelled", "expired") and any(state in lifecycle.BEFORE_RECEIPT for state in states):
        return f"{found.state} in Loop, but an RA of ours waits for its goods"
    return ""


def _take_over(ctx: Context, connection: Connection, found: Return, difference: str, tally: Tally) -> None:
    """Take a difference over by the step of the import, and say that the comparison found it."""
    trial = Tally()
    loop.take_returns(ctx, connection, [found], trial, asked_for=False)
    if not difference and not trial.done:
        tally.skip(found.rma, trial.reasons[0].partition(": ")[2] if trial.reasons else "not to be imported")
        return
    words = difference or "Loop had it, we did not"
    if found.state == "closed":
        workqueue.enqueue(connection, "confirm", found.rma, due_at=ctx.now())
    loop.end_with(ctx, connection, found)
    tally.done += 1
    tally.reasons.append(f"{found.rma}: {words}; taken over")
    events.note(connection, "comparison.difference", f"Comparison with Loop: {words}; taken over", at=ctx.now(), rma=found.rma)


def _ask_about_missing(ctx: Context, seen: set[str], since: datetime, until: datetime, tally: Tally) -> None:
    """What we hold as open, and Loop does not list in its time."""
    with database.writing(ctx.engine) as connection:
        for held in returns.open_returns(connection, since=since):
            rma = held.document
            if rma.rma in seen or not since <= rma.created_at <= until:
                continue
            tally.fail(rma.rma, "we hold it as open, Loop does not list it")
            text = f"RMA {rma.rma} is {rma.state} with us, but Loop does not list it any more"
            events.open_task(
                connection, "not in Loop", rma.rma, text, at=ctx.now(), rma=rma.rma, advice="look for it in Loop Admin; then close its RAs by hand"
            )
