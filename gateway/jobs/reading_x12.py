"""An X12 file set by set: each applied by its kind, each group answered, an envelope with a fault undone with all that is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.engine import NestedTransaction

from gateway.edi import acknowledge, x12
from gateway.edi.acknowledge import GroupResults
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.jobs import acknowledgements, answers, receipts, stock_reports
from gateway.jobs.context import Context
from gateway.jobs.envelopes import Claim, check_claim, note_all, note_outside
from gateway.jobs.reading import BadParts, Problem, Reading
from gateway.mapping import readers
from gateway.mapping.inbound_parts import ReadReceipt
from gateway.mapping.profiles import Profile

LONGEST_HEAD = 4096  # bytes in which an ISA with what may stand after it, and a GS, have room
KNOWN_BUT_UNUSED = frozenset({"947", "846", "945", "940", "943", "856", "861", "180"})


@dataclass(slots=True)
class _Envelope:
    """The savepoints of the interchange and group being read, the counts to go back to when one is undone, and the sets that are to be corrected."""

    interchange: NestedTransaction | None = None
    group: NestedTransaction | None = None
    before_interchange: tuple[int, int] = (0, 0)
    before_group: tuple[int, int] = (0, 0)
    results: GroupResults = field(default_factory=GroupResults)
    groups: int = 0
    bad: BadParts[tuple[int, int]] = field(default_factory=BadParts)


def read(ctx: Context, connection: Connection, reading: Reading, chunks: Iterable[bytes]) -> None:
    """Apply what an X12 file says."""
    envelope = _Envelope()
    for event in x12.read_sets(chunks, strictness=readers.strictness_of(reading.profile)):
        if isinstance(event, x12.TransactionSet):
            result, good = _take_set(ctx, connection, reading, event)
            envelope.results.add(result)
            if not good:
                envelope.bad.add((event.interchange.offset, event.group.offset if event.group else 0), event.offset, event.end_offset)
        elif isinstance(event, x12.FileFinding):
            note_outside(reading, event.finding)
        elif isinstance(event, x12.InterchangeAck):
            acknowledgements.take_ta1(ctx, connection, reading, event)
        else:
            _take_envelope(ctx, connection, reading, event, envelope)
    receipts.record_pending(ctx, connection, reading)
    reading.add_recorded()
    reading.rest = _rest(ctx, reading, envelope.bad)


def _take_envelope(
    ctx: Context,
    connection: Connection,
    reading: Reading,
    event: x12.InterchangeStart | x12.GroupStart | x12.GroupEnd | x12.InterchangeEnd,
    envelope: _Envelope,
) -> None:
    match event:
        case x12.InterchangeStart(header=header):
            check_claim(ctx, connection, reading, Claim.of_x12(header))
            note_all(reading, event.findings, f"interchange {header.control}")
            receipts.record_pending(ctx, connection, reading)
            envelope.interchange, envelope.before_interchange, envelope.groups = connection.begin_nested(), reading.counts, 0
        case x12.GroupStart():
            receipts.record_pending(ctx, connection, reading)
            envelope.group, envelope.before_group, envelope.results = connection.begin_nested(), reading.counts, GroupResults()
            envelope.groups += 1
        case x12.GroupEnd():
            _end_group(ctx, connection, reading, event, envelope)
        case x12.InterchangeEnd():
            _end_interchange(ctx, connection, reading, event, envelope)


def _take_set(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet) -> tuple[acknowledge.SetResult, bool]:
    """Apply one set, and say whether it was used; only syntax goes into its result, business faults do not (R-130)."""
    name = f"set {document.ordinal} ({document.set_id} {document.control})"
    note_all(reading, document.findings, name)
    if not document.accepted:
        return acknowledge.SetResult(document.set_id, document.control, document.findings, _reference(document)), False
    read = readers.X12_RECEIPTS[document.set_id] if document.set_id in reading.profile.receive.x12 else None
    good, findings = True, tuple(document.findings)
    if read:
        good = _take_receipt(ctx, connection, reading, read(document, profile=reading.profile, catalogue=ctx.places.catalogue), document)
    elif document.set_id in acknowledge.ACKNOWLEDGEMENTS:
        acknowledgements.take_acknowledgement(ctx, connection, reading, document)
    elif document.set_id == "824":
        acknowledgements.take_advice(ctx, connection, reading, document)
    elif document.set_id in readers.X12_STOCK and reading.profile.receive.stock:
        faults = stock_reports.take(ctx, connection, reading, document)
        answers.advise_x12(ctx, connection, reading, document, faults)
        good = not faults
    elif document.set_id in KNOWN_BUT_UNUSED:
        reading.remarks.append(f"{name}: documents of type {document.set_id} are not used from {reading.profile.partner}; kept in the archive")
        reading.applied += 1
    else:
        findings = (*findings, _not_known(document, reading.profile))
        reading.problems.append(Problem.of(findings[-1], name))
        good = False
    return acknowledge.SetResult(document.set_id, document.control, findings, _reference(document) if findings else None), good


def _reference(document: x12.TransactionSet) -> tuple[str, str] | None:
    """What a 999 names a 944 by: its depositor order number."""
    head = next((s for s in document.segments if s.tag == "W17"), None) if document.set_id == "944" else None
    return ("W1704", head.get(4)) if head and head.get(4) else None


def _not_known(document: x12.TransactionSet, profile: Profile) -> Finding:
    receipts_in = ", ".join(profile.receive.x12) or "none"
    return Finding(
        code="file.unknown-document",
        severity=Severity.ERROR,
        scope=Scope.SET,
        message=f"Documents of type {document.set_id} are not used here; expected a receipt ({receipts_in}) or an acknowledgement (997, 999, 824).",
        remedy="send returns documents only; if this type is meant, ask us to set it up",
        offset=document.offset,
        tag="ST",
        element=1,
        value=document.set_id,
        ack=x12.SET_NOT_SUPPORTED,
        ack_kind="AK5",
    )


def _take_receipt(ctx: Context, connection: Connection, reading: Reading, found: ReadReceipt, document: x12.TransactionSet) -> bool:
    if found.receipt is None:
        reading.problems.extend([Problem.of(fault, found.position) for fault in found.faults])
        answers.advise_x12(ctx, connection, reading, document, found.faults)
        return False
    receipts.take_receipt(ctx, connection, reading, found.receipt, listed_only=found.listed_only)
    return True


def _end_group(ctx: Context, connection: Connection, reading: Reading, event: x12.GroupEnd, envelope: _Envelope) -> None:
    """Keep or undo a group, and answer it with one 997 or 999 (never a group of acknowledgements)."""
    note_all(reading, event.findings, f"group {event.header.control}")
    spoiled = any(f.severity == Severity.ERROR for f in event.findings)
    if spoiled:
        reading.go_back(envelope.before_group)
    receipts.record_pending(ctx, connection, reading)
    if envelope.group is not None:
        (envelope.group.rollback if spoiled else envelope.group.commit)()
        envelope.group = None
    if event.header.functional_id != "FA" and not envelope.results.acknowledging:
        answers.answer_group(ctx, connection, reading, event, envelope.results)


def _end_interchange(ctx: Context, connection: Connection, reading: Reading, event: x12.InterchangeEnd, envelope: _Envelope) -> None:
    """Keep an interchange, or undo it with its answers and say so in a TA1; one that asks for a TA1 gets it where the profile grants that."""
    note_all(reading, event.findings, f"interchange {event.header.control}")
    if envelope.interchange is None:
        return
    if event.accepted:
        receipts.record_pending(ctx, connection, reading)
        envelope.interchange.commit()
        if event.header.ack_requested and envelope.groups and reading.profile.receive.ta1 == "requested":
            answers.answer_interchange(ctx, connection, reading, acknowledge.acknowledge_interchange(event.header, accepted=True))
    else:
        envelope.interchange.rollback()
        reading.go_back(envelope.before_interchange)
        code = next((f.ack for f in event.findings if f.ack_kind == "TA1" and f.ack), "022")
        answers.answer_interchange(ctx, connection, reading, acknowledge.acknowledge_interchange(event.header, accepted=False, code=code))
    envelope.interchange = None


def _rest(ctx: Context, reading: Reading, bad: BadParts[tuple[int, int]]) -> bytes | None:
    """Just the sets that were not applied, each group's in an envelope of its own, as they were sent; nothing where that cannot be read back."""
    if not bad.fit:
        return None
    cut = partial(ctx.folders[reading.file.partner].cut, reading.file.place)
    rest = b"".join(_enveloped(cut, heads, spans) for heads, spans in bad.spans.items() if heads[1])
    events = list(x12.read_sets([rest]))
    sets = sum(isinstance(event, x12.TransactionSet) for event in events)
    whole = all(event.accepted for event in events if isinstance(event, x12.InterchangeEnd))
    return rest if whole and sets == sum(len(spans) for heads, spans in bad.spans.items() if heads[1]) and sets else None


