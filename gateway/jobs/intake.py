"""Files from a partner: taken, understood, applied, put away.

`receive_file` gives a claimed file its row. `translate_file` reads it in one transaction: receipts, acknowledgements of ours, our answers, the next work, and
what is to become of the file. `shelve_file` then moves it (archive, error or quarantine, with its side file); it can be done again after a crash at any
point. A fault in one document stops that document, a fault of the envelope stops its interchange, and neither stops the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection
from sqlalchemy.engine import NestedTransaction

from gateway.edi import acknowledge, x12
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.folders import Claimed, NameTakenError
from gateway.jobs import answers, receipts
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading, StopFileError
from gateway.mapping import inbound, outbound
from gateway.mapping.profiles import Profile
from gateway.store import database, events, files, workqueue
from gateway.store.files import File

ACKNOWLEDGEMENTS = {"997", "999"}
KNOWN_BUT_UNUSED = {"947", "846", "945", "940", "943", "856", "861", "180", "824"}
AREAS = {"applied": "archive", "partial": "archive", "duplicate": "archive", "error": "error", "held": "error", "quarantine": "quarantine"}
LARGEST_REST = 4 * 1024 * 1024


def receive_file(ctx: Context, partner: str, claimed: Claimed) -> int:
    """Give a claimed file its row, once; what a crash left in `processing/` is found again by its place."""
    with database.reading(ctx.engine) as connection:
        known = files.claimed_as(connection, partner=partner, place=claimed.place)
    if known:
        _go_on(ctx, known)
        return known.id
    facts = ctx.folders[partner].facts(claimed.place)
    with database.writing(ctx.engine) as connection:
        known = files.claimed_as(connection, partner=partner, place=claimed.place)
        if known:
            return known.id
        file_id = files.add(
            connection,
            at=ctx.now(),
            direction="in",
            partner=partner,
            name=claimed.name,
            sha256=facts.sha256,
            size=facts.size,
            state="taken",
            place=claimed.place,
            claimed_as=f"{partner}/{claimed.place}",
            folder=claimed.folder,
            modified_at=database.instant(facts.modified_at) if facts.modified_at else None,
        )
        events.note(connection, "file.taken", f"{claimed.name} taken ({facts.size} bytes)", at=ctx.now(), file_id=file_id, partner=partner)
        workqueue.enqueue(connection, "translate", file_id, due_at=ctx.now())
        events.close_tasks(connection, kind="incomplete file", subject=f"{partner} {claimed.name}", because="taken", at=ctx.now())
    ctx.log.info("file.claimed", extra={"partner": partner, "file": claimed.name, "file_id": file_id})
    return file_id


def _go_on(ctx: Context, file: File) -> None:
    """Ask again for the next step of a file that is still in `processing/`; asking for what is queued changes nothing."""
    step = {"taken": "translate", "handled": "shelve"}.get(file.state)
    if step:
        with database.writing(ctx.engine) as connection:
            workqueue.enqueue(connection, step, file.id, due_at=ctx.now())


def translate_file(ctx: Context, key: str) -> None:
    """Read a taken file and apply what it says, in one transaction."""
    stopped: StopFileError | None = None
    try:
        with database.writing(ctx.engine) as connection:
            file = files.load_taken(connection, int(key))
            if file is None:
                return
            reading = read_file(ctx, connection, file)
            _settle(ctx, connection, reading, outcome_of(reading))
    except StopFileError as stop:
        stopped = stop
    if stopped:
        with database.writing(ctx.engine) as connection:
            file = files.load_taken(connection, int(key))
            if file is None:
                return
            reading = Reading(file=file, profile=ctx.profiles[file.partner], problems=[stopped.problem])
            _settle(ctx, connection, reading, stopped.outcome)


def read_file(ctx: Context, connection: Connection, file: File) -> Reading:
    """Apply a file within the caller's transaction (a preview rolls it back)."""
    profile = ctx.profiles[file.partner]
    reading = Reading(
        file=file,
        profile=profile,
        again=events.happened(connection, file.id, "acknowledgement.made"),
        accept_control=events.happened(connection, file.id, "file.control-accepted"),
    )
    earlier = files.same_content(connection, partner=file.partner, sha256=file.sha256, before=file.id)
    if earlier:
        files.change(connection, file.id, duplicate_of=earlier.id)
        reading.duplicates.append(f"duplicate of {earlier.name} (taken {earlier.arrived_at:%Y-%m-%d %H:%M} UTC)")
        return reading
    folder = ctx.folders[file.partner]
    chunks = folder.read(file.place)
    head = next(folder.read(file.place), b"")
    kind = x12.sniff(head)
    if kind == "x12":
        _read_x12(ctx, connection, reading, chunks)
    elif kind == "text" and profile.receive.csv_receipt:
        _read_csv(ctx, connection, reading, chunks)
    else:
        raise StopFileError("error", _not_usable(kind, file, profile))
    return reading


