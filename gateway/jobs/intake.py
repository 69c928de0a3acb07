"""Files from a partner: taken, understood, applied, put away.

`receive_file` gives a claimed file its row. `translate_file` reads it in one transaction: receipts, acknowledgements of ours, our answers, the next work, and
what is to become of the file. `shelve_file` then moves it (archive, error or quarantine, with its side file); it can be done again after a crash at any
point. A fault in one document stops that document, a fault of the envelope stops its interchange, and neither stops the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.edi import x12
from gateway.folders import Claimed, Facts, NameTakenError
from gateway.folders.durable import sync_folder
from gateway.folders.partner import MOST_AT_ONCE
from gateway.jobs import reading_edifact, reading_flat, reading_large, reading_x12, rehearsing
from gateway.jobs.context import Context
from gateway.jobs.reading import AREAS, Problem, Reading, StopFileError
from gateway.mapping import outbound, readers
from gateway.mapping.profiles import Profile
from gateway.store import database, events, files, workqueue
from gateway.store.files import File

INCOMPLETE = "incomplete file"
WITHDRAWN = "the file is gone: withdrawn by its writer"
AT_ONCE = 20  # files that get their rows in one commit: more would let the first of them wait


def receive_file(ctx: Context, partner: str, claimed: Claimed) -> None:
    """Give a claimed file its row, once; what a crash left in `processing/` is found again by its place."""
    receive_files(ctx, partner, [claimed])


def receive_files(ctx: Context, partner: str, claimed: Sequence[Claimed]) -> None:
    """The same for several, with one commit; those that were read before a trouble with one of them get theirs."""
    with database.reading(ctx.engine) as connection:
        known = files.claimed_as(connection, partner=partner, places=[one.place for one in claimed])
    for file in known.values():
        _go_on(ctx, file)
    unknown = [one for one in claimed if one.place not in known]
    met: list[tuple[Claimed, Facts]] = []
    try:
        for one in unknown:
            met.append((one, ctx.folders[partner].facts(one.place)))  # noqa: PERF401 - what was read before a trouble is kept
    finally:
        if met:
            _enter(ctx, partner, met)


def _enter(ctx: Context, partner: str, met: Sequence[tuple[Claimed, Facts]]) -> None:
    entered: dict[int, str] = {}
    with database.writing(ctx.engine) as connection:
        known = files.claimed_as(connection, partner=partner, places=[claimed.place for claimed, _ in met])
        waiting = {task["subject"] for task in events.open_tasks(connection, kind=INCOMPLETE)}
        for claimed, facts in met:
            if _subject(partner, claimed.name) in waiting:
                events.close_tasks(connection, kind=INCOMPLETE, subject=_subject(partner, claimed.name), because="taken", at=ctx.now())
            if claimed.place not in known:
                entered[_add(ctx, connection, partner, claimed, facts)] = claimed.name
    for file_id, name in entered.items():
        ctx.log.info("file.claimed", extra={"partner": partner, "file": name, "file_id": file_id})


def _add(ctx: Context, connection: Connection, partner: str, claimed: Claimed, facts: Facts) -> int:
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
    workqueue.enqueue(connection, "translate", file_id, due_at=ctx.now(), partner=partner)
    return file_id


def _go_on(ctx: Context, file: File) -> None:
    """Ask again for the next step of a file that is still in `processing/`; asking for what is queued changes nothing."""
    step = {"taken": "translate", "handled": "shelve"}.get(file.state)
    if step:
        with database.writing(ctx.engine) as connection:
            workqueue.enqueue(connection, step, file.id, due_at=ctx.now())


def translate_file(ctx: Context, key: str) -> None:
    """Read a taken file and apply what it says, in one transaction; the receipts of a very large one before that, in pieces."""
    stopped: StopFileError | None = None
    with database.reading(ctx.engine) as connection:
        known = files.load(connection, int(key))
    recorded = reading_large.record(ctx, known, _profile_of(ctx, known)) if known else None
    try:
        with database.writing(ctx.engine) as connection:
            file = files.load_taken(connection, int(key))
            if file is None:
                return
            reading = read_file(ctx, connection, file, recorded=recorded)
            _settle(ctx, connection, reading, outcome_of(reading))
    except StopFileError as stop:
        stopped = stop
    if stopped:
        stop_file(ctx, key, stopped)


def stop_file(ctx: Context, key: str, stopped: StopFileError) -> None:
    """Put a whole file aside, with the reason."""
    with database.writing(ctx.engine) as connection:
        file = files.load_taken(connection, int(key))
        if file is not None:
            reading = Reading.stopped(file, _profile_of(ctx, file), stopped.problem)
            _settle(ctx, connection, reading, stopped.outcome)


def settle_file(ctx: Context, reading: Reading, outcome: str) -> None:
    """Write what became of a file that was read elsewhere."""
    with database.writing(ctx.engine) as connection:
        if files.load_taken(connection, reading.file.id) is not None:
            _settle(ctx, connection, reading, outcome)


def read_file(ctx: Context, connection: Connection, file: File, *, recorded: Reading | None = None) -> Reading:
    """Apply a file within the caller's transaction (a preview rolls it back); what was `recorded` of it before was found to be new then, and stays applied."""
    profile = _profile_of(ctx, file)
    happened = events.happened(connection, file.id, "acknowledgement.made", "file.control-accepted")
    reading = Reading(
        file=file,
        profile=profile,
        recorded=recorded,
        again="acknowledgement.made" in happened,
        accept_control="file.control-accepted" in happened or recorded is not None,
    )
    earlier = None if recorded else files.same_content(connection, partner=file.partner, sha256=file.sha256, before=file.id)
    if earlier:
        files.change(connection, file.id, duplicate_of=earlier.id)
        reading.duplicates.append(f"duplicate of {earlier.name} (taken {earlier.arrived_at:%Y-%m-%d %H:%M} UTC)")
        return reading
    folder = ctx.folders[file.partner]
    chunks = folder.read(file.place)
    head = next(folder.read(file.place), b"")
    kind = x12.sniff(head)
    flat = readers.flat_kind(head, kind, profile)
    if flat:
        reading_flat.read(ctx, connection, reading, chunks, flat)
    elif kind == "x12" and (profile.x12 or profile.receive.x12):
        reading_x12.read(ctx, connection, reading, chunks)
    elif kind == "edifact" and profile.edifact:
        reading_edifact.read(ctx, connection, reading, chunks)
    else:
        raise StopFileError("error", _not_usable(kind, file, profile))
    return reading


