"""Documents to a partner: made once, checked, put into the outbox so that they appear whole and over nothing.

`transmit_authorization` takes the control numbers, renders, checks and stores the very bytes in one transaction. `deliver_file` writes them to staging and
renames them into the outbox, the only commit point; after a crash it finds by where the file is whether the rename happened.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.domain import lifecycle
from gateway.domain.documents import Authorization
from gateway.domain.lifecycle import RaState
from gateway.folders import NameTakenError
from gateway.jobs.answers import control_text, take_controls
from gateway.jobs.context import Context, Tally
from gateway.mapping import outbound, outbound_edifact, outbound_flat
from gateway.mapping.outbound import UnsendableError
from gateway.mapping.profiles import Profile
from gateway.store import database, events, files, remote, returns, workqueue
from gateway.store.files import File
from gateway.store.returns import HeldAuthorization

WRITERS: dict[str, Callable[..., bytes]] = {"x12": outbound.to_x12, "edifact": outbound_edifact.to_edifact, "flat": outbound_flat.to_flat}
CANCELLED, REPLACED = "cancel", "replaced"  # why a document takes an RA back: for good, or for a new version that follows
WAITS_FOR_OTHERS = ("the return is in review", "held by ")


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
    """Make the document of an RA for its partner, as original or as change; says what was done, or why nothing was.

    A partner that takes several RAs in one file (`send.batch`) gets what else is due with it.
    """
    try:
        return _transmit(ctx, ra, alone=False)
    except UnsendableError:
        try:
            return _transmit(ctx, ra, alone=True)
        except UnsendableError as fault:
            _hold(ctx, ra, fault)
            return fault.message


def _transmit(ctx: Context, ra: str, *, alone: bool) -> str:
    with database.writing(ctx.engine) as connection:
        held = returns.load_authorization(connection, ra)
        if held is None or held.state in lifecycle.DECIDED or held.state in lifecycle.ENDED:
            return "not open"
        send = ctx.profiles[held.document.partner].send
        sent = [row for row in files.documents_for(connection, ra) if row["document"] == send.document]
        if any(row["version"] >= held.document.version for row in sent):
            return "made already"
        if held.state == RaState.HELD and held.hold.startswith(WAITS_FOR_OTHERS):
            return held.hold
        if sent and send.change == "task":
            return _tell_change(ctx, connection, held)
        if send.paused:
            reason = f"{held.document.partner} is paused (send.paused in its profile)"
            returns.advance(connection, ra, RaState.QUEUED, hold=reason)
            return reason
        company = [] if sent or alone else _due_too(connection, held, send.batch - 1)
        if sent and send.change == "replace":
            _make(ctx, connection, [held], purpose="cancel", reason=REPLACED)
            _make(ctx, connection, [held], purpose="original")
        else:
            _make(ctx, connection, [held, *company], purpose="change" if sent else "original")
    return "made"


def _due_too(connection: Connection, held: HeldAuthorization, most: int) -> list[HeldAuthorization]:
    """Other RAs of the partner that wait for their first document, oldest first."""
    if most < 1:
        return []
    waiting = returns.list_authorizations(connection, states={RaState.IMPORTED, RaState.QUEUED}, partner=held.document.partner)
    others = (
        returns.load_authorization(connection, other.document.ra) for other in waiting if other.document.ra != held.document.ra
    )  # locked, then looked at
    return list(itertools.islice((other for other in others if other and not files.documents_for(connection, other.document.ra)), most))


def _tell_change(ctx: Context, connection: Connection, held: HeldAuthorization) -> str:
    """Ask a person to tell a partner that takes no change documents what the RA has become (R-051)."""
    ra = held.document
    lines = ", ".join(f"{line.quantity} x {line.sku}" for line in ra.lines)
    text = f"{ra.ra} is now version {ra.version} ({lines}); {ra.partner} takes no change documents"
    events.open_task(
        connection, "tell the partner", f"{ra.ra} version {ra.version}", text, at=ctx.now(), rma=ra.rma, advice="tell the warehouse by mail"
    )
    return f"{ra.partner} takes no change documents; a person tells it"


def cancel_authorization(ctx: Context, ra: str) -> None:
    """Tell the partner, once, that an RA it knows is cancelled (R-052)."""
    with database.writing(ctx.engine) as connection:
        held = returns.load_authorization(connection, ra)
        if held is None or any(row["reason"] == CANCELLED for row in files.documents_for(connection, ra)):
            return
        profile = ctx.profiles[held.document.partner]
        if profile.send.cancel == "task":
            text = f"{ra} was cancelled in Loop after it was sent; {profile.partner} takes no cancel documents"
            events.open_task(connection, "tell the partner", ra, text, at=ctx.now(), rma=held.document.rma, advice="tell the warehouse by mail")
            return
        _make(ctx, connection, [held], purpose="cancel")


def _hold(ctx: Context, ra: str, fault: UnsendableError) -> None:
    with database.writing(ctx.engine) as connection:
        held = returns.load_authorization(connection, ra)
        if held and lifecycle.may(held.state, RaState.HELD):
            returns.advance(connection, ra, RaState.HELD, hold=fault.message)
        rma = held.document.rma if held else None
        events.open_task(connection, "not sendable", ra, f"{ra} was not sent: {fault.message}", at=ctx.now(), rma=rma)


def _make(ctx: Context, connection: Connection, together: Sequence[HeldAuthorization], *, purpose: str, reason: str = "") -> None:
    """Make one file of RAs: control numbers, the very bytes, a document row for each, and its delivery. A cancel says by `reason` why."""
    profile = ctx.profiles[together[0].document.partner]
    made = _render(ctx, connection, [held.document for held in together], profile, purpose=purpose)
    file_id = files.add(
        connection,
        at=ctx.now(),
        direction="out",
        partner=profile.partner,
        name=made.name,
        sha256=hashlib.sha256(made.content).hexdigest(),
        size=len(made.content),
        state="pending",
        control=control_text(made.controls, profile.send.kind.syntax),
        content=made.content,
        folder="production" if profile.is_live else "test",
    )
    for place, held in enumerate(together, start=1):
        _enter(
            connection, held, profile, {"file_id": file_id, "reason": reason or (CANCELLED if purpose == "cancel" else ""), **_numbers(made, place)}
        )
        if purpose != "cancel" and lifecycle.may(held.state, RaState.QUEUED):
            returns.advance(connection, held.document.ra, RaState.QUEUED, hold="")
        events.close_tasks(connection, kind="not sendable", subject=held.document.ra, because="made", at=ctx.now())
    workqueue.enqueue(connection, "deliver", file_id, due_at=ctx.now())


def _numbers(made: _Made, place: int) -> dict[str, str]:
    """The numbers by which an acknowledgement names the RA at a place in a file: group and set, or interchange and message; none in a flat file."""
    if made.controls is None:
        return {}
    return {"group_control": str(made.controls.group), "set_control": outbound.set_control(place)}


def _enter(connection: Connection, held: HeldAuthorization, profile: Profile, facts: dict[str, object]) -> None:
    """Enter one RA's document in the book."""
    expects = profile.send.expect_acknowledgement and profile.send.kind.syntax != "flat"
    files.add_document(
        connection,
        partner=profile.partner,
        direction="out",
        document=profile.send.document,
        ra=held.document.ra,
        version=held.document.version,
        validation="valid",
        acknowledgement="awaiting" if expects else "not expected",
        **facts,
    )


