"""Documents to a partner: made once, checked, put into the outbox so that they appear whole and over nothing.

`transmit_authorization` takes the control numbers, renders, checks and stores the very bytes in one transaction. `deliver_file` writes them to staging and
renames them into the outbox, the only commit point; after a crash it finds by where the file is whether the rename happened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from gateway.domain import lifecycle
from gateway.domain.lifecycle import RaState
from gateway.errors import HeldError
from gateway.folders import NameTakenError
from gateway.jobs.answers import take_controls
from gateway.jobs.context import Context, Tally
from gateway.mapping import outbound
from gateway.mapping.outbound import UnsendableError
from gateway.mapping.profiles import Profile
from gateway.store import database, events, files, returns, workqueue
from gateway.store.files import File
from gateway.store.returns import HeldAuthorization


class PausedPartnerError(HeldError):
    """The partner is paused; its documents wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    content: bytes
    name: str
    controls: outbound.Controls | None


def transmit_authorizations(ctx: Context, *, rma: str | None = None) -> Tally:
    """Make the documents of every RA that has none yet."""
    tally = Tally(scope=rma or "")
    with database.reading(ctx.engine) as connection:
        waiting = returns.list_authorizations(connection, states={RaState.IMPORTED, RaState.HELD, RaState.QUEUED})
    for held in waiting:
        if rma and held.document.rma != rma:
            continue
        tally.read += 1
        said = transmit_authorization(ctx, held.document.ra)
        if said == "made":
            tally.done += 1
        else:
            tally.skip(held.document.ra, said)
    return tally


def transmit_authorization(ctx: Context, ra: str) -> str:
    """Make the document of an RA for its partner, as original or as change; says what was done, or why nothing was."""
    try:
        with database.writing(ctx.engine) as connection:
            held = returns.load_authorization(connection, ra)
            if held is None or held.state in lifecycle.DECIDED or held.state in lifecycle.ENDED:
                return "not open"
            sent = [row for row in files.documents_for(connection, ra) if row["document"] == ctx.profiles[held.document.partner].send.document]
            if any(row["version"] >= held.document.version for row in sent):
                return "made already"
            if held.state == RaState.HELD and held.hold.startswith("the return is in review"):
                return held.hold
            if sent and ctx.profiles[held.document.partner].send.change == "task":
                return _tell_change(ctx, connection, held)
            if ctx.profiles[held.document.partner].send.paused:
                reason = f"{held.document.partner} is paused (send.paused in its profile)"
                returns.advance(connection, ra, RaState.QUEUED, hold=reason)
                return reason
            _make(ctx, connection, held, purpose="change" if sent else "original")
        return "made"
    except UnsendableError as fault:
        _hold(ctx, ra, fault)
        return fault.message


def _tell_change(ctx: Context, connection: Connection, held: HeldAuthorization) -> str:
    """Ask a person to tell a partner that takes no change documents what the RA has become (R-051)."""
    ra = held.document
    lines = ", ".join(f"{line.quantity} x {line.sku}" for line in ra.lines)
    text = f"{ra.ra} is now version {ra.version} ({lines}); {ra.partner} takes no change documents"
    events.open_task(connection, "tell the partner", f"{ra.ra} version {ra.version}", text, at=ctx.now(), rma=ra.rma, advice="tell the warehouse by mail")
    return f"{ra.partner} takes no change documents; a person tells it"


def cancel_authorization(ctx: Context, ra: str) -> None:
    """Tell the partner, once, that an RA it knows is cancelled (R-052)."""
    with database.writing(ctx.engine) as connection:
        held = returns.load_authorization(connection, ra)
        if held is None or any(row["reason"] == "cancel" for row in files.documents_for(connection, ra)):
            return
        profile = ctx.profiles[held.document.partner]
        if profile.send.cancel == "task":
            text = f"{ra} was cancelled in Loop after it was sent; {profile.partner} takes no cancel documents"
            events.open_task(connection, "tell the partner", ra, text, at=ctx.now(), rma=held.document.rma, advice="tell the warehouse by mail")
            return
        _make(ctx, connection, held, purpose="cancel")


def _hold(ctx: Context, ra: str, fault: UnsendableError) -> None:
    with database.writing(ctx.engine) as connection:
        held = returns.load_authorization(connection, ra)
        if held and lifecycle.may(held.state, RaState.HELD):
            returns.advance(connection, ra, RaState.HELD, hold=fault.message)
        rma = held.document.rma if held else None
        events.open_task(connection, "not sendable", ra, f"{ra} was not sent: {fault.message}", at=ctx.now(), rma=rma)