def _not_usable(kind: str, file: File, profile: Profile) -> Problem:
    expected = "an X12 file (it begins with ISA)" if profile.receive.x12_receipt else "a CSV file with a header line"
    found = {
        "empty": f"the file is empty ({file.size} bytes)",
        "binary": "the file is binary (a PDF, an image, a spreadsheet or an archive)",
        "edifact": "the file is EDIFACT, which this partner is not set up for",
        "text": "the file is text, but neither X12 nor a layout this partner is set up for",
    }.get(kind, f"the file is {kind}")
    remedy = "send it again complete" if kind == "empty" else f"send {expected}; dropping the right file into the inbox is enough"
    return Problem(document="The whole file", message=f"Expected {expected}; {found}.", where="the first bytes", remedy=remedy)


@dataclass(slots=True)
class _Envelope:
    """The savepoints of the interchange and group being read, and the counts to go back to when one is undone."""

    interchange: NestedTransaction | None = None
    group: NestedTransaction | None = None
    before_interchange: tuple[int, int] = (0, 0)
    before_group: tuple[int, int] = (0, 0)
    results: list[acknowledge.SetResult] = field(default_factory=list)


def _read_x12(ctx: Context, connection: Connection, reading: Reading, chunks: Iterable[bytes]) -> None:
    strictness = x12.Strictness(waived=frozenset(reading.profile.receive.waived), raised=frozenset(reading.profile.receive.raised))
    envelope = _Envelope()
    for event in x12.read_sets(chunks, strictness=strictness):
        if isinstance(event, x12.TransactionSet):
            envelope.results.append(_take_set(ctx, connection, reading, event))
        elif isinstance(event, x12.FileFinding):
            _take_file_finding(reading, event.finding)
        elif isinstance(event, x12.InterchangeAck):
            answers.take_ta1(ctx, connection, reading, event)
        else:
            _take_envelope(ctx, connection, reading, event, envelope)


def _take_envelope(
    ctx: Context,
    connection: Connection,
    reading: Reading,
    event: x12.InterchangeStart | x12.GroupStart | x12.GroupEnd | x12.InterchangeEnd,
    envelope: _Envelope,
) -> None:
    match event:
        case x12.InterchangeStart():
            _check_interchange(ctx, connection, reading, event)
            envelope.interchange, envelope.before_interchange = connection.begin_nested(), reading.counts
        case x12.GroupStart():
            envelope.group, envelope.before_group, envelope.results = connection.begin_nested(), reading.counts, []
            reading.heads = (event.interchange.offset, event.header.offset)
        case x12.GroupEnd():
            _end_group(ctx, connection, reading, event, envelope)
        case x12.InterchangeEnd():
            _end_interchange(ctx, connection, reading, event, envelope)