def _render(ctx: Context, connection: Connection, ras: Sequence[Authorization], profile: Profile, *, purpose: str) -> _Made:
    at, send = ctx.now(), profile.send
    profile = profile if profile.is_live else profile.in_test()
    controls = take_controls(connection, profile, send.kind.syntax)
    content = WRITERS[send.kind.syntax](ras, profile=profile, template=ctx.template(send.template), controls=controls, purpose=purpose, at=at)
    number = controls.interchange if controls else files.next_control(connection, partner=profile.partner, kind="file", first=1)
    name = outbound.file_name(
        send.file_name, partner=profile.partner, ra=ras[0].ra, document=send.document.upper(), controls=controls, number=number, at=at
    )
    return _Made(content=content, name=name, controls=controls)


def deliver_file(ctx: Context, key: str) -> None:
    """Put a made file into the outbox, exactly once: pending → staged → delivered."""
    with database.reading(ctx.engine) as connection:
        file = files.load(connection, int(key))
    if file is None or file.state not in ("pending", "staged", "placed"):
        return
    folder = ctx.outgoing(file.partner)
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
    if _waits_for_server(ctx, file):
        return
    _delivered(ctx, file)


def deliver_together(ctx: Context, keys: Sequence[str]) -> list[str]:
    """The same for made files of which nothing else is known yet: all staged, one commit, each put into the outbox, one commit.

    Whose name is taken in the outbox, or what goes on to a server, is left to be done alone.
    """
    together = _plain_deliveries(ctx, keys)
    if not together:
        return []
    for file in together:
        ctx.outgoing(file.partner).stage(file.name, file.content or b"")
    with database.writing(ctx.engine) as connection:
        files.change_all(connection, {file.id: {"state": "staged"} for file in together})
    put = [file for file in together if _put(ctx, file)]
    with database.writing(ctx.engine) as connection:
        _note_delivered(ctx, connection, put)
    for file in put:
        _log_delivered(ctx, file)
    return [str(file.id) for file in put]


