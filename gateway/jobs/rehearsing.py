"""A partner that is not live yet: its files are read, answered and judged as they would be, and nothing comes of it (R-161, A-130).

A rehearsed receipt is kept in the state *test*: it counts for no RA, decides nothing and moves nothing. What it shows ticks a case of the partner's
checklist. Loop is not called about a return that such a partner is to receive. A partner that goes live gets every open RA again, as an original, into
its real folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from gateway.domain import lifecycle, receiving
from gateway.domain.documents import Authorization, Receipt, Return
from gateway.domain.lifecycle import RaState
from gateway.domain.receiving import Decision, Reason, Verdict
from gateway.errors import PermanentError
from gateway.jobs.context import Context
from gateway.jobs.reading import Reading
from gateway.store import database, events, files, received, returns, workqueue
from gateway.store.files import File
from gateway.store.returns import HeldAuthorization
from gateway.views import rehearsals

CASE_OF = {
    Reason.DAMAGED: "damaged",
    Reason.SHORT: "short",
    Reason.OVER: "over",
    Reason.WRONG_ITEM: "wrong item",
    Reason.UNEXPECTED_ITEM: "wrong item",
    Reason.UNMAPPED_ITEM: "wrong item",
}
MALFORMED = ("error", "partial", "quarantine")
STAGES = ("setup", "testing", "ready", "live")
RAN = "stage of"


class NotReadyError(PermanentError):
    """The partner has not shown everything it must show before it goes live."""


def is_rehearsal(ctx: Context, file: File) -> bool:
    """Whether a file is only tried: it lies in a test folder, or its partner is not live."""
    return file.folder == "test" or not ctx.profiles[file.partner].is_live


def rehearse(ctx: Context, connection: Connection, reading: Reading, receipt: Receipt, ra: HeldAuthorization | None, *, key: str) -> None:
    """Judge a receipt as if it counted, and keep it as a test."""
    cases, said = judge(ctx, connection, receipt, ra)
    number = received.add_receipt(
        connection,
        receipt,
        content_key=key,
        ra=ra.document.ra if ra else None,
        state="test",
        reason=said,
        file_id=reading.file.id,
        at=ctx.now(),
    )
    if number is None:
        reading.duplicates.append(f"duplicate receipt: {receipt.receipt_no} for {receipt.ra_reference} was tried before")
        return
    reading.applied += 1
    reading.remarks.append(f"test, without effect: {said}")
    tick(ctx, connection, reading.file, cases)


def judge(ctx: Context, connection: Connection, receipt: Receipt, ra: HeldAuthorization | None) -> tuple[tuple[str, ...], str]:
    """The cases a receipt shows, and what would be decided, in words; a part of a delivery is judged together with the parts before it."""
    held = returns.load_return(connection, ra.document.rma) if ra else None
    if ra is None or held is None:
        return ("unknown RA",), f"receipt {receipt.receipt_no} names no RA that is known ({receipt.ra_reference or 'none given'})"
    alone = _decide(ctx, held.document, ra.document, [receipt])
    earlier = [r.document for r in received.test_receipts_of(connection, ra.document.ra)]
    decision = _decide(ctx, held.document, ra.document, [*earlier, receipt]) if alone.verdict == Verdict.WAIT else alone
    words = f"{ra.document.ra} would be decided: {decision.verdict.value}, {'; '.join(decision.sentences)} (rule: {decision.rule})"
    if decision.verdict == Verdict.WAIT:
        return (), f"{ra.document.ra} would wait: {'; '.join(decision.sentences)}"
    if not decision.reasons:
        return ("good",), words
    return tuple(dict.fromkeys(CASE_OF[reason] for reason in decision.reasons if reason in CASE_OF)), words


def _decide(ctx: Context, rma: Return, ra: Authorization, tried: Sequence[Receipt]) -> Decision:
    return receiving.decide(rma, [receiving.accumulate(ra, tried)], authorizations=[ra], policy=ctx.policy, waited_out=False)


def note_outcome(ctx: Context, connection: Connection, file: File, outcome: str) -> None:
    """Tick what a file as a whole shows: that it came twice, or that it was malformed."""
    if is_rehearsal(ctx, file):
        tick(ctx, connection, file, ["duplicate"] if outcome == "duplicate" else ["malformed"] if outcome in MALFORMED else [])


def tick(ctx: Context, connection: Connection, file: File, cases: Iterable[str]) -> None:
    """Tick cases of the checklist, the first time each is shown."""
    for case in cases:
        key = rehearsals.shown_key(file.partner, case)
        if events.position(connection, key) is None:
            events.set_position(connection, key, json.dumps({"by": file.name, "at": database.instant(ctx.now())}))
            text = f"{file.name} shows the test case *{case}*"
            events.note(connection, "test.shown", text, at=ctx.now(), file_id=file.id, partner=file.partner, facts={"case": case})


def waive(ctx: Context, *, partner: str, case: str, actor: str, reason: str) -> str:
    """Let a partner go live without a case, for a reason that is kept."""
    if case not in rehearsals.CASES:
        raise PermanentError(f"{case!r} is no test case; the cases are {', '.join(rehearsals.CASES)}")
    if not reason.strip():
        raise PermanentError("say why the case is waived; it is kept with the partner")
    with database.writing(ctx.engine) as connection:
        events.set_position(connection, rehearsals.waived_key(partner, case), f"{reason} ({actor})")
        events.note(
            connection, "test.waived", f"{partner}: {case} waived: {reason}", at=ctx.now(), partner=partner, actor=actor, facts={"case": case}
        )
    return f"{partner}: {case} is waived"


def check_stage(ctx: Context, *, partner: str, stage: str, actor: str, reason: str = "") -> str:
    """Allow a partner another stage, and record who did; refused for *live* while a case is open. Whoever asks then writes it into the profile."""
    if stage not in STAGES:
        raise PermanentError(f"{stage!r} is no stage; the stages are {', '.join(STAGES)}")
    with database.writing(ctx.engine) as connection:
        missing = rehearsals.missing_cases(connection, partner=partner) if stage == "live" else []
        if missing:
            raise NotReadyError(f"{partner} cannot go live: {', '.join(missing)} not shown yet; let the partner send it, or waive it with a reason")
        text = f"{partner} may be {stage}" + (f": {reason}" if reason else "")
        events.note(connection, "partner.stage", text, at=ctx.now(), partner=partner, actor=actor, facts={"stage": stage})
    return text


def follow_stages(ctx: Context) -> None:
    """See which partners have gone live since the last look, and send them their open RAs again, for real."""
    with database.writing(ctx.engine) as connection:
        for partner, profile in ctx.profiles.items():
            before = events.position(connection, f"{RAN} {partner}")
            if before == profile.stage:
                continue
            events.set_position(connection, f"{RAN} {partner}", profile.stage)
            if before is not None and before != "live" and profile.is_live:
                _go_live(ctx, connection, partner)


def _go_live(ctx: Context, connection: Connection, partner: str) -> None:
    missing = rehearsals.missing_cases(connection, partner=partner)
    if missing:
        text = f"{partner} went live by its profile, but these cases were neither shown nor waived: {', '.join(missing)}"
        events.raise_alert(connection, "live without tests", partner, text, at=ctx.now())
    files.retire_test_documents(connection, partner=partner)
    for held in returns.list_authorizations(connection, states=lifecycle.BEFORE_RECEIPT, partner=partner):
        ra = held.document
        if held.state in (RaState.SENT, RaState.ACKNOWLEDGED):
            returns.advance(connection, ra.ra, RaState.QUEUED)
            events.note(connection, "ra.live", f"{partner} is live: {ra.ra} is sent for real", at=ctx.now(), rma=ra.rma, ra=ra.ra, partner=partner)
            workqueue.enqueue(connection, "transmit", ra.ra, due_at=ctx.now())