def _make(ctx: Context, connection: Connection, held: HeldAuthorization, *, purpose: str) -> None:
    ra, profile = held.document, ctx.profiles[held.document.partner]
    made = _render(ctx, connection, held, profile, purpose=purpose)
    file_id = files.add(
        connection,
        at=ctx.now(),
        direction="out",
        partner=profile.partner,
        name=made.name,
        sha256=hashlib.sha256(made.content).hexdigest(),
        size=len(made.content),
        state="pending",
        control=f"{made.controls.interchange:09d}" if made.controls else "",
        content=made.content,
        folder="test" if profile.stage == "testing" else "production",
    )
    expects = profile.send.expect_acknowledgement and profile.is_x12_out
    files.add_document(
        connection,
        file_id=file_id,
        partner=profile.partner,
        direction="out",
        document=profile.send.document,
        group_control=str(made.controls.group) if made.controls else "",
        set_control="0001" if made.controls else "",
        ra=ra.ra,
        version=ra.version,
        validation="valid",
        acknowledgement="awaiting" if expects else "not expected",
        reason="cancel" if purpose == "cancel" else "",
    )
    if purpose != "cancel" and lifecycle.may(held.state, RaState.QUEUED):
        returns.advance(connection, ra.ra, RaState.QUEUED, hold="")
    events.close_tasks(connection, kind="not sendable", subject=ra.ra, because="made", at=ctx.now())
    workqueue.enqueue(connection, "deliver", file_id, due_at=ctx.now())


def _render(ctx: Context, connection: Connection, held: HeldAuthorization, profile: Profile, *, purpose: str) -> _Made:
    ra, at = held.document, ctx.now()
    template = ctx.template(profile.send.template)
    if profile.is_x12_out:
        controls = take_controls(connection, profile)
        content = outbound.to_x12(ra, profile=profile, template=template, controls=controls, purpose=purpose, at=at)
        number = controls.interchange
    else:
        controls, content = None, outbound.to_csv(ra, profile=profile, template=template, purpose=purpose, at=at)
        number = files.next_control(connection, partner=profile.partner, kind="file", first=1)
    name = outbound.file_name(profile, ra=ra.ra, document=profile.send.document, controls=controls, number=number, at=at)
    return _Made(content=content, name=name, controls=controls)


def deliver_file(ctx: Context, key: str) -> None:
    """Put a made file into the outbox, exactly once: pending → staged → delivered."""
    with database.reading(ctx.engine) as connection:
        file = files.load(connection, int(key))
    if file is None or file.state not in ("pending", "staged"):
        return
    folder = ctx.folders[file.partner]
    if file.state == "pending":
        folder.stage(file.name, file.content or b"")
        with database.writing(ctx.engine) as connection:
            files.change(connection, file.id, state="staged")
    if folder.is_staged(file.name):
        try:
            folder.put(file.name, kind=file.folder)
        except NameTakenError:
            _rename(ctx, file)
            return
    _delivered(ctx, file)


def _rename(ctx: Context, file: File) -> None:
    """A foreign file has the name: take another one and start again; theirs is not touched."""
    stem, dot, suffix = file.name.rpartition(".")
    name = f"{stem or suffix}~{file.id}{dot if stem else ''}{suffix if stem else ''}"
    ctx.folders[file.partner].discard_staged(file.name)
    with database.writing(ctx.engine) as connection:
        files.change(connection, file.id, state="pending", name=name)
        events.note(
            connection, "file.renamed", f"{file.name} was taken in the outbox; sent as {name}", at=ctx.now(), file_id=file.id, partner=file.partner
        )
        workqueue.enqueue(connection, "deliver", file.id, due_at=ctx.now())


def _delivered(ctx: Context, file: File) -> None:
    profile = ctx.profiles[file.partner]
    with database.writing(ctx.engine) as connection:
        files.change(connection, file.id, state="delivered", outcome="delivered", settled_at=ctx.now())
        for row in files.documents_in(connection, file.id):
            if row["acknowledgement"] == "awaiting":
                due = ctx.now() + timedelta(hours=profile.send.acknowledgement_hours)
                files.change_document(connection, row["id"], expected_by=due)
            _sent(ctx, connection, file, row)
    ctx.log.info("file.delivered", extra={"partner": file.partner, "file": file.name, "file_id": file.id})


def _sent(ctx: Context, connection: Connection, file: File, row: dict[str, object]) -> None:
    number = str(row["ra"] or "")
    held = returns.load_authorization(connection, number) if number else None
    if held is None:
        return
    if row["reason"] != "cancel" and lifecycle.may(held.state, RaState.SENT) and held.state != RaState.SENT:
        returns.advance(connection, number, RaState.SENT, sent_at=ctx.now())
    what = "cancel" if row["reason"] == "cancel" else f"version {row['version']}"
    text = f"{row['document']} sent to {file.partner} ({what}, {file.name})"
    events.note(connection, "document.sent", text, at=ctx.now(), rma=held.document.rma, ra=number, file_id=file.id, partner=file.partner)