def _plain_deliveries(ctx: Context, keys: Sequence[str]) -> list[File]:
    """The files that wait to be put into an outbox and nowhere else, one of each name."""
    chosen: dict[tuple[str, str], File] = {}
    with database.reading(ctx.engine) as connection:
        found = files.load_all(connection, map(int, keys))
    for file in found.values():
        if file.state == "pending" and not _goes_on(ctx, file):
            chosen.setdefault((file.partner, file.name), file)
    return list(chosen.values())


def _put(ctx: Context, file: File) -> bool:
    try:
        ctx.outgoing(file.partner).put(file.name, kind=file.folder)
    except NameTakenError:
        return False
    return True


def _goes_on(ctx: Context, file: File) -> bool:
    """Whether a file's outbox is one from which the gateway carries it to the partner's server."""
    server = ctx.profiles[file.partner].sftp
    return server is not None and file.folder in server.outgoing


def _waits_for_server(ctx: Context, file: File) -> bool:
    """Whether a file in the outbox is still to be carried to the partner's server; the sync asks for its delivery again when it is there."""
    if not _goes_on(ctx, file):
        return False
    with database.writing(ctx.engine) as connection:
        if remote.is_sent(connection, partner=file.partner, folder=file.folder, name=file.name):
            return False
        files.change(connection, file.id, state="placed")
    return True


def _rename(ctx: Context, file: File) -> None:
    """A foreign file has the name: take another one and start again; theirs is not touched."""
    stem, dot, suffix = file.name.rpartition(".")
    name = f"{stem or suffix}~{file.id}{dot if stem else ''}{suffix if stem else ''}"
    ctx.outgoing(file.partner).discard_staged(file.name)
    with database.writing(ctx.engine) as connection:
        files.change(connection, file.id, state="pending", name=name)
        events.note(
            connection, "file.renamed", f"{file.name} was taken in the outbox; sent as {name}", at=ctx.now(), file_id=file.id, partner=file.partner
        )
        workqueue.enqueue(connection, "deliver", file.id, due_at=ctx.now())


def _delivered(ctx: Context, file: File) -> None:
    with database.writing(ctx.engine) as connection:
        _note_delivered(ctx, connection, [file])
    _log_delivered(ctx, file)


def _note_delivered(ctx: Context, connection: Connection, delivered: Sequence[File]) -> None:
    files.change_all(connection, {file.id: {"state": "delivered", "outcome": "delivered", "settled_at": ctx.now()} for file in delivered})
    documents = files.sent_in(connection, [file.id for file in delivered])
    for file in delivered:
        for row in documents.get(file.id, ()):
            if row["acknowledgement"] == "awaiting":
                files.change_document(connection, row["id"], expected_by=ctx.profiles[file.partner].acknowledge_by(ctx.now()))
            _sent(ctx, connection, file, row)


def _log_delivered(ctx: Context, file: File) -> None:
    ctx.log.info("file.delivered", extra={"partner": file.partner, "file": file.name, "file_id": file.id})


def _sent(ctx: Context, connection: Connection, file: File, row: dict[str, object]) -> None:
    number = str(row["ra"] or "")
    held = returns.load_authorization(connection, number) if number else None
    if held is None:
        return
    takes_back = row["reason"] in (CANCELLED, REPLACED)
    if not takes_back and lifecycle.may(held.state, RaState.SENT) and held.state != RaState.SENT:
        returns.advance(connection, number, RaState.SENT, sent_at=ctx.now())
    what = "cancel" if takes_back else f"version {row['version']}"
    text = f"{row['document']} sent to {file.partner} ({what}, {file.name})"
    events.note(connection, "document.sent", text, at=ctx.now(), rma=held.document.rma, ra=number, file_id=file.id, partner=file.partner)