def _profile_of(ctx: Context, file: File) -> Profile:
    """The partner's profile; its documents are marked as test where the file lies in a test folder."""
    profile = ctx.profiles[file.partner]
    return profile.in_test() if file.folder == "test" else profile


def _not_usable(kind: str, file: File, profile: Profile) -> Problem:
    expected = _expected(profile)
    found = {
        "empty": f"the file is empty ({file.size} bytes)",
        "binary": "the file is binary (a PDF, an image, a spreadsheet or an archive)",
        "x12": "the file is X12, which this partner is not set up for",
        "edifact": "the file is EDIFACT, which this partner is not set up for",
        "text": "the file is text, but neither X12 nor a layout this partner is set up for",
    }.get(kind, f"the file is {kind}")
    remedy = "send it again complete" if kind == "empty" else f"send {expected}; dropping the right file into the inbox is enough"
    return Problem(document="The whole file", message=f"Expected {expected}; {found}.", where="the first bytes", remedy=remedy)


def _expected(profile: Profile) -> str:
    receive = profile.receive
    kinds = [
        "an X12 file (it begins with ISA)" if receive.x12 else "",
        "an EDIFACT file (it begins with UNA or UNB)" if receive.recadv else "",
        "a CSV file with a header line" if receive.csv_receipt else "",
        "a file of fixed width" if receive.fixed_receipt else "",
        "an XLSX spreadsheet" if receive.xlsx_receipt else "",
    ]
    return " or ".join(filter(None, kinds))


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
    first = reading.wrong
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
        content=reading.rest if outcome == "partial" else None,
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
    rehearsing.note_outcome(ctx, connection, file, outcome)
    if outcome in ("error", "partial", "held", "quarantine"):
        text = f"{file.name} from {file.partner}: {outcome}: {reason}"
        events.open_task(connection, f"file {outcome}", f"file {file.id}", text, at=ctx.now(), advice=first[0].remedy if first else "")
    workqueue.enqueue(connection, "shelve", file.id, due_at=ctx.now(), partner=file.partner)


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
        "first": _first_sentence(reading),
        "headline": headlines[outcome],
        "name": reading.file.name,
        "partner": reading.profile.partner,
        "at": f"{ctx.local(ctx.now()):%Y-%m-%d %H:%M %Z}",
        "problems": [asdict(p) for p in reading.wrong],
        "untold": reading.wrong_in_all - len(reading.wrong),
        "closing": closings[outcome],
        "details": reading.details,
    }
    return outbound.words(ctx.template("side.txt.j2"), facts)


def _first_sentence(reading: Reading) -> str:
    """The first fault in one sentence: where, and what."""
    if not reading.wrong:
        return "Nothing is wrong with this file."
    first = reading.wrong[0]
    place = [first.document, first.where] if first.where not in ("", "the file", first.document) else [first.document]
    more = f" There are {reading.wrong_in_all} faults in all." if reading.wrong_in_all > 1 else ""
    return f"{', '.join(place)}: {first.message.strip().rstrip('.')}.{more}"


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


