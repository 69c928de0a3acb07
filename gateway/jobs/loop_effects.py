"""Effects at Loop: notes, process, flag, remove, each exactly once; and the closing of a return, which is the only proof that it was processed.

How an effect in doubt is settled is told in `effecting`; here stands what is looked at: the return's state and time of change, its notes, its units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from gateway.clients.loop import LONGEST_NOTE
from gateway.clients.session import Outcome
from gateway.domain import lifecycle, ordering
from gateway.domain.documents import Return
from gateway.domain.lifecycle import RaState
from gateway.domain.receiving import Verdict
from gateway.errors import PermanentError, TemporaryError
from gateway.jobs import decisions, effecting, sharing
from gateway.jobs.context import Context
from gateway.jobs.effecting import Effect, EffectState, Look, Sight, Way
from gateway.mapping import notes
from gateway.store import database, effects, events, received, returns, workqueue
from gateway.store.returns import HeldAuthorization, HeldReturn

WAITING_FOR_EXCHANGE = "waiting for exchange order"
OUT_OF_STOCK = "exchange out of stock"
NOT_RETURNED = "charged, not returned"


class NotClosedYetError(TemporaryError):
    """Loop has not closed the return yet."""


def perform_effect(ctx: Context, key: str) -> None:
    """Carry one effect to Loop."""
    effect = effecting.load(ctx, key)
    effecting.perform(ctx, effect, WAYS[effect.kind])


def perform_some_effects(ctx: Context, keys: Sequence[str]) -> dict[str, TemporaryError | None]:
    """Carry the first of several effects to Loop together; what became of those that were taken."""
    return sharing.perform_some(ctx, keys, WAYS)


def _before_note(ctx: Context, effect: Effect) -> Look:
    """Loop does not recognise repeats, so a note is read back before it is sent a second time, whatever the first try seemed to come to."""
    found = _after_note(ctx, effect) if effect.attempts else None
    return found if found and found.sight == Sight.HAPPENED else Look(sight=Sight.CLEAR)


def _after_note(ctx: Context, effect: Effect) -> Look:
    there = effect.payload["content"] in ctx.loop.list_notes(effect.target)
    return Look(
        sight=Sight.HAPPENED if there else Sight.NOT_HAPPENED, words="the note is on the return" if there else "the note is not on the return"
    )


def _before_action(ctx: Context, effect: Effect) -> Look:
    """Read before acting; act only on an open return (loop-api 7.9). Its time of change is the evidence for a later look."""
    found = ctx.loop.return_details(effect.target)
    evidence = {"state": found.state, "updated_at": database.instant(found.updated_at)}
    if found.state == "closed" and effect.kind != "loop.flag" and effect.attempts:
        return Look(sight=Sight.HAPPENED, words="Loop has closed the return")
    if found.state in ("closed", "cancelled"):
        words = f"the return is {found.state} in Loop and cannot be acted on; somebody else {found.state} it"
        return Look(sight=Sight.CANNOT, words=words, evidence=evidence)
    if effect.kind == "loop.flag" and found.state == "review":
        return Look(sight=Sight.HAPPENED, words="the return is in review in Loop already", evidence=evidence)
    return Look(sight=Sight.CLEAR, evidence=evidence)


def _after_action(ctx: Context, effect: Effect) -> Look:
    """Settle a call in doubt by the return itself: closed (or in review, for a flag) shows that it happened, an untouched return that it did not."""
    found = ctx.loop.return_details(effect.target)
    if found.state == ("review" if effect.kind == "loop.flag" else "closed"):
        return Look(sight=Sight.HAPPENED, words=f"the return is {found.state} in Loop")
    trace = _trace_of(ctx, effect, found)
    if trace:
        return Look(sight=Sight.HAPPENED, words=trace)
    if effect.kind == "loop.flag" and found.state in ("closed", "cancelled"):  # a flag asks a person to decide, and somebody has
        words = f"the call had no answer, and somebody has {found.state} the return since, with or without the flag"
        return Look(sight=Sight.CANNOT, words=words)
    before = (effect.evidence.get("state"), effect.evidence.get("updated_at"))
    if (found.state, database.instant(found.updated_at)) == before:  # the time is in whole seconds and alone proves nothing
        return Look(sight=Sight.NOT_HAPPENED, words=f"the return is {found.state} and untouched since before the call")
    words = f"the return is {found.state} in Loop and was changed at {database.instant(found.updated_at)}, after the call"
    return Look(sight=Sight.UNKNOWN, words=words)


def _trace_of(ctx: Context, effect: Effect, found: Return) -> str:
    """What an accepted call leaves before the return closes: the note with the details of a process (loop-api 7.1), the units gone by a removal."""
    if effect.kind == "loop.process":
        details = [text for pair in effect.payload["details"].items() for text in pair]
        noted = any(all(text in note for text in details) for note in ctx.loop.list_notes(effect.target))
        return "Loop has queued it: the note with its details is on the return" if noted else ""
    if effect.kind == "loop.remove":
        left = {unit.line_item_id for unit in found.units}
        return "the units are off the return in Loop" if left.isdisjoint(effect.payload["units"]) else ""
    return ""


def _settled_note(_ctx: Context, _connection: Connection, _effect: Effect, _state: EffectState, _cause: str) -> None:
    """A note has no consequence; its effect row says all."""


def _settled_process(ctx: Context, connection: Connection, effect: Effect, state: EffectState, cause: str) -> None:
    if state == EffectState.FAILED:
        _refused(ctx, connection, effect, cause, "look at the return in Loop Admin and process it there; the gateway follows")
        return
    for ra in returns.authorizations_of(connection, effect.target):
        if lifecycle.may(ra.state, RaState.PROCESS_REQUESTED):
            returns.advance(connection, ra.document.ra, RaState.PROCESS_REQUESTED)
    events.note(connection, "return.process-requested", "Process requested; waiting for Loop to close the return", at=ctx.now(), rma=effect.target)
    held = returns.load_return(connection, effect.target)
    if held and held.document.expects_exchange and not held.exchange_state:
        returns.set_exchange_state(connection, effect.target, WAITING_FOR_EXCHANGE)
    workqueue.enqueue(connection, "confirm", effect.target, due_at=ctx.soon(ctx.timing.confirm_process))


def _settled_flag(ctx: Context, connection: Connection, effect: Effect, state: EffectState, cause: str) -> None:
    if state == EffectState.FAILED:
        _refused(ctx, connection, effect, cause, "the goods are as the note says; look at the return in Loop Admin")
        return
    for ra in returns.authorizations_of(connection, effect.target):
        if lifecycle.may(ra.state, RaState.FLAGGED):
            returns.advance(connection, ra.document.ra, RaState.FLAGGED)
    events.note(connection, "return.flagged", "Flagged in Loop; a person reviews it there", at=ctx.now(), rma=effect.target)


def _refused(ctx: Context, connection: Connection, effect: Effect, cause: str, advice: str) -> None:
    verb = effect.kind.partition(".")[2]
    start = "It is not known whether Loop did" if effect.state == EffectState.IN_DOUBT else "Loop did not"
    text = f"{start} {verb} RMA {effect.target}: {cause}. It is not tried again"
    events.open_task(connection, f"{verb} refused", effect.target, text, at=ctx.now(), rma=effect.target, advice=advice)


def _note(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.add_note(effect.target, effect.payload["content"])


def _process(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.process_return(effect.target, effect.payload["details"])


def _flag(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.flag_return(effect.target)


def _after_grading(_ctx: Context, _effect: Effect) -> Look:
    """Loop keeps the last grade of a unit: the same call again changes nothing."""
    return Look(sight=Sight.NOT_HAPPENED, words="storing the same grades again changes nothing")


def _before_grading(_ctx: Context, _effect: Effect) -> Look:
    return Look(sight=Sight.CLEAR)


def _settled_grading(ctx: Context, connection: Connection, effect: Effect, state: EffectState, cause: str) -> None:
    if state == EffectState.FAILED:
        _refused(ctx, connection, effect, cause, "Loop shows no grade for these units; nothing else depends on it")


def _grade(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.grade_units(effect.payload["items"])


def _assess(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.assess_units(effect.payload["items"])


def _remove(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.remove_units(effect.target, tuple(effect.payload["units"]))


def _is_free(ctx: Context) -> bool:
    return ctx.loop.session.is_free()


WAYS: dict[str, Way] = {
    "loop.note": Way(label="note in Loop", before=_before_note, act=_note, after=_after_note, settled=_settled_note, is_free=_is_free),
    "loop.process": Way(label="process in Loop", before=_before_action, act=_process, after=_after_action, settled=_settled_process),
    "loop.flag": Way(label="flag in Loop", before=_before_action, act=_flag, after=_after_action, settled=_settled_flag),
    "loop.grade": Way(
        label="grade units in Loop", before=_before_grading, act=_grade, after=_after_grading, settled=_settled_grading, is_free=_is_free
    ),
    "loop.assess": Way(
        label="disposition of units in Loop", before=_before_grading, act=_assess, after=_after_grading, settled=_settled_grading, is_free=_is_free
    ),
    "loop.remove": Way(label="remove units in Loop", before=_before_action, act=_remove, after=_after_action, settled=_settled_process),
}


def confirm(ctx: Context, rma: str) -> None:
    """See whether Loop has closed a return, and take over what the closing tells (R-102)."""
    found = ctx.loop.return_details(rma)
    with database.writing(ctx.engine) as connection:
        held = returns.load_return(connection, rma)
        if held is None:
            raise PermanentError(f"RMA {rma} is not in the book")
        if found.state == "closed":
            _closed(ctx, connection, held, found)
            return
        if found.state == "review":
            _back_in_review(ctx, connection, held, found)
            return
        late = _still_open(ctx, connection, rma, found.state)
    delay = max(ctx.timing.confirm_process, ctx.timing.longest_retry) if late else ctx.timing.confirm_process
    raise NotClosedYetError(f"RMA {rma} is {found.state} in Loop", delay=delay)


def _back_in_review(ctx: Context, connection: Connection, held: HeldReturn, found: Return) -> None:
    """Loop could not finish and asks a person (R-105): an exchange out of stock, a failed refund. The call is not repeated; the import sees what follows."""
    rma = found.rma
    gone = [exchange.sku for exchange in found.exchanges if exchange.out_of_stock]
    why = f"exchange out of stock ({', '.join(gone)})" if gone else "Loop put the return back into review"
    if gone:
        returns.set_exchange_state(connection, rma, OUT_OF_STOCK)
    returns.save_return(connection, replace(held.document, state=found.state, exchanges=found.exchanges or held.document.exchanges), at=ctx.now())
    for ra in returns.authorizations_of(connection, rma):
        if lifecycle.may(ra.state, RaState.FLAGGED):
            returns.advance(connection, ra.document.ra, RaState.FLAGGED)
    events.note(connection, "return.back-in-review", f"Back in review after the process call: {why}", at=ctx.now(), rma=rma, actor="Loop")
    advice = "settle it in Loop Admin (another item, or the money back); the process call is not repeated, the gateway follows what Loop does"
    text = f"RMA {rma} was received in full, but {why}"
    events.open_task(connection, "exchange out of stock" if gone else "back in review", rma, text, at=ctx.now(), rma=rma, advice=advice)


def _still_open(ctx: Context, connection: Connection, rma: str, state: str) -> bool:
    """Whether the wait for the closing is over: then a person is asked, and Loop is looked at less often."""
    calls = [e for e in effects.of_target(connection, rma) if e.kind in ("loop.process", "loop.remove")]
    asked = next((e for e in reversed(calls) if e.sent_at), None)
    late = bool(asked and asked.sent_at and ctx.now() - asked.sent_at > timedelta(seconds=ctx.timing.process_confirmation))
    if late:
        text = f"RMA {rma}: Loop accepted the process call, but after {ctx.timing.process_confirmation / 60:.0f} minutes the return is still {state}"
        advice = "look at the return in Loop Admin (an exchange out of stock or a failed refund puts it back to review); the call is not repeated"
        events.open_task(connection, "process not confirmed", rma, text, at=ctx.now(), rma=rma, advice=advice)
    return late


def _closed(ctx: Context, connection: Connection, held: HeldReturn, found: Return) -> None:
    """Loop has closed the return: its refunds, its exchange order and its removed units are known now."""
    rma = replace(
        held.document,
        state="closed",
        updated_at=found.updated_at,
        refund_ids=found.refund_ids,
        units=found.units and tuple(u for u in held.document.units if u.line_item_id in {f.line_item_id for f in found.units}),
        exchanges=found.exchanges or held.document.exchanges,
        return_total=found.return_total,
        exchange_total=found.exchange_total,
        refund=found.refund,
        gift_card=found.gift_card,
        handling_fee=found.handling_fee,
        upsell=found.upsell,
    )
    first = held.closed_at is None or not held.document.refund_ids
    returns.save_return(connection, rma, at=ctx.now())
    returns.confirm_decision(connection, rma.rma, at=ctx.now())
    for ra in returns.authorizations_of(connection, rma.rma):
        if lifecycle.may(ra.state, RaState.PROCESSED) and ra.state != RaState.PROCESSED:
            returns.advance(connection, ra.document.ra, RaState.PROCESSED)
            events.note(
                connection,
                "return.closed",
                f"Closed in Loop ({ctx.local(found.updated_at):%H:%M:%S})",
                at=ctx.now(),
                rma=rma.rma,
                ra=ra.document.ra,
                actor="Loop",
            )
            _close_not_returned(connection, ra)
    for kind in ("process not confirmed", OUT_OF_STOCK, "back in review"):
        events.close_tasks(connection, kind=kind, rma=rma.rma, because="closed", at=ctx.now())
    end_instant_exchange(ctx, connection, rma)
    if first:
        _note_processed(ctx, connection, rma)
        if held.exchange_state in ("", WAITING_FOR_EXCHANGE, OUT_OF_STOCK):
            _expect_exchange(ctx, connection, rma)
        events.bring_forward(connection, "ShopifyImportRefunds", now=ctx.now())


def _close_not_returned(connection: Connection, ra: HeldAuthorization) -> None:
    """Units that never came are closed as not returned once Loop has closed the return (R-025)."""
    closed = {}
    for line in returns.lines_of(connection, ra.document.ra):
        missing = line["expected"] - line["good"] - line["second"]
        if missing > 0:
            closed[line["sku"]] = missing
    returns.close_missing(connection, ra.document.ra, closed)


def _note_processed(ctx: Context, connection: Connection, rma: Return) -> None:
    """The return history carries what was received and decided (R-006)."""
    decided = returns.load_decision(connection, rma.rma)
    if decided is None:
        return
    ras = returns.authorizations_of(connection, rma.rma)
    standings = [decisions.stand(connection, ra) for ra in ras]
    received = [f"{line.sku} {line.good} good" + (f", {line.second} second" if line.second else "") for s in standings for line in s.lines]
    asked = decided["decision"].verdict == Verdict.PROCESS
    facts = {
        **decisions.receipt_facts(connection, ras, standings),
        "outcome": "Processed." if asked else "Closed after review.",
    }
    note = notes.write(ctx.template("note.processed.txt.j2"), facts, received, longest=LONGEST_NOTE)
    effecting.intend(ctx, connection, "loop.note", rma.rma, "processed", {"content": note})


def end_instant_exchange(ctx: Context, connection: Connection, rma: Return) -> None:
    """An instant exchange whose goods never came: Loop has charged the shopper, and its RAs are closed without stock (R-104)."""
    ras = returns.authorizations_of(connection, rma.rma)
    instant = any(exchange.order_id for exchange in rma.exchanges) and not returns.load_decision(connection, rma.rma)
    if not instant or any(received.receipts_of(connection, ra.document.ra) for ra in ras):
        return
    returns.set_exchange_state(connection, rma.rma, NOT_RETURNED)
    for ra in ras:
        _close_not_returned(connection, ra)
        now = returns.load_authorization(connection, ra.document.ra)
        if now and lifecycle.may(now.state, RaState.CLOSED):
            returns.advance(connection, ra.document.ra, RaState.CLOSED)
    text = "The goods of an instant exchange never came: charged, not returned; closed without stock"
    events.note(connection, "return.not-returned", text, at=ctx.now(), rma=rma.rma)


def _expect_exchange(ctx: Context, connection: Connection, rma: Return) -> None:
    if not rma.expects_exchange:
        return
    if rma.exchanges and all(exchange.out_of_stock and not exchange.order_id for exchange in rma.exchanges):
        returns.set_exchange_state(connection, rma.rma, "exchange out of stock, settled otherwise")
        return
    if ordering.kept_inside(rma) or ctx.policy.exchange_mode == "native":
        text = f"exchange kept inside the original order {rma.order_name}"
        returns.set_exchange_state(connection, rma.rma, text)
        events.note(connection, "exchange.inside", f"{text}: Loop names no separate order, so none is expected", at=ctx.now(), rma=rma.rma)
        return
    returns.set_exchange_state(connection, rma.rma, WAITING_FOR_EXCHANGE)
    events.bring_forward(connection, "ShopifyImportOrders", now=ctx.now())
