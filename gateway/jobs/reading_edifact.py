"""An EDIFACT file message by message: each applied by its kind, each interchange answered by a CONTRL, one with a fault undone with all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.engine import NestedTransaction

from gateway.edi import edifact, edifact_answers
from gateway.edi.edifact_answers import MessageResult
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.jobs import acknowledgements, answers, receipts, stock_reports
from gateway.jobs.context import Context
from gateway.jobs.envelopes import Claim, check_claim, note_all, note_outside
from gateway.jobs.reading import BadParts, Problem, Reading
from gateway.mapping import inbound_edifact, readers

LONGEST_HEAD = 4096  # bytes in which UNA, UNB and what may stand before the first message have room
KNOWN_BUT_UNUSED = frozenset({"DESADV", "RETANN", "RETINS", "INVRPT", "RECADV"})


@dataclass(slots=True)
class _Envelope:
    """The interchange and group being read: savepoints, counts to go back to, results to answer with, messages that are to be corrected."""

    interchange: NestedTransaction | None = None
    group: NestedTransaction | None = None
    before_interchange: tuple[int, int] = (0, 0)
    before_group: tuple[int, int] = (0, 0)
    results: list[MessageResult] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    bad: BadParts[int] = field(default_factory=BadParts)
    headers: dict[int, edifact.InterchangeHeader] = field(default_factory=dict)

    def take(self, result: MessageResult) -> None:
        """Keep what the answer will tell of a message; what is right is not named in a CONTRL."""
        self.kinds.add(result.identity[0])
        if result.findings:
            self.results.append(result)


def read(ctx: Context, connection: Connection, reading: Reading, chunks: Iterable[bytes]) -> None:
    """Apply what an EDIFACT file says."""
    envelope = _Envelope()
    for event in edifact.read_messages(chunks, strictness=readers.strictness_of(reading.profile)):
        if isinstance(event, edifact.Message):
            result, good = _take_message(ctx, connection, reading, event)
            envelope.take(result)
            if not good:
                envelope.bad.add(event.interchange.offset, event.offset, event.end_offset)
        elif isinstance(event, edifact.FileFinding):
            note_outside(reading, event.finding)
        else:
            _take_envelope(ctx, connection, reading, event, envelope)
    receipts.record_pending(ctx, connection, reading)
    reading.rest = _rest(ctx, reading, envelope)


def _take_envelope(
    ctx: Context,
    connection: Connection,
    reading: Reading,
    event: edifact.InterchangeStart | edifact.GroupStart | edifact.GroupEnd | edifact.InterchangeEnd,
    envelope: _Envelope,
) -> None:
    match event:
        case edifact.InterchangeStart(header=header):
            usage = "T" if header.test else "P"
            claim = Claim(part="edifact", sender=header.sender, control=header.control, usage=usage, sender_at="UNB S002", usage_at="UNB 0035")
            check_claim(ctx, connection, reading, claim)
            note_all(reading, event.findings, f"interchange {header.control}")
            receipts.record_pending(ctx, connection, reading)
            envelope.interchange, envelope.before_interchange = connection.begin_nested(), reading.counts
            envelope.results, envelope.kinds, envelope.findings = [], set(), list(event.findings)
            envelope.headers[header.offset] = header
        case edifact.GroupStart():
            receipts.record_pending(ctx, connection, reading)
            envelope.group, envelope.before_group = connection.begin_nested(), reading.counts
        case edifact.GroupEnd():
            _end_group(ctx, connection, reading, event, envelope)
        case edifact.InterchangeEnd():
            _end_interchange(ctx, connection, reading, event, envelope)


def _take_message(ctx: Context, connection: Connection, reading: Reading, message: edifact.Message) -> tuple[MessageResult, bool]:
    """Apply one message, and say whether it was used; only syntax goes into its result (R-130)."""
    name = f"message {message.ordinal} ({message.message_type} {message.control})"
    note_all(reading, message.findings, name)
    result = edifact_answers.result_of(message)
    if not message.accepted:
        return result, False
    if message.message_type == "CONTRL":
        acknowledgements.take_contrl(ctx, connection, reading, message)
    elif message.message_type == "APERAK":
        acknowledgements.take_aperak(ctx, connection, reading, message)
    elif message.message_type == "RECADV" and reading.profile.receive.recadv:
        return result, _take_receipt(ctx, connection, reading, message)
    elif message.message_type == "INVRPT" and reading.profile.receive.stock:
        faults = stock_reports.take(ctx, connection, reading, message)
        answers.advise_edifact(ctx, connection, reading, message, faults)
        return result, not faults
    elif message.message_type in KNOWN_BUT_UNUSED:
        reading.remarks.append(f"{name}: documents of type {message.message_type} are not used from {reading.profile.partner}; kept in the archive")
        reading.applied += 1
    else:
        unknown = _not_known(message)
        reading.problems.append(Problem.of(unknown, name))
        return MessageResult(result.control, result.identity, [*message.findings, unknown]), False
    return result, True


def _take_receipt(ctx: Context, connection: Connection, reading: Reading, message: edifact.Message) -> bool:
    found = inbound_edifact.to_receipt(message, profile=reading.profile, catalogue=ctx.places.catalogue)
    if found.receipt is None:
        reading.problems.extend([Problem.of(fault, found.position) for fault in found.faults])
        answers.advise_edifact(ctx, connection, reading, message, found.faults)
        return False
    receipts.take_receipt(ctx, connection, reading, found.receipt)
    return True


def _not_known(message: edifact.Message) -> Finding:
    return Finding(
        code="file.unknown-document",
        severity=Severity.ERROR,
        scope=Scope.SET,
        message=f"Documents of type {message.message_type} are not used here; expected RECADV (receipt), INVRPT (stock), CONTRL or APERAK.",
        remedy="send returns documents only; if this type is meant, ask us to set it up",
        offset=message.offset,
        tag="UNH",
        element=2,
        value=message.message_type,
        ack="14",
        ack_kind="UCM",
    )


def _end_group(ctx: Context, connection: Connection, reading: Reading, event: edifact.GroupEnd, envelope: _Envelope) -> None:
    """Keep or undo a group; its faults reject the messages in it."""
    note_all(reading, event.findings, f"group {event.header.control}")
    spoiled = any(f.severity == Severity.ERROR for f in event.findings)
    if spoiled:
        reading.go_back(envelope.before_group)
        envelope.findings += event.findings
    receipts.record_pending(ctx, connection, reading)
    if envelope.group is not None:
        (envelope.group.rollback if spoiled else envelope.group.commit)()
        envelope.group = None


def _end_interchange(ctx: Context, connection: Connection, reading: Reading, event: edifact.InterchangeEnd, envelope: _Envelope) -> None:
    """Keep an interchange or undo it, and answer it with one CONTRL; one that only brings CONTRL is never answered."""
    note_all(reading, event.findings, f"interchange {event.header.control}")
    if envelope.interchange is None:
        return
    if event.accepted:
        receipts.record_pending(ctx, connection, reading)
        envelope.interchange.commit()
    else:
        envelope.interchange.rollback()
        reading.go_back(envelope.before_interchange)
    envelope.interchange = None
    if envelope.kinds == {"CONTRL"}:
        return
    answers.answer_edifact(ctx, connection, reading, event.header, envelope.results, [*envelope.findings, *event.findings])


def _rest(ctx: Context, reading: Reading, envelope: _Envelope) -> bytes | None:
    """Just the messages that were not applied, each interchange's in an envelope of its own, as they were sent; nothing where that cannot be read back."""
    bad = envelope.bad
    if not bad.fit:
        return None
    cut = partial(ctx.folders[reading.file.partner].cut, reading.file.place)
    rest = b"".join(_enveloped(cut, envelope.headers[offset], spans) for offset, spans in bad.spans.items())
    events = list(edifact.read_messages([rest]))
    whole = all(event.accepted for event in events if isinstance(event, edifact.InterchangeEnd))
    messages = sum(isinstance(event, edifact.Message) for event in events)
    return rest if whole and messages == sum(map(len, bad.spans.values())) else None


def _enveloped(cut: Callable[[int, int], bytes], header: edifact.InterchangeHeader, spans: list[tuple[int, int]]) -> bytes:
    marks = header.delimiters
    start = header.offset - 1
    first = spans[0][0] - 1
    opening = cut(start, min(first, start + LONGEST_HEAD)).split(marks.terminator + b"UNG" + marks.element, 1)[0].strip()
    opening = opening if opening.endswith(marks.terminator) else opening + marks.terminator
    head = opening[: opening.index(marks.terminator, opening.index(b"UNB" + marks.element)) + 1]
    messages = b"\r\n".join(cut(begin - 1, end).strip().removesuffix(marks.terminator) + marks.terminator for begin, end in spans)
    closing = marks.element.join([b"UNZ", str(len(spans)).encode(), header.control.encode("latin-1", "replace")]) + marks.terminator
    return head + b"\r\n" + messages + b"\r\n" + closing + b"\r\n"
