"""Loop's side: import returns, decide on receipts, tell Loop, see it close.

`import_return_authorizations` reads what changed and makes or changes RAs. `decide` turns receipts into the one decision of an RMA. `perform_effect` carries
decisions and notes to Loop, each exactly once. `confirm` watches a requested process until Loop has closed the return: an accepted call is only queued.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.clients.loop import LONGEST_NOTE, LONGEST_WINDOW, BadReturn
from gateway.clients.session import Outcome
from gateway.domain import authorizing, lifecycle, ordering, receiving
from gateway.domain.documents import Authorization, Return
from gateway.domain.lifecycle import RaState
from gateway.domain.receiving import Standing, Verdict
from gateway.errors import GatewayError, PermanentError, TemporaryError
from gateway.jobs import effecting
from gateway.jobs.context import Context, Tally
from gateway.jobs.effecting import Effect, EffectState, Look, Sight, Way
from gateway.mapping import outbound
from gateway.store import database, effects, events, files, returns, workqueue
from gateway.store.returns import HeldAuthorization, HeldReturn

STATES: tuple[str | None, ...] = (None, "cancelled", "review")
POSITION = "loop.updated_at"


class NotClosedYetError(TemporaryError):
    """Loop has not closed the return yet."""


def import_return_authorizations(ctx: Context, *, rma: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Read new and changed returns and make their RAs: by position, for one RMA, or for a range (R-009, R-040)."""
    tally = Tally(scope=rma or (f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" if start and end else ""))
    if rma:
        _import_one(ctx, rma, tally)
        return tally
    until = end or ctx.now()
    since = start or _since(ctx)
    for begin, finish in windows(since, until):
        for state in STATES:
            for page in ctx.loop.list_returns(start=begin, end=finish, state=state, field="created_at" if start else "updated_at"):
                _take_page(ctx, page, tally)
        if start is None:
            with database.writing(ctx.engine) as connection:
                events.set_position(connection, POSITION, database.instant(min(finish, until)))
    return tally


def _since(ctx: Context) -> datetime:
    with database.reading(ctx.engine) as connection:
        stored = events.position(connection, POSITION)
    if stored is None:
        return ctx.import_from
    return database.moment(stored) - timedelta(seconds=ctx.timing.import_overlap)


def windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A range cut into windows that Loop accepts (at most 120 days); the end is a second past, since ends may be exclusive."""
    begin = since
    while begin < until:
        finish = min(begin + LONGEST_WINDOW - timedelta(seconds=2), until + timedelta(seconds=1))
        yield begin, finish
        begin = finish


def _import_one(ctx: Context, rma: str, tally: Tally) -> None:
    """Import by number: the details tell when it was created, the list has all fields."""
    found = ctx.loop.return_details(rma)
    near = timedelta(seconds=2)
    for state in STATES:
        for page in ctx.loop.list_returns(start=found.created_at - near, end=found.created_at + near, state=state, field="created_at"):
            _take_page(ctx, [entry for entry in page if entry.rma == rma], tally, asked_for=True)
    if not tally.read:
        tally.fail(rma, "Loop has it, but its list does not show it; try again in a minute")


def _take_page(ctx: Context, page: Sequence[Return | BadReturn], tally: Tally, *, asked_for: bool = False) -> None:
    """One page in one transaction; a return that cannot be read stops only itself."""
    with database.writing(ctx.engine) as connection:
        for entry in page:
            tally.read += 1
            if isinstance(entry, BadReturn):
                tally.fail(entry.rma, entry.why)
                events.open_task(connection, "unreadable return", entry.rma, entry.why, at=ctx.now(), rma=entry.rma)
                continue
            _take_return(ctx, connection, entry, tally, asked_for=asked_for)


def _take_return(ctx: Context, connection: Connection, rma: Return, tally: Tally, *, asked_for: bool) -> None:
    known = returns.load_return(connection, rma.rma)
    if known is None:
        why = _not_imported(ctx, rma, asked_for=asked_for)
        if why:
            tally.skip(rma.rma, why)
            return
        events.note(connection, "return.created", f"Created in Loop for order {rma.order_name}", at=rma.created_at, rma=rma.rma, actor="Loop")
        _authorize(ctx, connection, rma, tally)
        return
    rma = replace(rma, refund_ids=rma.refund_ids or known.document.refund_ids)
    if rma == known.document:
        tally.skip(rma.rma, "unchanged")
        return
    if (known.hold or known.none_because) and rma.state in ("open", "review"):
        _authorize(ctx, connection, rma, tally)
    else:
        _follow(ctx, connection, known, rma, tally)


def _not_imported(ctx: Context, rma: Return, *, asked_for: bool) -> str:
    if rma.state in ("cancelled", "closed", "expired"):
        return f"{rma.state} in Loop before it was imported"
    if rma.created_at < ctx.import_from and not asked_for:
        return f"created before {ctx.import_from:%Y-%m-%d} (merchant.import_from); `gateway job LoopImportReturnAuthorizations --rma` imports it"
    return ""


def _authorize(ctx: Context, connection: Connection, rma: Return, tally: Tally) -> None:
    """Make the RAs of a return, or hold it and say why."""
    made = authorizing.authorize(rma, places=ctx.places, policy=ctx.policy, version=1, at=ctx.now())
    returns.save_return(connection, rma, at=ctx.now(), hold=(made.hold, made.hold_key), none_because=made.none_because)
    if made.hold:
        tally.skip(rma.rma, f"held: {made.hold}")
        events.open_task(connection, "held return", rma.rma, f"RMA {rma.rma} is held: {made.hold}", at=ctx.now(), rma=rma.rma)
        return
    events.close_tasks(connection, kind="held return", subject=rma.rma, because="mapped", at=ctx.now())
    if made.none_because:
        tally.skip(rma.rma, made.none_because)
        events.note(connection, "return.nothing-physical", made.none_because, at=ctx.now(), rma=rma.rma)
        return
    tally.done += 1
    for ra in made.authorizations:
        _make(ctx, connection, ra, hold=rma.state == "review" and not ctx.policy.transmit_in_review)


def _make(ctx: Context, connection: Connection, ra: Authorization, *, hold: bool) -> None:
    reason = "the return is in review in Loop; it is sent when it is open again" if hold else ""
    returns.save_authorization(connection, ra, state=RaState.HELD if hold else RaState.IMPORTED, at=ctx.now(), hold=reason)
    text = f"{ra.ra} made for {ra.warehouse}: " + ", ".join(f"{line.quantity} x {line.sku}" for line in ra.lines)
    events.note(connection, "ra.made", text, at=ctx.now(), rma=ra.rma, ra=ra.ra, facts={"value": str(ra.value)})
    content = outbound.words(ctx.template("note.authorized.txt.j2"), {"ra": ra, "at": f"{ctx.local(ctx.now()):%Y-%m-%d %H:%M}"}, longest=LONGEST_NOTE)
    _intend(ctx, connection, "loop.note", ra.rma, f"made {ra.ra}", {"content": content, "ra": ra.ra})
    if not hold:
        workqueue.enqueue(connection, "transmit", ra.ra, due_at=ctx.now())
    workqueue.enqueue(connection, "match", ra.ra, due_at=ctx.now())


def _intend(ctx: Context, connection: Connection, kind: str, rma: str, version: str, payload: dict[str, object]) -> None:
    effects.intend(connection, kind=kind, target=rma, version=version, payload={**payload, "rma": rma}, now=ctx.now())


def _follow(ctx: Context, connection: Connection, known: HeldReturn, rma: Return, tally: Tally) -> None:
    """Apply what changed in Loop to what we hold."""
    returns.save_return(connection, rma, at=ctx.now(), none_because=known.none_because)
    if known.hold:
        events.close_tasks(connection, kind="held return", subject=rma.rma, because=f"{rma.state} in Loop", at=ctx.now())
    tally.done += 1
    held = returns.authorizations_of(connection, rma.rma)
    if rma.state != known.document.state:
        events.note(connection, f"return.{rma.state}", f"Loop: {known.document.state} → {rma.state}", at=rma.updated_at, rma=rma.rma, actor="Loop")
    if rma.state == "closed":
        workqueue.enqueue(connection, "confirm", rma.rma, due_at=ctx.now())
    elif rma.state in ("cancelled", "expired"):
        for ra in held:
            _end(ctx, connection, ra, RaState(rma.state))
    else:
        _reopen(ctx, connection, held, rma)
        if rma.units != known.document.units:
            _change(ctx, connection, held, rma)


def _reopen(ctx: Context, connection: Connection, held: list[HeldAuthorization], rma: Return) -> None:
    """Send what was only held because its return was in review."""
    for ra in held:
        if ra.state == RaState.HELD and rma.state == "open" and ra.hold.startswith("the return is in review"):
            returns.advance(connection, ra.document.ra, RaState.IMPORTED, hold="")
            workqueue.enqueue(connection, "transmit", ra.document.ra, due_at=ctx.now())


def _end(ctx: Context, connection: Connection, ra: HeldAuthorization, state: RaState) -> None:
    """End an RA that Loop cancelled or let expire; what was sent is cancelled once (R-052)."""
    if not lifecycle.may(ra.state, state) or ra.state == state:
        return
    returns.advance(connection, ra.document.ra, state)
    events.note(connection, f"ra.{state.value}", f"{ra.document.ra} {state.value} in Loop", at=ctx.now(), rma=ra.document.rma, ra=ra.document.ra)
    if files.documents_for(connection, ra.document.ra):
        workqueue.enqueue(connection, "cancel", ra.document.ra, due_at=ctx.now())


def _change(ctx: Context, connection: Connection, held: list[HeldAuthorization], rma: Return) -> None:
    """Rebuild RAs whose lines changed: under the same number, one version higher (R-051)."""
    if not held or any(ra.state in lifecycle.DECIDED or ra.state in lifecycle.ENDED for ra in held):
        return
    version = max(ra.document.version for ra in held) + 1
    made = authorizing.authorize(rma, places=ctx.places, policy=ctx.policy, version=version, at=ctx.now())
    numbers = {ra.document.ra: ra for ra in held}
    if made.hold or {a.ra for a in made.authorizations} != set(numbers):
        text = f"RMA {rma.rma} was edited in Loop so that its RAs no longer fit ({made.hold or made.none_because or 'other warehouses'})"
        events.open_task(connection, "edited return", rma.rma, text, at=ctx.now(), rma=rma.rma, advice="tell the warehouse, and close the RA by hand")
        return
    for ra in made.authorizations:
        before = numbers[ra.ra]
        if ra.lines == before.document.lines:
            continue
        returns.save_authorization(connection, ra, state=before.state, at=ctx.now(), hold=before.hold)
        events.note(connection, "ra.changed", f"{ra.ra} version {version}: edited in Loop", at=ctx.now(), rma=rma.rma, ra=ra.ra)
        if before.state != RaState.HELD:
            workqueue.enqueue(connection, "transmit", ra.ra, due_at=ctx.now())
        workqueue.enqueue(connection, "decide", rma.rma, due_at=ctx.now())


def retry_held(ctx: Context, tally: Tally) -> None:
    """Try again every return that waited for a mapping; a mapping added releases all that waited for it."""
    with database.writing(ctx.engine) as connection:
        for held in returns.held_returns(connection):
            _authorize(ctx, connection, held.document, tally)


def export_return_receipts(ctx: Context, *, rma: str | None = None) -> Tally:
    """Decide every return that is due (R-005): received in full, marked final, or waited for long enough."""
    tally = Tally(scope=rma or "")
    with database.reading(ctx.engine) as connection:
        due = [rma] if rma else [r.document.rma for r in returns.returns_in_state(connection, {RaState.PARTLY_RECEIVED, RaState.RECEIVED})]
    for number in due:
        tally.read += 1
        try:
            said = decide(ctx, number)
        except GatewayError as error:
            tally.fail(number, error)
            continue
        if said.startswith(("process", "flag", "remove")):
            tally.done += 1
        else:
            tally.skip(number, said)
    return tally


def decide(ctx: Context, rma: str) -> str:
    """Bring the receipts of an RMA together and decide it if it is time; returns what was done, or why nothing was."""
    with database.writing(ctx.engine) as connection:
        return decide_within(ctx, connection, rma)


def decide_within(ctx: Context, connection: Connection, rma: str) -> str:
    """Decide in the caller's transaction (a preview rolls it back)."""
    held = returns.load_return(connection, rma)
    if held is None:
        return "not imported"
    ras = returns.authorizations_of(connection, rma)
    standings = [_stand(connection, ra) for ra in ras]
    if returns.load_decision(connection, rma):
        return "decided already"
    if held.document.state in ("closed", "cancelled", "expired"):
        return f"{held.document.state} in Loop"
    _show_progress(ctx, connection, ras, standings)
    waited = rma in returns.waited_out(connection, now=ctx.now())
    documents = [ra.document for ra in ras]
    decision = receiving.decide(held.document, standings, authorizations=documents, policy=ctx.policy, waited_out=waited)
    if decision.verdict == Verdict.WAIT:
        return decision.sentences[0]
    inputs = _inputs(connection, ras)
    if not returns.save_decision(connection, rma, decision, inputs=inputs, settings_version=ctx.policy.version, at=ctx.now()):
        return "decided already"
    text = f"{decision.verdict.value}: {'; '.join(decision.sentences)} (rule: {decision.rule})"
    events.note(connection, "return.decided", text, at=ctx.now(), rma=rma, facts={"reasons": [str(r) for r in decision.reasons], "inputs": inputs})
    _ask_loop(ctx, connection, held.document, ras, standings)
    return text


def _stand(connection: Connection, ra: HeldAuthorization) -> Standing:
    standing = receiving.accumulate(ra.document, [r.document for r in returns.receipts_of(connection, ra.document.ra)])
    returns.save_standing(connection, standing)
    return standing


def _show_progress(ctx: Context, connection: Connection, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> None:
    for ra, standing in zip(ras, standings, strict=True):
        if not standing.receipt_nos:
            continue
        wanted = RaState.RECEIVED if standing.missing == 0 else RaState.PARTLY_RECEIVED
        if ra.state != wanted and lifecycle.may(ra.state, wanted):
            first = ra.first_receipt_at or ctx.now()
            until = first + timedelta(seconds=ctx.timing.partial_wait)
            returns.advance(connection, ra.document.ra, wanted, first_receipt_at=first, wait_until=until)
            text = f"{ra.document.ra} {wanted.value}: {standing.received} of {standing.expected} units ({', '.join(standing.receipt_nos)})"
            events.note(connection, f"ra.{wanted.name.lower().replace('_', '-')}", text, at=ctx.now(), rma=ra.document.rma, ra=ra.document.ra)


def _inputs(connection: Connection, ras: Sequence[HeldAuthorization]) -> list[dict[str, object]]:
    """What a decision rests on: RA versions, receipts, files and lines (R-099)."""
    found: list[dict[str, object]] = []
    for ra in ras:
        for receipt in returns.receipts_of(connection, ra.document.ra):
            file = files.load(connection, receipt.file_id) if receipt.file_id else None
            found.append(
                {
                    "ra": ra.document.ra,
                    "version": ra.document.version,
                    "receipt": receipt.document.receipt_no,
                    "file": file.name if file else "",
                    "position": receipt.document.position,
                    "lines": [
                        f"{line.sku or line.stated}: {line.good} good, {line.second} second ({line.position})" for line in receipt.document.lines
                    ],
                }
            )
    return found


def _ask_loop(ctx: Context, connection: Connection, rma: Return, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> None:
    decided = returns.load_decision(connection, rma.rma)
    decision: receiving.Decision = decided["decision"] if decided else None  # type: ignore[assignment]
    facts = {**_receipt_facts(ctx, connection, ras, standings), "facts": "; ".join([*decision.sentences, *decision.candidates])}
    if decision.verdict == Verdict.PROCESS:
        details = {"Warehouse receipt": facts["receipts"], "RA": facts["ra"], "Received on": facts["received_on"]}
        _intend(ctx, connection, "loop.process", rma.rma, "1", {"details": details})
    elif decision.verdict == Verdict.REMOVE:
        _intend(ctx, connection, "loop.remove", rma.rma, "1", {"units": list(decision.remove_units)})
    else:
        note = outbound.words(ctx.template("note.flagged.txt.j2"), facts, longest=LONGEST_NOTE)
        _intend(ctx, connection, "loop.note", rma.rma, "flagged", {"content": note})
        _intend(ctx, connection, "loop.flag", rma.rma, "1", {})


def _receipt_facts(ctx: Context, connection: Connection, ras: Sequence[HeldAuthorization], standings: Sequence[Standing]) -> dict[str, str]:
    receipts = [r.document for ra in ras for r in returns.receipts_of(connection, ra.document.ra)]
    return {
        "ra": ", ".join(ra.document.ra for ra in ras),
        "receipts": ", ".join(dict.fromkeys(r.receipt_no for r in receipts)),
        "warehouse": ", ".join(dict.fromkeys(s.warehouse for s in standings)),
        "received_on": max((r.received_on.isoformat() for r in receipts), default=""),
    }


def perform_effect(ctx: Context, key: str) -> None:
    """Carry one effect to Loop."""
    effect = effecting.load(ctx, key)
    effecting.perform(ctx, effect, WAYS[effect.kind])


def _before_note(_ctx: Context, _effect: Effect) -> Look:
    return Look(sight=Sight.CLEAR)


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
    if database.instant(found.updated_at) == effect.evidence.get("updated_at"):
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
        returns.set_exchange_state(connection, effect.target, "waiting for exchange order")
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
    text = f"Loop did not {verb} RMA {effect.target}: {cause}. It is not tried again"
    events.open_task(connection, f"{verb} refused", effect.target, text, at=ctx.now(), rma=effect.target, advice=advice)


def _note(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.add_note(effect.target, effect.payload["content"])


def _process(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.process_return(effect.target, effect.payload["details"])


def _flag(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.flag_return(effect.target)


def _remove(ctx: Context, effect: Effect) -> Outcome:
    return ctx.loop.remove_units(effect.target, tuple(effect.payload["units"]))


WAYS: dict[str, Way] = {
    "loop.note": Way(label="note in Loop", before=_before_note, act=_note, after=_after_note, settled=_settled_note),
    "loop.process": Way(label="process in Loop", before=_before_action, act=_process, after=_after_action, settled=_settled_process),
    "loop.flag": Way(label="flag in Loop", before=_before_action, act=_flag, after=_after_action, settled=_settled_flag),
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
        _still_open(ctx, connection, rma, found.state)
    raise NotClosedYetError(f"RMA {rma} is {found.state} in Loop", delay=ctx.timing.confirm_process)


def _still_open(ctx: Context, connection: Connection, rma: str, state: str) -> None:
    asked = next((e for e in effects.of_target(connection, rma) if e.kind in ("loop.process", "loop.remove")), None)
    late = asked and asked.sent_at and ctx.now() - asked.sent_at > timedelta(seconds=ctx.timing.process_confirmation)
    if late:
        text = f"RMA {rma}: Loop accepted the process call, but after {ctx.timing.process_confirmation / 60:.0f} minutes the return is still {state}"
        advice = "look at the return in Loop Admin (an exchange out of stock or a failed refund puts it back to review); the call is not repeated"
        events.open_task(connection, "process not confirmed", rma, text, at=ctx.now(), rma=rma, advice=advice)


def _closed(ctx: Context, connection: Connection, held: HeldReturn, found: Return) -> None:
    """Loop has closed the return: its refunds, its exchange order and its removed units are known now."""
    rma = replace(
        held.document,
        state="closed",
        updated_at=found.updated_at,
        refund_ids=found.refund_ids,
        units=found.units and tuple(u for u in held.document.units if u.line_item_id in {f.line_item_id for f in found.units}),
        exchanges=found.exchanges or held.document.exchanges,
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
            events.note(connection, "return.closed", "Closed in Loop", at=found.updated_at, rma=rma.rma, ra=ra.document.ra, actor="Loop")
            _close_not_returned(connection, ra)
    events.close_tasks(connection, kind="process not confirmed", rma=rma.rma, because="closed", at=ctx.now())
    if first:
        _note_processed(ctx, connection, rma)
        if held.exchange_state in ("", "waiting for exchange order"):
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
    standings = [_stand(connection, ra) for ra in ras]
    received = "; ".join(f"{line.sku} {line.good} good" + (f", {line.second} second" if line.second else "") for s in standings for line in s.lines)
    asked = decided["decision"].verdict == Verdict.PROCESS
    facts = {**_receipt_facts(ctx, connection, ras, standings), "facts": received, "outcome": "Processed." if asked else "Closed after review."}
    note = outbound.words(ctx.template("note.processed.txt.j2"), facts, longest=LONGEST_NOTE)
    _intend(ctx, connection, "loop.note", rma.rma, "processed", {"content": note})


def _expect_exchange(ctx: Context, connection: Connection, rma: Return) -> None:
    if not rma.expects_exchange:
        return
    if ordering.kept_inside(rma) or ctx.policy.exchange_mode == "native":
        text = f"exchange kept inside the original order {rma.order_name}"
        returns.set_exchange_state(connection, rma.rma, text)
        events.note(connection, "exchange.inside", f"{text}: Loop names no separate order, so none is expected", at=ctx.now(), rma=rma.rma)
        return
    returns.set_exchange_state(connection, rma.rma, "waiting for exchange order")
    events.bring_forward(connection, "ShopifyImportOrders", now=ctx.now())