def _check_interchange(ctx: Context, connection: Connection, reading: Reading, event: x12.InterchangeStart) -> None:
    """Is it for us, from this partner, in the right folder, and new?"""
    header, profile = event.header, reading.profile
    reading.control, reading.sender = reading.control or header.control, reading.sender or header.sender
    where = f"interchange {header.control}, ISA06 {header.sender}, ISA15 {header.usage}"
    if profile.x12 and header.sender != profile.x12.partner_id:
        other = next((p for p in ctx.profiles.values() if p.x12 and p.x12.partner_id == header.sender), None)
        if other:
            message = f"The file is from {other.partner}, but lies in {profile.partner}'s folder."
            remedy = f"drop it into {other.partner}'s inbox; nothing of it was applied"
        else:
            message = f"The sender {header.sender!r} is not known: {profile.partner} is set up as {profile.x12.partner_id!r}."
            remedy = "if the partner changed its id, change x12.partner_id in its profile and drop the file again"
        raise StopFileError("error", Problem(document="The whole file", message=message, where=where, remedy=remedy))
    expected = "T" if reading.file.folder == "test" else (profile.x12.usage if profile.x12 else "P")
    if header.usage != expected:
        kinds = {"T": "test", "P": "production", "I": "information"}
        message = f"The file is marked {kinds.get(header.usage, header.usage)} (ISA15 {header.usage}), but lies in the {kinds[expected]} inbox."
        remedy = "send it with the right usage indicator, or drop it into the right inbox; nothing of it was applied"
        raise StopFileError("quarantine", Problem(document="The whole file", message=message, where=where, remedy=remedy))
    earlier = files.same_control(connection, partner=profile.partner, sender=header.sender, control=header.control, before=reading.file.id)
    if earlier and not reading.accept_control:
        message = f"The interchange number {header.control} was used before with other content, in {earlier.name}."
        remedy = (
            f"if it is a new document, replay it with `gateway replay {reading.file.id} --accept-control`; if it is a mistake, ask for a new number"
        )
        raise StopFileError("held", Problem(document="The whole file", message=message, where=where, remedy=remedy))
    _note_all(reading, event.findings, f"interchange {header.control}")


def _note_all(reading: Reading, findings: Iterable[Finding], document: str) -> None:
    for finding in findings:
        if finding.severity == Severity.ERROR:
            reading.problems.append(Problem.of(finding, document))
        reading.details.append(f"{document}: {finding.code} at {finding.where()}: {finding.message}")


def _take_file_finding(reading: Reading, finding: Finding) -> None:
    if finding.severity == Severity.ERROR:
        reading.problems.append(Problem.of(finding, "The file"))
    else:
        reading.remarks.append(finding.message)
    reading.details.append(f"{finding.code} at {finding.where()}: {finding.message}")


def _take_set(ctx: Context, connection: Connection, reading: Reading, document: x12.TransactionSet) -> acknowledge.SetResult:
    """Apply one set; only syntax goes into its result, business faults do not (R-130)."""
    name = f"set {document.ordinal} ({document.set_id} {document.control})"
    findings = list(document.findings)
    _note_all(reading, findings, name)
    if not document.accepted:
        reading.bad_spans.append((document.offset, document.end_offset))
    elif document.set_id == "944":
        _take_receipts(ctx, connection, reading, [inbound.to_receipt(document, profile=reading.profile, catalogue=ctx.places.catalogue)], document)
    elif document.set_id in ACKNOWLEDGEMENTS:
        answers.take_acknowledgement(ctx, connection, reading, document)
    elif document.set_id in KNOWN_BUT_UNUSED:
        reading.remarks.append(f"{name}: documents of type {document.set_id} are not used from {reading.profile.partner}; kept in the archive")
        reading.applied += 1
    else:
        unknown = Finding(
            code="file.unknown-document",
            severity=Severity.ERROR,
            scope=Scope.SET,
            message=f"Documents of type {document.set_id} are not known here; expected 944 (receipt) or 997 (acknowledgement).",
            remedy="send returns documents only; if this type is meant, ask us to set it up",
            offset=document.offset,
            tag="ST",
            element=1,
            value=document.set_id,
            ack=x12.SET_NOT_SUPPORTED,
            ack_kind="AK5",
        )
        findings.append(unknown)
        reading.problems.append(Problem.of(unknown, name))
        reading.bad_spans.append((document.offset, document.end_offset))
    return acknowledge.SetResult(document.set_id, document.control, findings)


def _end_group(ctx: Context, connection: Connection, reading: Reading, event: x12.GroupEnd, envelope: _Envelope) -> None:
    """Keep or undo a group, and answer it with one 997 (never an FA group)."""
    _note_all(reading, event.findings, f"group {event.header.control}")
    spoiled = any(f.severity == Severity.ERROR for f in event.findings)
    if envelope.group is not None:
        (envelope.group.rollback if spoiled else envelope.group.commit)()
        envelope.group = None
    if spoiled:
        reading.go_back(envelope.before_group)
    if event.header.functional_id == "FA" or not reading.profile.x12:
        return
    segments = acknowledge.acknowledge_group(event.header, envelope.results, event.findings, event.declared, event.counted)
    answers.answer_group(ctx, connection, reading, segments)


