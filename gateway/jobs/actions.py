"""What people do by hand: preview, replay, resend, attach, hold, release, retry, close.

Each has a dry run that shows what would happen, leaves a trace of who did it and why, and can never repeat an effect that has happened: it puts work into
the same queue, where the same guards stand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import Connection

from gateway.domain import lifecycle, matching
from gateway.domain.lifecycle import RaState
from gateway.errors import PermanentError
from gateway.jobs import intake, receipts
from gateway.jobs.context import Context
from gateway.jobs.decisions import decide_within
from gateway.jobs.reading import Reading, StopFileError
from gateway.store import database, effects, events, files, messages, received, returns, workqueue
from gateway.store.files import File


class UnknownFileError(PermanentError):
    """No such file in the book."""


class UnknownNumberError(PermanentError):
    """No such RA, receipt or effect in the book."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a file means and what would happen; nothing has."""

    name: str
    outcome: str
    receipts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    answers: int = 0


@dataclass(slots=True)
class _RollBack(Exception):
    prospect: Prospect = field(default_factory=lambda: Prospect(name="", outcome=""))


def preview(ctx: Context, *, partner: str, path: PurePath, content: bytes) -> Prospect:
    """What a file outside the gateway is, means and would cause; nothing is taken or kept (R-145)."""
    if partner not in ctx.profiles:
        raise UnknownNumberError(f"no partner {partner}; known: {', '.join(ctx.profiles)}")
    row = {
        "direction": "in",
        "partner": partner,
        "name": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "state": "taken",
        "place": str(path),
        "folder": "production",
    }
    return _try(ctx, row=row, file_id=None)


def _try(ctx: Context, *, row: dict[str, Any] | None, file_id: int | None) -> Prospect:
    """Read a file in a transaction that is rolled back, and tell what it would have written."""
    try:
        with database.writing(ctx.engine) as connection:
            number = files.add(connection, at=ctx.now(), **row) if row else int(file_id or 0)
            file = files.load(connection, number)
            if file is None:
                raise UnknownFileError
            raise _RollBack(_prospect(ctx, connection, file))
    except _RollBack as tried:
        return tried.prospect


def _prospect(ctx: Context, connection: Connection, file: File) -> Prospect:
    last_effect, last_receipt, last_file = effects.last_effect(connection), received.last_receipt(connection), files.last_file(connection)
    try:
        reading = intake.read_file(ctx, connection, file)
        outcome = intake.outcome_of(reading)
    except StopFileError as stop:
        reading, outcome = Reading.stopped(file, ctx.profiles[file.partner], stop.problem), stop.outcome
    for key in workqueue.keys_of(connection, "decide"):
        decide_within(ctx, connection, key)
    told = tuple(
        f"receipt {r.document.receipt_no} for {r.ra or r.document.ra_reference or 'no RA'}: "
        + ", ".join(f"{line.sku or line.stated} {line.good} good" + (f" {line.second} second" if line.second else "") for line in r.document.lines)
        for r in received.receipts_after(connection, last_receipt)
    )
    caused = tuple(f"{e.kind} on {e.target}: {_brief(e.payload)}" for e in effects.list_effects(connection, after=last_effect))
    made = [row for row in files.unfinished(connection) if row.direction == "out" and row.state == "pending" and row.id > last_file]
    return Prospect(
        name=file.name,
        outcome=outcome,
        receipts=told,
        problems=tuple(f"{p.document}: {p.message} ({p.where}). To do: {p.remedy}" for p in reading.wrong),
        remarks=tuple([*reading.duplicates, *reading.remarks]),
        effects=caused,
        answers=len(made),
    )


def _brief(payload: dict[str, Any]) -> str:
    told = payload.get("content") or payload.get("details") or payload.get("units") or "in Loop"
    return ", ".join(f"{name} {value}" for name, value in told.items()) if isinstance(told, dict) else str(told)


def replay(ctx: Context, *, file_id: int, dry_run: bool, accept_control: bool, actor: str) -> Prospect:
    """Handle an archived or rejected file again; an effect that has happened is not repeated (R-142)."""
    if not dry_run:
        _take_again(ctx, file_id, accept_control=accept_control, actor=actor)
        with database.reading(ctx.engine) as connection:
            file = files.load(connection, file_id)
        return Prospect(name=file.name if file else "", outcome="queued")
    return _try(ctx, row=None, file_id=file_id)


