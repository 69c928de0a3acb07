"""Acknowledgements both ways: ours for what came, the partner's for what we sent (requirements section 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState
from gateway.edi import acknowledge, x12
from gateway.jobs.context import Context
from gateway.jobs.reading import Reading
from gateway.mapping import outbound
from gateway.mapping.profiles import Profile
from gateway.store import events, files, returns, workqueue


def take_ta1(ctx: Context, connection: Connection, reading: Reading, event: x12.InterchangeAck) -> None:
    said = acknowledge.read_ta1(event.segment)
    text = f"TA1: our interchange {said.control} was {'accepted' if said.result in 'AE' else 'rejected'} ({said.code} {said.meaning})"
    reading.remarks.append(text)
    reading.applied += 1
    events.note(connection, "acknowledgement.ta1", text, at=ctx.now(), file_id=reading.file.id, partner=reading.profile.partner)
    if said.result == "R":
        events.raise_alert(connection, "interchange rejected", f"{reading.profile.partner} {said.control}", text, at=ctx.now())


def answer_group(ctx: Context, connection: Connection, reading: Reading, segments: list[list[str]]) -> None:
    """Write a 997 for a group of the file being read."""
    _answer(
        ctx,
        connection,
        reading,
        "997",
        lambda controls, profile: outbound.to_acknowledgement(segments, profile=profile, controls=controls, at=ctx.now()),
    )


def answer_interchange(ctx: Context, connection: Connection, reading: Reading, segment: list[str]) -> None:
    """Write a TA1 for an interchange whose envelope was refused; no 997 follows (x12 section 3)."""
    _answer(ctx, connection, reading, "TA1", lambda controls, profile: outbound.to_ta1(segment, profile=profile, controls=controls, at=ctx.now()))


def _answer(ctx: Context, connection: Connection, reading: Reading, document: str, write: Callable[[outbound.Controls, Profile], bytes]) -> None:
    profile = reading.profile
    if profile.x12 is None or not profile.receive.acknowledge or reading.again:
        return
    controls = take_controls(connection, profile)
    content = write(controls, profile)
    file_id = files.add(
        connection,
        at=ctx.now(),
        direction="out",
        partner=profile.partner,
        name=outbound.file_name(profile, ra="", document=document, controls=controls, number=controls.interchange, at=ctx.now()),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        state="pending",
        control=f"{controls.interchange:09d}",
        content=content,
        folder=reading.file.folder,
    )
    facts = {"file_id": file_id, "partner": profile.partner, "direction": "out", "document": document, "validation": "valid"}
    files.add_document(connection, **facts, group_control=str(controls.group), set_control="0001")
    text = f"{document} made for {reading.file.name}"
    events.note(connection, "acknowledgement.made", text, at=ctx.now(), file_id=reading.file.id, partner=profile.partner)
    workqueue.enqueue(connection, "deliver", file_id, due_at=ctx.now())


def take_controls(connection: Connection, profile: Profile) -> outbound.Controls:
    """The next interchange and group control numbers of a partner, in the caller's transaction."""
    first = profile.x12.first_control if profile.x12 else 1
    interchange = files.next_control(connection, partner=profile.partner, kind="interchange", first=first)
    return outbound.Controls(interchange=interchange, group=files.next_control(connection, partner=profile.partner, kind="group", first=first))


def take_acknowledgement(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet) -> None:
    """Match a 997 or 999 to what was sent (R-131); a later rejection wins over an earlier acceptance."""
    said = acknowledge.read_acknowledgement(document)
    reading.applied += 1
    sent = files.sent_documents(connection, partner=reading.profile.partner, group_control=said.group_control)
    sent = [row for row in sent if row["document"] != "997"]
    if not sent:
        reading.remarks.append(f"{document.set_id} for group {said.group_control}: nothing was sent under this number (information)")
        return
    by_set = {s.control.lstrip("0"): s for s in said.sets}
    for row in sent:
        one = by_set.get(row["set_control"].lstrip("0"))
        result = one.result if one else said.group_result
        _acknowledge_document(ctx, connection, reading, row, result, [*(one.reasons if one else []), *said.reasons])


def _acknowledge_document(ctx: Context, connection: Connection, reading: Reading, row: dict[str, object], result: str, reasons: list[str]) -> None:
    states = {"A": "accepted", "E": "accepted with errors", "R": "rejected", "P": "rejected"}
    state = states.get(result, "rejected")
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