def _end_interchange(ctx: Context, connection: Connection, reading: Reading, event: x12.InterchangeEnd, envelope: _Envelope) -> None:
    """Keep an interchange, or undo it with its answers and say so in a TA1."""
    _note_all(reading, event.findings, f"interchange {event.header.control}")
    if envelope.interchange is None:
        return
    if event.accepted:
        envelope.interchange.commit()
    else:
        envelope.interchange.rollback()
        reading.go_back(envelope.before_interchange)
        code = next((f.ack for f in event.findings if f.ack_kind == "TA1" and f.ack), "022")
        answers.answer_interchange(ctx, connection, reading, acknowledge.acknowledge_interchange(event.header, accepted=False, code=code))
    envelope.interchange = None


def _read_csv(ctx: Context, connection: Connection, reading: Reading, chunks: Iterable[bytes]) -> None:
    read, findings = inbound.to_csv_receipts(chunks, profile=reading.profile, catalogue=ctx.places.catalogue, today=ctx.local(ctx.now()).date())
    if findings:
        reading.problems += [Problem.of(finding, "The whole file") for finding in findings]
        return
    _take_receipts(ctx, connection, reading, read, None)
    if not read:
        reading.remarks.append("the file has no rows: nothing returned")
        reading.applied += 1


def _take_receipts(
    ctx: Context, connection: Connection, reading: Reading, read: Iterable[inbound.ReadReceipt], document: x12.TransactionSet | None
) -> None:
    for found in read:
        if found.receipt is None:
            reading.problems += [Problem.of(fault, found.position) for fault in found.faults]
            if document:
                reading.bad_spans.append((document.offset, document.end_offset))
            continue
        receipts.apply_receipt(ctx, connection, reading, found.receipt, listed_only=found.listed_only)


def outcome_of(reading: Reading) -> str:
    """What a file comes to as a whole."""
    if reading.problems:
        return "partial" if reading.applied else "error"
    if reading.held:
        return "partial" if reading.applied else "held"
    if reading.duplicates and not reading.applied:
        return "duplicate"
    return "applied"


def _settle(ctx: Context, connection: Connection, reading: Reading, outcome: str) -> None:
    """Write what became of the file, and ask for it to be put away."""
    file = reading.file
    first = [*reading.problems, *reading.held]
    reason = first[0].message if first else "; ".join([*reading.duplicates, *reading.remarks])
    side = _side_text(ctx, reading, outcome) if outcome in ("error", "partial", "held", "quarantine") else ""
    files.change(
        connection,
        file.id,
        state="handled",
        outcome=outcome,
        reason=reason,
        control=reading.control,
        sender=reading.sender,
        side_text=side,
        content=_bad_documents(ctx, reading) if outcome == "partial" else None,
        settled_at=ctx.now(),
    )
    events.note(
        connection,
        f"file.{outcome}",
        f"{file.name}: {outcome}" + (f" ({reason})" if reason else ""),
        at=ctx.now(),
        file_id=file.id,
        partner=file.partner,
    )
    if outcome in ("error", "partial", "held", "quarantine"):
        text = f"{file.name} from {file.partner}: {outcome}: {reason}"
        events.open_task(connection, f"file {outcome}", f"file {file.id}", text, at=ctx.now(), advice=first[0].remedy if first else "")
    workqueue.enqueue(connection, "shelve", file.id, due_at=ctx.now())


