"""Our answers to what a partner sent: 997 or 999 and TA1 or CONTRL about syntax, 824 or APERAK about business (requirements section 7).

Each is written once a file; a replay writes none again. A business fault never goes into a 997, and a 997 or CONTRL is never answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from gateway.edi import acknowledge, edifact, edifact_answers, x12
from gateway.edi.acknowledge import AdviceError, AdviceItem, ApplicationAdvice, GroupResults
from gateway.edi.edifact_answers import ApplicationAnswer, ApplicationError, MessageResult
from gateway.edi.syntax import Finding
from gateway.jobs.context import Context
from gateway.jobs.reading import Reading
from gateway.mapping import outbound, outbound_edifact
from gateway.mapping.outbound import Controls
from gateway.mapping.profiles import Profile
from gateway.store import events, files, workqueue

USUAL_NAME = "{partner}_{document}_{control}.edi"
# TED01 (list 647) of our business faults; everything else is told in words under 848, incorrect data.
ADVICE_CODES = {
    "receipt.total": "010", "receipt.quantity": "IQT", "receipt.item": "Q", "receipt.date": "009", "receipt.number": "007", "receipt.empty": "INC",
}  # fmt: skip
OTHER_ADVICE, REJECTED_BY_BUSINESS = "848", "12"


def answer_group(ctx: Context, connection: Connection, reading: Reading, event: x12.GroupEnd, results: GroupResults) -> None:
    """Write a 997 or 999, as the profile says, for a group of the file being read."""
    identity = reading.profile.x12
    if identity is None:
        return
    document = reading.profile.receive.acknowledge_with
    separators, group = outbound.separators_of(identity), (event.header, results, event.findings, event.declared, event.counted)
    if document == "999":
        segments = acknowledge.acknowledge_group_999(*group, separators)
    else:
        segments = acknowledge.acknowledge_group(*group, separators, version=identity.version)
    _answer(ctx, connection, reading, document, lambda c, p: outbound.to_answer(document, segments, profile=p, controls=c, at=ctx.now()))


def answer_interchange(ctx: Context, connection: Connection, reading: Reading, segment: list[str]) -> None:
    """Write a TA1; where it rejects, no 997 follows (x12 section 3)."""
    _answer(ctx, connection, reading, "TA1", lambda c, p: outbound.to_ta1(segment, profile=p, controls=c, at=ctx.now()))


def answer_edifact(
    ctx: Context,
    connection: Connection,
    reading: Reading,
    header: edifact.InterchangeHeader,
    results: Sequence[MessageResult],
    findings: Sequence[Finding],
) -> None:
    """Write a CONTRL for an interchange, when the profile wants one for it."""
    wanted = reading.profile.receive.contrl
    faulty = any(f.severity == "error" for f in [*findings, *(f for result in results for f in result.findings)])
    if wanted == "always" or faulty or (wanted == "requested" and header.ack_requested):
        body = edifact_answers.write_contrl(header, results, findings)
        _answer(ctx, connection, reading, "CONTRL", lambda c, p: outbound_edifact.to_answer("CONTRL", body, profile=p, controls=c, at=ctx.now()))


def advise_x12(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet, faults: Sequence[Finding]) -> None:
    """Write an 824 that says why a readable set was not used, when the profile wants one."""
    profile = reading.profile
    if not profile.receive.advise or profile.x12 is None or not faults:
        return
    at, group, ours = ctx.now(), document.group, profile.x12
    item = AdviceItem(
        result="TR",
        reference_qualifier="TN",
        reference=document.control,
        group_control=group.control if group else "",
        set_control=document.control,
        set_id=document.set_id,
        version=group.version if group else "",
        errors=tuple(_advice_error(fault) for fault in faults),
    )
    advice = ApplicationAdvice(
        number=f"{reading.file.id}-{document.ordinal}",
        date=f"{at:%Y%m%d}",
        time=f"{at:%H%M}",
        sender=("", "ZZ", ours.our_id),
        receiver=("", "ZZ", ours.partner_id),
        items=(item,),
    )
    segments = acknowledge.write_application_advice(advice, outbound.separators_of(ours))
    _answer(ctx, connection, reading, "824", lambda c, p: outbound.to_answer("824", segments, profile=p, controls=c, at=at))


def _advice_error(fault: Finding) -> AdviceError:
    return AdviceError(
        code=ADVICE_CODES.get(fault.code, OTHER_ADVICE),
        text=fault.message,
        segment=fault.tag or "",
        position=fault.segment,
        element=fault.element,
        value=fault.value or "",
        notes=(fault.remedy,),
    )


def advise_edifact(ctx: Context, connection: Connection, reading: Reading, message: edifact.Message, faults: Sequence[Finding]) -> None:
    """Write an APERAK that says why a readable message was not used, when the profile wants one."""
    profile = reading.profile
    if not profile.receive.advise or profile.edifact is None or not faults:
        return
    at = ctx.now()
    number = next((segment.get(2) for segment in message.segments if segment.tag == "BGM"), "")
    errors = tuple(ApplicationError(REJECTED_BY_BUSINESS, f"{fault.where()}: {fault.message}") for fault in faults)
    references = (("ACW", number or message.control),)
    answer = ApplicationAnswer(f"{reading.file.id}-{message.ordinal}", f"{at:%Y%m%d}", references, errors)
    body = edifact_answers.write_aperak(answer, profile.edifact.syntax)
    _answer(ctx, connection, reading, "APERAK", lambda c, p: outbound_edifact.to_answer("APERAK", body, profile=p, controls=c, at=at))


def _answer(ctx: Context, connection: Connection, reading: Reading, document: str, write: Callable[[Controls, Profile], bytes]) -> None:
    profile = reading.profile
    if not profile.receive.acknowledge or reading.again:
        return
    syntax = "edifact" if document in outbound_edifact.ANSWER_VERSIONS else "x12"
    controls = take_controls(connection, profile, syntax)
    if controls is None:
        return
    content = write(controls, profile)
    file_id = files.add(
        connection,
        at=ctx.now(),
        direction="out",
        partner=profile.partner,
        name=_name(profile, document, syntax, controls, ctx),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        state="pending",
        control=control_text(controls, syntax),
        content=content,
        folder=reading.file.folder,
    )
    facts = {"file_id": file_id, "partner": profile.partner, "direction": "out", "document": document, "validation": "valid"}
    files.add_document(connection, **facts, group_control=str(controls.group), set_control="0001")
    text = f"{document} made for {reading.file.name}"
    events.note(connection, "acknowledgement.made", text, at=ctx.now(), file_id=reading.file.id, partner=profile.partner)
    workqueue.enqueue(connection, "deliver", file_id, due_at=ctx.now(), partner=profile.partner)


def _name(profile: Profile, document: str, syntax: str, controls: Controls, ctx: Context) -> str:
    """The name of an answer: the profile's own pattern for answers, the one for RAs where it is of the same syntax, or the usual one."""
    same = profile.send.kind.syntax == syntax and "{ra}" not in profile.send.file_name
    pattern = profile.receive.answer_file_name or (profile.send.file_name if same else USUAL_NAME)
    return outbound.file_name(
        pattern, partner=profile.partner, ra="", document=document, controls=controls, number=controls.interchange, at=ctx.now()
    )


def take_controls(connection: Connection, profile: Profile, syntax: str) -> Controls | None:
    """The next control numbers of a partner in a syntax, in the caller's transaction; none for a flat file, or where the profile has no such part.

    X12 has one for the interchange and one for the group; in EDIFACT both are the interchange reference.
    """
    if syntax == "x12" and profile.x12:
        return Controls(**files.next_controls(connection, partner=profile.partner, kinds=("interchange", "group"), first=profile.x12.first_control))
    if syntax == "edifact" and profile.edifact:
        number = files.next_control(connection, partner=profile.partner, kind="edifact", first=profile.edifact.first_control)
        return Controls(interchange=number, group=number)
    return None


def control_text(controls: Controls | None, syntax: str) -> str:
    """The interchange number as it stands in the file: nine digits in X12, plain in EDIFACT."""
    if controls is None:
        return ""
    return f"{controls.interchange:09d}" if syntax == "x12" else str(controls.interchange)