def _take_again(ctx: Context, file_id: int, *, accept_control: bool, actor: str) -> None:
    with database.writing(ctx.engine) as connection:
        file = files.load(connection, file_id)
        if file is None or file.direction != "in":
            raise UnknownFileError(f"file {file_id} is not an inbound file of the book")
        if file.state in ("purging", "purged"):
            raise PermanentError(f"{file.name} is no longer kept (retention.files); ask the partner to send it again")
        if file.state != "shelved":
            raise PermanentError(f"{file.name} is still being handled ({file.state}); try again in a moment")
        if accept_control:
            events.note(
                connection,
                "file.control-accepted",
                f"{file.name}: its repeated interchange number is accepted",
                at=ctx.now(),
                file_id=file_id,
                actor=actor,
            )
        events.note(connection, "file.replayed", f"{file.name} replayed", at=ctx.now(), file_id=file_id, actor=actor)
        for kind in ("file error", "file partial", "file held", "file quarantine"):
            events.close_tasks(connection, kind=kind, subject=f"file {file_id}", because=f"replayed by {actor}", at=ctx.now())
        files.change(connection, file_id, state="taken")
        workqueue.enqueue(connection, "translate", file_id, due_at=ctx.now())


def find_resendable(ctx: Context, *, ra: str | None, partner: str | None, since: datetime | None, until: datetime | None = None) -> list[File]:
    """The delivered documents that a resend would send again: of an RA, or of a partner in a range of time."""
    with database.reading(ctx.engine) as connection:
        if ra:
            wanted = {row["file_id"] for row in files.documents_for(connection, ra)}
            found = [f for f in (files.load(connection, number) for number in sorted(wanted)) if f]
            newest = [f for f in found if f.resend_of is None][-1:]
            return newest
        return files.sent_since(connection, partner=partner, since=since or ctx.now(), until=until)


def resend(ctx: Context, *, chosen: Sequence[File], actor: str) -> list[str]:
    """Send files again, byte for byte, under new names; the count is kept on the original (R-067)."""
    names = []
    with database.writing(ctx.engine) as connection:
        for file in chosen:
            count = file.resends + 1
            stem, dot, suffix = file.name.rpartition(".")
            name = f"{stem or suffix}-R{count}{dot if stem else ''}{suffix if stem else ''}"
            files.change(connection, file.id, resends=count)
            made = files.add(
                connection,
                at=ctx.now(),
                direction="out",
                partner=file.partner,
                name=name,
                sha256=file.sha256,
                size=file.size,
                state="pending",
                control=file.control,
                content=file.content,
                folder=file.folder,
                resend_of=file.id,
            )
            _await_again(ctx, connection, file, actor)
            workqueue.enqueue(connection, "deliver", made, due_at=ctx.now())
            names.append(name)
    return names


def _await_again(ctx: Context, connection: Connection, file: File, actor: str) -> None:
    """A rejected or overdue document that is sent again awaits its acknowledgement again."""
    for row in files.documents_in(connection, file.id):
        if row["acknowledgement"] in ("rejected", "overdue"):
            due = ctx.profiles[file.partner].acknowledge_by(ctx.now())
            files.change_document(connection, row["id"], acknowledgement="awaiting", reason="", expected_by=due)
            events.close_tasks(connection, kind="rejected by partner", subject=row["ra"] or "", because=f"sent again by {actor}", at=ctx.now())
        held = returns.load_authorization(connection, row["ra"]) if row["ra"] else None
        events.note(
            connection,
            "document.resent",
            f"{file.name} sent again",
            at=ctx.now(),
            rma=held.document.rma if held else None,
            ra=row["ra"],
            file_id=file.id,
            partner=file.partner,
            actor=actor,
        )