def _enveloped(cut: Callable[[int, int], bytes], heads: tuple[int, int], spans: list[tuple[int, int]]) -> bytes:
    opening = cut(heads[0] - 1, heads[0] - 1 + LONGEST_HEAD)
    start = next((e.header for e in x12.read_sets([opening]) if isinstance(e, x12.InterchangeStart)), None)
    if start is None:
        return b""
    element, end = start.separators.element, start.separators.terminator
    isa = opening[: heads[1] - heads[0]].strip(b"\r\n \t").split(end + element, 1)[0]
    isa = isa[: isa.index(end, 100) + len(end)] if end in isa[100:] else isa + end
    group = cut(heads[1] - 1, heads[1] - 1 + LONGEST_HEAD).split(end, 1)[0]
    number = (group.split(element) + [b""] * 7)[6]
    line = b"" if end in (b"\n", b"\r\n") else b"\n"
    parts = [cut(first - 1, last).strip(b"\r\n \t") for first, last in spans]
    sets = b"".join(part + (b"" if part.endswith(end) else end) + line for part in parts)
    closing = element.join([b"GE", str(len(spans)).encode(), number]) + end + line
    closing += element.join([b"IEA", b"1", start.control.encode("latin-1", "replace")]) + end + line
    return isa + line + group + end + line + sets + closing