def _side_text(ctx: Context, reading: Reading, outcome: str) -> str:
    headlines = {
        "error": "This file could not be used. Nothing of it was applied.",
        "partial": f"This file was used in part: {reading.applied} document(s) applied, the following not.",
        "held": "This file waits for a decision. Nothing of it was applied.",
        "quarantine": "This file was put into quarantine. Nothing of it was applied.",
    }
    closings = {
        "error": "Dropping the corrected file into the inbox is enough; its name does not matter.",
        "partial": "Do not send the whole file again: correct the documents listed (a copy of just these lies beside this note) and drop them into the inbox.",
        "held": "Nothing needs to be sent until somebody has decided.",
        "quarantine": "Dropping the right file into the right inbox is enough.",
    }
    facts = {
        "headline": headlines[outcome],
        "name": reading.file.name,
        "partner": reading.profile.partner,
        "at": f"{ctx.local(ctx.now()):%Y-%m-%d %H:%M %Z}",
        "problems": [asdict(p) for p in [*reading.problems, *reading.held]],
        "closing": closings[outcome],
        "details": reading.details[:200],
    }
    return outbound.words(ctx.template("side.txt.j2"), facts)


def _bad_documents(ctx: Context, reading: Reading) -> bytes | None:
    """Just the documents that were not applied, in an envelope of their own, as they were sent."""
    size = sum(end - start for start, end in reading.bad_spans)
    if not reading.bad_spans or reading.heads is None or size > LARGEST_REST:
        return None
    content = b"".join(ctx.folders[reading.file.partner].read(reading.file.place))
    isa = content[reading.heads[0] - 1 : reading.heads[0] + 105]
    end = isa[-1:]
    group = content[reading.heads[1] - 1 :].split(end, 1)[0]
    element = isa[3:4]
    number = (group.split(element) + [b""] * 7)[6]
    sets = b"".join(
        content[start - 1 : stop].strip() + (b"" if content[stop - 1 : stop] == end else end) + b"\n" for start, stop in reading.bad_spans
    )
    closing = element.join([b"GE", str(len(reading.bad_spans)).encode(), number]) + end + b"\n"
    closing += element.join([b"IEA", b"1", isa.split(element)[13]]) + end + b"\n"
    return isa + b"\n" + group + end + b"\n" + sets + closing


def shelve_file(ctx: Context, key: str) -> None:
    """Move a handled file to where its outcome says; done already is done."""
    with database.reading(ctx.engine) as connection:
        file = files.load(connection, int(key))
    if file is None or file.state != "handled":
        return
    area = AREAS[file.outcome]
    if file.place.partition("/")[0] != area:
        _put_away(ctx, file, area)
    with database.writing(ctx.engine) as connection:
        place = files.arrived(connection, file.id)
    ctx.log.info("file.shelved", extra={"partner": file.partner, "file": file.name, "outcome": file.outcome, "place": place, "file_id": file.id})


def _put_away(ctx: Context, file: File, area: str) -> None:
    """Move a file where it belongs. The new place is written down before the move, so that after a crash it is found again."""
    folder = ctx.folders[file.partner]
    target = file.next_place or folder.plan(area, name=file.name, at=file.arrived_at)
    while True:
        with database.writing(ctx.engine) as connection:
            files.change(connection, file.id, next_place=target)
        try:
            folder.move(file.place, target)
            break
        except NameTakenError:
            target = folder.plan(area, name=f"{file.id}~{file.name}", at=file.arrived_at)
    if file.side_text and area != "archive":
        folder.write_beside(target, ".txt", file.side_text.encode())
    elif file.outcome == "partial":
        folder.explain_partial(name=file.name, side_text=file.side_text, rest=file.content)


def take_files(ctx: Context, partner: str) -> int:
    """Claim every file of a partner that is ready and give it its row; also what a crash left in `processing/`. How many were claimed."""
    folder = ctx.folders[partner]
    folder.claim_settled(now=ctx.monotonic())
    for path, seconds in folder.incomplete(now=ctx.monotonic()):
        _tell_incomplete(ctx, partner, path.name)
        if seconds >= ctx.timing.incomplete_file:
            folder.claim_incomplete(path)
    claimed = folder.claimed()
    for one in claimed:
        receive_file(ctx, partner, one)
    return len(claimed)


def _tell_incomplete(ctx: Context, partner: str, name: str) -> None:
    """Say once that a file stopped growing without its end (R-070); it stays where it is and is taken when it changes."""
    with database.writing(ctx.engine) as connection:
        text = f"{name} from {partner} stopped growing without its closing envelope (IEA); nothing of it was applied"
        advice = "wait for the upload to end, or send it again complete; a complete file is taken by itself"
        events.open_task(connection, "incomplete file", f"{partner} {name}", text, at=ctx.now(), advice=advice)