def candidates(ctx: Context, *, receipt_id: int) -> list[matching.Candidate]:
    """The RAs a waiting receipt may belong to, best first, with evidence (R-094)."""
    with database.reading(ctx.engine) as connection:
        held = received.load_receipt(connection, receipt_id)
        if held is None or held.state not in ("waiting", "unmatched"):
            raise UnknownNumberError(f"receipt {receipt_id} is not waiting to be attached")
        return receipts.propose(connection, held.document, now=ctx.now())


def attach(ctx: Context, *, receipt_id: int, ra: str, actor: str, reason: str = "") -> str:
    """Bring an unmatched receipt to an RA; from there it follows the normal path (R-094). `corrections.detach` undoes it."""
    with database.writing(ctx.engine) as connection:
        held = received.load_receipt(connection, receipt_id)
        target = returns.load_authorization(connection, ra)
        if held is None or held.state not in ("waiting", "unmatched"):
            raise UnknownNumberError(f"receipt {receipt_id} is not waiting to be attached")
        if target is None:
            raise UnknownNumberError(f"{ra} is not in the book")
        received.set_receipt(connection, receipt_id, state="applied", ra=ra, reason=f"attached by {actor}")
        said = f"receipt {held.document.receipt_no} attached to {ra}" + _because(reason)
        events.note(connection, "receipt.attached", said, at=ctx.now(), rma=target.document.rma, ra=ra, file_id=held.file_id, actor=actor)
        subject = f"{held.document.partner} {held.document.receipt_no}"
        events.close_tasks(connection, kind="unmatched receipt", subject=subject, because=f"attached to {ra} by {actor}", at=ctx.now())
        receipts.matched(ctx, connection, target, held.document, file_id=held.file_id)
    return said


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def hold(ctx: Context, *, ra: str, reason: str, actor: str) -> str:
    """Keep an RA from being sent; one that is with the partner already is kept from being decided."""
    with database.writing(ctx.engine) as connection:
        held = _known(connection, ra)
        words = f"held by {actor}: {reason}"
        if held.state in lifecycle.DECIDED or held.state in lifecycle.ENDED:
            raise PermanentError(f"{ra} is {held.state.value}: there is nothing left to hold")
        if held.state in lifecycle.TRANSMITTED:
            returns.set_hold(connection, ra, words)
        else:
            returns.advance(connection, ra, RaState.HELD, hold=words)
        facts = {"before": held.hold or held.state.value, "after": words}
        events.note(connection, "ra.held", f"{ra} {words}", at=ctx.now(), rma=held.document.rma, ra=ra, actor=actor, facts=facts)
    return f"{ra} is held"


def release(ctx: Context, *, ra: str, actor: str, reason: str = "") -> str:
    """Let a held RA go on, from where it stands."""
    with database.writing(ctx.engine) as connection:
        held = _known(connection, ra)
        if held.state in lifecycle.TRANSMITTED:
            returns.set_hold(connection, ra, "")
            workqueue.enqueue(connection, "decide", held.document.rma, due_at=ctx.now())
        else:
            returns.advance(connection, ra, RaState.QUEUED, hold="")
            workqueue.enqueue(connection, "transmit", ra, due_at=ctx.now())
        facts = {"before": held.hold or held.state.value, "after": "released"}
        events.note(
            connection, "ra.released", f"{ra} released{_because(reason)}", at=ctx.now(), rma=held.document.rma, ra=ra, actor=actor, facts=facts
        )
    return f"{ra} goes on"


def _known(connection: Connection, ra: str) -> returns.HeldAuthorization:
    held = returns.load_authorization(connection, ra)
    if held is None:
        raise UnknownNumberError(f"{ra} is not in the book; `gateway find` looks for other identifiers")
    return held


def close(ctx: Context, *, ra: str, reason: str, actor: str) -> str:
    """Close an RA by hand: units that did not come are not returned; Loop is not called (R-143)."""
    with database.writing(ctx.engine) as connection:
        held = _known(connection, ra)
        missing = {row["sku"]: row["expected"] - row["good"] - row["second"] for row in returns.lines_of(connection, ra)}
        returns.close_missing(connection, ra, missing)
        if not lifecycle.may(held.state, RaState.CLOSED):
            returns.force_closed(connection, ra)
        else:
            returns.advance(connection, ra, RaState.CLOSED)
        text = f"{ra} closed by hand: {reason}"
        events.note(connection, "ra.closed", text, at=ctx.now(), rma=held.document.rma, ra=ra, actor=actor, facts={"before": held.state.value})
        for kind in ("not sendable", "edited return", "rejected by partner"):
            events.close_tasks(connection, kind=kind, rma=held.document.rma, because=text, at=ctx.now())
    return f"{ra} is closed"


