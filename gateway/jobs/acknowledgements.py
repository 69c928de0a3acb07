"""What partners say about what we sent: 997, 999, TA1 and CONTRL about syntax, 824 and APERAK about business (R-131, R-133).

Each is matched by the control numbers it names, never by a guess, and told per document: accepted, accepted with errors, or rejected with the reason in
words and a task for the RA. A later rejection wins over an earlier acceptance; what is said twice, or of a number that was never used, is information.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState
from gateway.edi import acknowledge, edifact, edifact_answers, x12
from gateway.edi.acknowledge import AdviceItem
from gateway.edi.edifact_answers import RECEIVED, REJECTED
from gateway.jobs.context import Context
from gateway.jobs.reading import Reading
from gateway.mapping.profile_parts import KINDS
from gateway.store import events, files, returns

STATES = {"A": "accepted", "E": "accepted with errors", "7": "accepted"}
ADVISED_AGAINST = frozenset("RP")  # second letter of OTI01: rejected, in part


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A partner's word on the business of a document."""

    kind: str
    reference: str
    reasons: list[str]
    rejected: bool


def take_acknowledgement(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet) -> None:
    """A 997 or 999."""
    said = acknowledge.read_acknowledgement(document)
    reading.applied += 1
    sent = _sent(connection, reading, said.group_control, "x12")
    if not sent:
        reading.remarks.append(f"{document.set_id} for group {said.group_control}: nothing was sent under this number (information)")
        return
    by_set = {s.control.lstrip("0"): s for s in said.sets}
    if said.group_result == "P" and not any(s.result == "R" for s in said.sets):
        _ask(ctx, connection, reading, said.group_control)
        return
    for row in sent:
        one = by_set.get(row["set_control"].lstrip("0"))
        result = (one.result if one else "") or ("A" if said.group_result == "P" else said.group_result)
        _tell(ctx, connection, reading, row, result, [*(one.reasons if one else []), *said.reasons])


def _ask(ctx: Context, connection: Connection, reading: Reading, group: str) -> None:
    """Part of a group was rejected, and not a word which (x12 section 4.3): a person asks."""
    text = f"group {group} was accepted in part by {reading.profile.partner}, which does not say which documents were rejected"
    advice = "ask the partner which documents it has not; then `gateway resend` these"
    events.open_task(connection, "unclear acknowledgement", f"{reading.profile.partner} {group}", text, at=ctx.now(), advice=advice)
    reading.remarks.append(text)


def take_ta1(ctx: Context, connection: Connection, reading: Reading, event: x12.InterchangeAck) -> None:
    """A TA1: what it rejects was not read at all, and no 997 will come for it."""
    said = acknowledge.read_ta1(event.segment)
    text = f"TA1: our interchange {said.control} was {'accepted' if said.result in 'AE' else 'rejected'} ({said.code} {said.meaning})"
    reading.remarks.append(text)
    reading.applied += 1
    events.note(connection, "acknowledgement.ta1", text, at=ctx.now(), file_id=reading.file.id, partner=reading.profile.partner)
    if said.result != "R":
        return
    events.raise_alert(connection, "interchange rejected", f"{reading.profile.partner} {said.control}", text, at=ctx.now())
    for row in files.documents_under(connection, partner=reading.profile.partner, control=said.control):
        _tell(ctx, connection, reading, row, "R", [text])


def take_contrl(ctx: Context, connection: Connection, reading: Reading, message: edifact.Message) -> None:
    """A CONTRL: action 8 says only that the file has come; the verdict follows, or is waived."""
    said = edifact_answers.read_contrl(message)
    reading.applied += 1
    sent = _sent(connection, reading, said.control, "edifact")
    if not sent:
        reading.remarks.append(f"CONTRL for interchange {said.control}: nothing was sent under this reference (information)")
        return
    if said.action == RECEIVED:
        text = f"CONTRL: our interchange {said.control} has arrived; the verdict is still awaited"
        reading.remarks.append(text)
        events.note(connection, "acknowledgement.received", text, at=ctx.now(), file_id=reading.file.id, partner=reading.profile.partner)
        return
    for row in sent:
        named = next((m for m in said.messages if m.control.lstrip("0") == row["set_control"].lstrip("0")), None)
        rejected = said.action == REJECTED or (named is not None and named.action == REJECTED)
        _tell(ctx, connection, reading, row, "R" if rejected else "A", [*(named.reasons if named else ()), *said.reasons])


def take_advice(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet) -> None:
    """An 824: each item that rejects is linked to its RA by the control numbers, or by the reference it names."""
    advice = acknowledge.read_application_advice(document)
    reading.applied += 1
    for item in advice.items:
        reasons = [_advice_words(error) for error in item.errors]
        rows = [row for row in _sent(connection, reading, item.group_control, "x12") if _same_set(row, item)] if item.group_control else []
        rows = rows or _by_reference(connection, reading, [item.reference])
        _take_business(ctx, connection, reading, _Verdict("824", item.reference, reasons, item.result[1:] in ADVISED_AGAINST), rows)