def shelve_together(ctx: Context, keys: Sequence[str]) -> list[str]:
    """The same for files that only have to be moved: places written down for all, files moved, folders flushed once, and then said that they are there.

    What needs more than a move (a side file, another name) is left to be done alone.
    """
    planned: dict[str, File] = {}
    with database.writing(ctx.engine) as connection:
        for file in files.load_all(connection, map(int, keys)).values():
            target = _plain_target(ctx, file)
            if target and target not in planned:
                planned[target] = file
        files.change_all(connection, {file.id: {"next_place": target} for target, file in planned.items()})
    touched = {folder for target, file in planned.items() for folder in ctx.folders[file.partner].move_unflushed(file.place, target)}
    for folder in touched:
        sync_folder(folder)
    with database.writing(ctx.engine) as connection:
        files.change_all(connection, {file.id: {"state": "shelved", "place": target, "next_place": ""} for target, file in planned.items()})
    for target, file in planned.items():
        facts = {"partner": file.partner, "file": file.name, "outcome": file.outcome, "place": target, "file_id": file.id}
        ctx.log.info("file.shelved", extra=facts)
    return [str(file.id) for file in planned.values()]


def _plain_target(ctx: Context, file: File) -> str:
    """Where a file goes that is only to be moved to the archive for the first time; empty for any other."""
    if file.state != "handled" or file.next_place or AREAS[file.outcome] != "archive" or file.outcome == "partial" or "/" in file.place:
        return ""
    return ctx.folders[file.partner].plan("archive", name=file.name, at=file.arrived_at)


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
        folder.explain_partial(name=file.name, number=file.id, side_text=file.side_text, rest=file.content)


def take_files(ctx: Context, partner: str) -> int:
    """Claim the files of a partner that are ready, as its limits let, and give each its row; also what a crash left in `processing/`. How many."""
    folder = ctx.folders[partner]
    folder.claim_settled(now=ctx.monotonic(), most=_room(ctx, partner))
    for path, stamp in folder.incomplete():
        if _is_over(ctx, partner, path.name, stamp):
            folder.claim_incomplete(path, now=ctx.monotonic())
    for path, stamp in folder.not_let_go(now=ctx.monotonic()):
        sign = f"its trigger file ({folder.trigger})" if folder.trigger else "its writer, who holds it,"
        text = f"{path.name} from {partner} has waited for {sign} for an hour ({stamp}); it is not taken without"
        _tell_incomplete(ctx, partner, path.name, text, "ask the partner; the file is taken by itself as soon as it is let go")
    _withdraw(ctx, partner)
    claimed = folder.left_over()
    for start in range(0, len(claimed), AT_ONCE):
        some = claimed[start : start + AT_ONCE]
        receive_files(ctx, partner, some)
        for one in some:
            folder.received(one.place)
    return len(claimed)


def _withdraw(ctx: Context, partner: str) -> None:
    """Close the tasks of files that could not be taken yet and are gone, without having been taken: their writer has withdrawn them."""
    with database.reading(ctx.engine) as connection:
        subjects = [task["subject"] for task in events.open_tasks(connection, kind=INCOMPLETE)]
    told = [subject.removeprefix(_subject(partner, "")) for subject in subjects if subject.startswith(_subject(partner, ""))]
    gone = ctx.folders[partner].gone(told) if told else []
    for name in gone:
        with database.writing(ctx.engine) as connection:
            if events.close_tasks(connection, kind=INCOMPLETE, subject=_subject(partner, name), because=WITHDRAWN, at=ctx.now()):
                events.note(connection, "file.withdrawn", f"{name} from {partner}: {WITHDRAWN}", at=ctx.now(), partner=partner)


def _room(ctx: Context, partner: str) -> int:
    """How many files may be taken now: few enough for the next partner to get its turn, and for this one's queue not to grow over its limit."""
    with database.reading(ctx.engine) as connection:
        in_hand = files.count_taken(connection, partner=partner)
    return min(max(ctx.profiles[partner].limits.queue - in_hand, 0), MOST_AT_ONCE)


def _is_over(ctx: Context, partner: str, name: str, stamp: str) -> bool:
    """Say once that a file stopped growing without its end (R-070); whether it has been so for the whole period, through restarts and by the book's clock."""
    text = f"{name} from {partner} stopped growing without its closing envelope ({stamp}); nothing of it was applied"
    since = _tell_incomplete(ctx, partner, name, text, "wait for the upload to end, or send it again complete; a complete file is taken by itself")
    return ctx.now() - since >= timedelta(seconds=ctx.timing.incomplete_file)


def _subject(partner: str, name: str) -> str:
    return f"{partner} {name}"


def _tell_incomplete(ctx: Context, partner: str, name: str, text: str, advice: str) -> datetime:
    """One task for a file that cannot be taken yet, in its present state; since when it stands."""
    subject = _subject(partner, name)
    with database.reading(ctx.engine) as connection:
        told = [task for task in events.open_tasks(connection, kind=INCOMPLETE) if task["subject"] == subject and task["text"] == text]
    if told:
        return database.moment(told[0]["opened_at"])
    with database.writing(ctx.engine) as connection:
        events.close_tasks(connection, kind=INCOMPLETE, subject=subject, because="it changed", at=ctx.now())
        events.open_task(connection, INCOMPLETE, subject, text, at=ctx.now(), advice=advice)
    return ctx.now()