def retry(ctx: Context, *, step: str, actor: str, reason: str = "") -> str:
    """Repeat a failed step: an effect by its number (looked up first when it is in doubt), a job as `job:key`, or `refund:ID`."""
    job, _, key = step.rpartition(":")
    with database.writing(ctx.engine) as connection:
        if not job or job == "effect":
            return _retry_effect(ctx, connection, _number(key), f"{actor}{_because(reason)}")
        if job == messages.QUEUE:
            return _send_again(ctx, connection, _number(key), actor)
        events.note(connection, "step.retried", f"{job} {key} tried again{_because(reason)}", at=ctx.now(), actor=actor)
        workqueue.enqueue(connection, job, key, due_at=ctx.now())
        events.close_tasks(connection, kind="failed step", subject=f"{job} {key}", because=f"tried again by {actor}", at=ctx.now())
    return f"{job} {key} is queued"


def _send_again(ctx: Context, connection: Connection, number: int, actor: str) -> str:
    if not messages.send_again(connection, number, at=ctx.now()):
        return f"message {number} was sent, is on its way or is not in the book; it is not sent again"
    subject = f"message {number}"
    events.resolve_alert(connection, "message in doubt", subject, at=ctx.now())
    events.close_tasks(connection, kind="message refused", subject=subject, because=f"sent again by {actor}", at=ctx.now())
    events.note(connection, "message.retried", f"Message {number} is sent again", at=ctx.now(), actor=actor, facts={"message": number})
    return f"message {number} is queued"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UnknownNumberError(f"{text!r} is no effect's number; write the number, or a job as JOB:KEY")
    return int(text)


def _retry_effect(ctx: Context, connection: Connection, effect_id: int, actor: str) -> str:
    effect = effects.load(connection, effect_id)
    if effect is None:
        raise UnknownNumberError(f"effect {effect_id} is not in the book")
    if effect.state == effects.EffectState.CONFIRMED:
        return f"effect {effect_id} ({effect.kind} on {effect.target}) is confirmed; it is not repeated"
    if effect.cause.startswith(effects.WITHDRAWN):
        return f"effect {effect_id} ({effect.kind} on {effect.target}) was {effect.cause}; the return was decided again, and this one never goes out"
    queue = f"effect.{effect.kind.partition('.')[0]}"
    asked = any(task["subject"] == f"effect {effect_id}" for task in events.open_tasks(connection, kind="in doubt"))
    if effect.state == effects.EffectState.IN_DOUBT and not asked:
        workqueue.enqueue(connection, queue, effect_id, due_at=ctx.now())
        return f"effect {effect_id} ({effect.kind} on {effect.target}) is in doubt; it is looked up first, and repeated only if it did not happen"
    effects.settle(connection, effect_id, state=effects.EffectState.INTENDED, cause=f"tried again by {actor}", now=ctx.now())
    events.note(
        connection, "effect.retried", f"{effect.kind} on {effect.target} tried again", at=ctx.now(), rma=effect.payload.get("rma"), actor=actor
    )
    verb = effect.kind.partition(".")[2]
    events.close_tasks(connection, kind=f"{verb} refused", subject=effect.target, because=f"tried again by {actor}", at=ctx.now())
    events.close_tasks(connection, kind="in doubt", subject=f"effect {effect_id}", because=f"tried again by {actor}", at=ctx.now())
    workqueue.enqueue(connection, queue, effect_id, due_at=ctx.now())
    return f"effect {effect_id} ({effect.kind} on {effect.target}) is queued"


def plain(prospect: Prospect) -> dict[str, Any]:
    """A prospect as a record."""
    loaded: dict[str, Any] = json.loads(json.dumps({name: getattr(prospect, name) for name in Prospect.__dataclass_fields__}))
    return loaded