def _advice_words(error: acknowledge.AdviceError) -> str:
    place = f"segment {error.position} ({error.segment}): " if error.position and error.segment else f"{error.segment}: " if error.segment else ""
    said = error.meaning if error.meaning == error.text or not error.text else f"{error.meaning}: {error.text}"
    return place + said + (f", found '{error.value}'" if error.value else "") + "".join(f" ({note})" for note in error.notes)


def _same_set(row: dict[str, Any], item: AdviceItem) -> bool:
    return not item.set_control or row["set_control"].lstrip("0") == item.set_control.lstrip("0")


def take_aperak(ctx: Context, connection: Connection, reading: Reading, message: edifact.Message) -> None:
    """An APERAK: with errors it rejects; it names our document by a reference to its number, or to our interchange."""
    answer = edifact_answers.read_aperak(message)
    reading.applied += 1
    named = [number for _, number in (*answer.references, *(e.reference for e in answer.errors if e.reference))]
    rows = _by_reference(connection, reading, named)
    rows = rows or [row for number in named for row in _sent(connection, reading, number, "edifact")]
    bad = [error for error in answer.errors if not error.text.lower().startswith("message accepted")]
    reasons = [f"{error.code}: {error.text}" if error.text else f"code {error.code}" for error in bad]
    _take_business(ctx, connection, reading, _Verdict("APERAK", ", ".join(named), reasons, bool(bad)), rows)


def _take_business(ctx: Context, connection: Connection, reading: Reading, verdict: _Verdict, rows: list[dict[str, Any]]) -> None:
    """What an 824 or APERAK says of our documents; one that nobody can be found for becomes a task when it rejects."""
    words = "; ".join(verdict.reasons) or "no reason given"
    text = f"{verdict.kind} on {verdict.reference or 'no reference'}: {'rejected: ' + words if verdict.rejected else 'accepted'}"
    events.note(connection, "acknowledgement.advice", text, at=ctx.now(), file_id=reading.file.id, partner=reading.profile.partner)
    if not verdict.rejected:
        reading.remarks.append(f"{text} (information)")
    elif rows:
        for row in rows:
            _tell(ctx, connection, reading, row, "R", [f"{verdict.kind}: {words}"])
    else:
        advice = "ask the partner which document is meant; the file is in the archive"
        subject = f"{reading.profile.partner} {verdict.reference}"[:160]
        events.open_task(connection, "business reject", subject, f"{text}; none of our documents has this number", at=ctx.now(), advice=advice)


def _by_reference(connection: Connection, reading: Reading, references: Iterable[str]) -> list[dict[str, Any]]:
    """The newest document sent for an RA that is named."""
    held = returns.find_authorization(connection, partner=reading.profile.partner, references=[r for r in references if r])
    return files.documents_for(connection, held.document.ra)[-1:] if held else []


def _sent(connection: Connection, reading: Reading, number: str, syntax: str) -> list[dict[str, Any]]:
    """The RAs' documents we sent in a syntax under a group number or interchange reference; answers of ours are none."""
    rows = files.sent_documents(connection, partner=reading.profile.partner, group_control=number)
    return [row for row in rows if row["document"] in KINDS and KINDS[row["document"]].syntax == syntax]


def _tell(ctx: Context, connection: Connection, reading: Reading, row: dict[str, Any], result: str, reasons: list[str]) -> None:
    state = STATES.get(result, "rejected")
    before = str(row["acknowledgement"])
    if before == state or (before == "rejected" and state != "rejected"):
        reading.remarks.append(f"{row['ra']}: {state} again (information)")
        return
    reason = "; ".join(reasons)
    number = str(row["ra"] or "")
    files.change_document(connection, int(str(row["id"])), acknowledgement=state, reason=reason, acknowledged_at=ctx.now())
    held = returns.load_authorization(connection, number)
    rma = held.document.rma if held else None
    text = f"{row['file_name']}: {state} by partner" + (f": {reason}" if reason else "")
    events.note(connection, f"acknowledgement.{state.split()[0]}", text, at=ctx.now(), rma=rma, ra=number or None, file_id=reading.file.id,
                partner=reading.profile.partner, actor=reading.profile.partner)  # fmt: skip
    events.resolve_alert(connection, "acknowledgement overdue", f"{row['file_name']}", at=ctx.now())
    if state == "rejected":
        advice = f"correct the cause, then `gateway resend {number}`; the other documents of the file were taken"
        events.open_task(connection, "rejected by partner", number, f"{number} rejected by partner: {reason}", at=ctx.now(), rma=rma, advice=advice)
    elif held and held.state == RaState.SENT:
        returns.advance(connection, number, RaState.ACKNOWLEDGED)
