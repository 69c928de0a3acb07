"""From the outbox to a partner's server: each file sent once, whole, over nothing.

The commit point is the rename on the server: a row `ready` says that it may have happened, and what lies on the server says whether it did. Only what is
there leaves the outbox.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.clients.sftp import Channel, Link, Refused, ServerTroubleError
from gateway.folders import GoneError, exchange, naming
from gateway.folders.exchange import Outgoing
from gateway.jobs.carrying import LostFileError, Sync, batches, claim_all, pairs, progress_of, refuse, step
from gateway.store import database, events, files, remote, workqueue
from gateway.store.remote import Carried


def push(sync: Sync, link: Link, kind: str) -> None:
    """Send what lies in an outbox, and end what a crash left undone."""
    here = exchange.outgoing(sync.folders, kind)
    with database.reading(sync.ctx.engine) as connection:
        known = remote.known(connection, partner=sync.partner, direction="out", folder=kind, names={file.name for file in here})
    present = {(file.name, file.stamp) for file in here}
    unsure = [f for key, f in known.items() if f.state in ("moving", "ready") and key not in present]
    if not here and not unsure:
        return
    _require_folder(link.channels[0], sync.profile.outgoing[kind])
    for some in batches(here):
        claimed = claim_all(sync, "out", kind, [(file.name, file.stamp, file.size) for file in some])
        link.spread(lambda channel, pair: _send(sync, channel, kind, *pair), pairs(some, claimed))
    claimed = claim_all(sync, "out", kind, [(file.name, file.stamp, file.size) for file in unsure])
    link.spread(lambda channel, file: _settle_gone(sync, channel, kind, file), [file for file in claimed if file and file.state != "done"])


def _require_folder(channel: Channel, folder: str) -> None:
    if channel.look(folder) is None:
        raise ServerTroubleError(f"{channel.server}: the folder {folder} is not there; ask the partner, or change it in [sftp] of the profile")


def _send(sync: Sync, channel: Channel, kind: str, file: Outgoing, claimed: Carried) -> None:
    """Carry one file of the outbox, or end what a break or crash left undone. Only what is on the server leaves the outbox."""
    if sync.stop():
        return
    sync.count(read=1)
    try:
        if claimed.state == "done" or _carry_over(sync, channel, kind, file, claimed):
            exchange.retire(sync.folders, kind, file.name, file.stamp, at=sync.ctx.now())
    except (GoneError, LostFileError) as fault:
        sync.tally.skip(file.name, fault.message)


def _carry_over(sync: Sync, channel: Channel, kind: str, file: Outgoing, claimed: Carried) -> bool:
    """Whether the file is on the server now."""
    in_doubt = claimed.state == "ready"
    if not in_doubt:
        temporary = _temporary(sync, kind, claimed)
        with exchange.open_outgoing(sync.folders, kind, file) as source:
            refused = channel.send(source, temporary, size=file.size, progress=progress_of(sync, claimed))
        if refused:
            refuse(sync, claimed, refused)
            return False
        claimed = step(sync, claimed, state="ready", remote_name=claimed.remote_name or file.name, trouble="")
    return _rename_there(sync, channel, kind, claimed, in_doubt=in_doubt)


def _rename_there(sync: Sync, channel: Channel, kind: str, claimed: Carried, *, in_doubt: bool) -> bool:
    """The commit point. A name in use is not touched; another one is written down before it is tried."""
    temporary = _temporary(sync, kind, claimed)
    for number in range(2, 1000):
        refused = channel.rename(temporary, f"{sync.profile.outgoing[kind]}/{claimed.remote_name}")
        if refused is None:
            return _sent(sync, claimed)
        if not refused.taken and not refused.missing:
            return refuse(sync, claimed, refused)
        if refused.missing or channel.look(temporary) is None:
            return _judge(sync, claimed, there=refused.taken, in_doubt=in_doubt)
        claimed = step(sync, claimed, remote_name=naming.numbered(claimed.name, number))
    return False


def _judge(sync: Sync, claimed: Carried, *, there: bool, in_doubt: bool) -> bool:
    """The temporary file is gone. Was it renamed before, and the answer lost?"""
    if not in_doubt:
        return refuse(sync, step(sync, claimed, state="moving"), Refused("its temporary file vanished from the server; it is sent anew"))
    if there:
        return _sent(sync, claimed)
    if sync.ctx.now() - claimed.changed_at < timedelta(seconds=sync.ctx.timing.doubt_settle):
        sync.tally.skip(claimed.name, "in doubt: neither its temporary nor its own name is on the server; looked at again later")
        return False
    with sync.writing() as connection:
        text = f"{claimed.name} was whole on the server and is gone there: taken by {sync.partner} before its arrival was confirmed"
        events.note(connection, "file.presumed", text, at=sync.ctx.now(), partner=sync.partner)
    return _sent(sync, claimed)


def _settle_gone(sync: Sync, channel: Channel, kind: str, claimed: Carried) -> None:
    """A file on its way that is no longer in the outbox: renamed on the server when it was whole there, else given up."""
    if claimed.state == "ready":
        _rename_there(sync, channel, kind, claimed, in_doubt=True)
        return
    channel.remove(_temporary(sync, kind, claimed))
    step(sync, claimed, state="done", trouble="taken out of the outbox before it was sent")


def _sent(sync: Sync, claimed: Carried) -> bool:
    """Write down that a file is on the server, and let its delivery end."""
    ctx = sync.ctx
    with sync.writing() as connection:
        if not remote.step(connection, claimed, now=ctx.now(), state="done", trouble=""):
            raise LostFileError
        for file in files.sent_as(connection, partner=sync.partner, name=claimed.name, folder=claimed.folder):
            workqueue.enqueue(connection, "deliver", file.id, due_at=ctx.now())
    sync.count(done=1)
    ctx.log.info("file.uploaded", extra={"partner": sync.partner, "file": claimed.name, "as": claimed.remote_name, "size": claimed.size})
    return True


def _temporary(sync: Sync, kind: str, claimed: Carried) -> str:
    name = sync.profile.temporary_name.format(name=claimed.name, id=claimed.id)
    return f"{sync.profile.outgoing[kind]}/{name}"
