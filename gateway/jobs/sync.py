"""A partner's server kept in step with its inbox and outbox: each file carried once, whole, over nothing.

The rule of every effect: intent committed, effect, outcome committed. To the server the commit point is the rename there: a row `ready` says that it may have
happened, and what lies on the server says whether it did. From the server the commit point is the rename into the inbox; only then is the file removed
there, and only if it still is the one that was taken. A file on the server is taken when its size and time kept still for the settle period.

One file that is refused stops no other; trouble with the server or with our folders ends the pass and is tried again. See `store.remote` for the states.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import PurePath

from gateway.clients import sftp
from gateway.clients.sftp import Channel, Entry, Link, Refused, ServerTroubleError
from gateway.folders import FolderTroubleError, GoneError, NameTakenError, PartnerFolders, exchange, naming
from gateway.folders.exchange import Outgoing
from gateway.jobs.context import Context, Tally
from gateway.mapping.exchange_parts import Sftp
from gateway.store import database, events, files, remote, workqueue
from gateway.store.remote import Carried

ALERT = "server trouble"
Progress = Callable[[str, int, int], None]


class LostFileError(ServerTroubleError):
    """Another process took this file over; it goes on with it."""


def _silent(_name: str, _done: int, _size: int) -> None:
    return


@dataclass(slots=True)
class Sync:
    """What one process knows of a partner's server between passes: its connection, and since when files there keep still."""

    ctx: Context
    partner: str
    owner: str
    lease_seconds: float = 300.0
    progress: Progress = _silent
    stop: Callable[[], bool] = lambda: False
    tally: Tally = field(default_factory=Tally)
    _link: Link | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _still: dict[tuple[str, str, str], float] = field(default_factory=dict)

    @property
    def profile(self) -> Sftp:
        """The `[sftp]` part of the partner's profile."""
        found = self.ctx.profiles[self.partner].sftp
        assert found is not None, "only partners with [sftp] are synced"
        return found

    @property
    def folders(self) -> PartnerFolders:
        """The partner's folders."""
        return self.ctx.folders[self.partner]

    @property
    def settling(self) -> bool:
        """Whether a file on the server has not kept still long enough yet."""
        return any(self.ctx.monotonic() - since < self.profile.settle_seconds for since in self._still.values())

    def link(self) -> Link:
        """The connection, opened where it is not."""
        if self._link is None or not self._link.is_open:
            self._link = sftp.connect(self.ctx.servers[self.partner]())
        return self._link

    def close(self) -> None:
        """Hang up."""
        sftp.hang_up(self._link)
        self._link = None

    def count(self, *, read: int = 0, done: int = 0) -> None:
        """Count, from whichever channel."""
        with self._lock:
            self.tally.read += read
            self.tally.done += done

    def forget_all_but(self, kind: str, present: set[tuple[str, str, str]]) -> None:
        """Forget files that are no longer on the server."""
        self._still = {key: since for key, since in self._still.items() if key[0] != kind or key in present}

    def kept_still(self, kind: str, entry: Entry) -> bool:
        """Whether a file on the server has had this size and time for the settle period."""
        since = self._still.setdefault((kind, entry.name, _stamp(entry)), self.ctx.monotonic())
        return self.ctx.monotonic() - since >= self.profile.settle_seconds


def sync_partner(sync: Sync) -> Tally:
    """One pass: what lies in the outboxes goes, what lies on the server comes. The connection stays open for the next."""
    sync.tally = Tally(scope=sync.partner)
    try:
        link = sync.link()
        for kind in sync.profile.outgoing:
            _push(sync, link, kind)
        for kind in sync.profile.incoming:
            _pull(sync, link, kind)
    except BaseException:
        sync.close()
        raise
    return sync.tally


def tell(ctx: Context, partner: str, trouble: str) -> None:
    """One alert while a server is in trouble; it resolves by itself (R-179)."""
    with database.reading(ctx.engine) as connection:
        same = any(a["open"] and a["text"] == trouble for a in events.list_alerts(connection) if (a["kind"], a["subject"]) == (ALERT, partner))
        open_before = events.has_alert(connection, ALERT, partner)
    if (trouble and same) or (not trouble and not open_before):
        return
    with database.writing(ctx.engine) as connection:
        if trouble:
            events.raise_alert(connection, ALERT, partner, trouble, at=ctx.now())
        else:
            events.resolve_alert(connection, ALERT, partner, at=ctx.now())


# to the server


def _push(sync: Sync, link: Link, kind: str) -> None:
    here = exchange.outgoing(sync.folders, kind)
    with database.reading(sync.ctx.engine) as connection:
        known = remote.known(connection, partner=sync.partner, direction="out", folder=kind)
    present = {(file.name, file.stamp) for file in here}
    unsure = [f for key, f in known.items() if f.state in ("moving", "ready") and key not in present]
    if not here and not unsure:
        return
    _require_folder(link.channels[0], sync.profile.outgoing[kind])
    link.spread(lambda channel, file: _send(sync, channel, kind, file), here)
    link.spread(lambda channel, file: _settle_gone(sync, channel, kind, file), unsure)


def _require_folder(channel: Channel, folder: str) -> None:
    if channel.look(folder) is None:
        raise ServerTroubleError(f"{channel.server}: the folder {folder} is not there; ask the partner, or change it in [sftp] of the profile")


def _send(sync: Sync, channel: Channel, kind: str, file: Outgoing) -> None:
    """Carry one file of the outbox, or end what a break or crash left undone."""
    if sync.stop():
        return
    claimed = _claim(sync, direction="out", kind=kind, name=file.name, stamp=file.stamp, size=file.size)
    if claimed is None:
        return
    sync.count(read=1)
    try:
        if claimed.state != "done":
            _carry_over(sync, channel, kind, file, claimed)
        exchange.retire(sync.folders, kind, file.name, file.stamp, at=sync.ctx.now())
    except (GoneError, LostFileError) as fault:
        sync.tally.skip(file.name, fault.message)


def _carry_over(sync: Sync, channel: Channel, kind: str, file: Outgoing, claimed: Carried) -> None:
    in_doubt = claimed.state == "ready"
    if not in_doubt:
        temporary = _temporary(sync, kind, claimed)
        with exchange.open_outgoing(sync.folders, kind, file) as source:
            refused = channel.send(source, temporary, size=file.size, progress=_progress(sync, claimed))
        if refused:
            _refuse(sync, claimed, refused)
            return
        claimed = _step(sync, claimed, state="ready", remote_name=claimed.remote_name or file.name, trouble="")
    _rename_there(sync, channel, kind, claimed, in_doubt=in_doubt)


def _rename_there(sync: Sync, channel: Channel, kind: str, claimed: Carried, *, in_doubt: bool) -> None:
    """The commit point. A name in use is not touched; another one is written down before it is tried."""
    temporary = _temporary(sync, kind, claimed)
    for number in range(2, 1000):
        refused = channel.rename(temporary, f"{sync.profile.outgoing[kind]}/{claimed.remote_name}")
        if refused is None:
            _sent(sync, claimed)
            return
        if not refused.taken and not refused.missing:
            _refuse(sync, claimed, refused)
            return
        if refused.missing or channel.look(temporary) is None:
            _judge(sync, claimed, there=refused.taken, in_doubt=in_doubt)
            return
        claimed = _step(sync, claimed, remote_name=naming.numbered(claimed.name, number))


def _judge(sync: Sync, claimed: Carried, *, there: bool, in_doubt: bool) -> None:
    """The temporary file is gone. Was it renamed before, and the answer lost?"""
    if not in_doubt:
        _refuse(sync, _step(sync, claimed, state="moving"), Refused("its temporary file vanished from the server; it is sent anew"))
    elif there:
        _sent(sync, claimed)
    elif sync.ctx.now() - claimed.changed_at < timedelta(seconds=sync.ctx.timing.doubt_settle):
        sync.tally.skip(claimed.name, "in doubt: neither its temporary nor its own name is on the server; looked at again later")
    else:
        with database.writing(sync.ctx.engine) as connection:
            text = f"{claimed.name} was whole on the server and is gone there: taken by {sync.partner} before its arrival was confirmed"
            events.note(connection, "file.presumed", text, at=sync.ctx.now(), partner=sync.partner)
        _sent(sync, claimed)


def _settle_gone(sync: Sync, channel: Channel, kind: str, file: Carried) -> None:
    """A file on its way that is no longer in the outbox: renamed on the server when it was whole there, else given up."""
    claimed = _claim(sync, direction="out", kind=kind, name=file.name, stamp=file.stamp, size=file.size)
    if claimed is None or claimed.state == "done":
        return
    if claimed.state == "ready":
        _rename_there(sync, channel, kind, claimed, in_doubt=True)
        return
    channel.remove(_temporary(sync, kind, claimed))
    _step(sync, claimed, state="done", trouble="taken out of the outbox before it was sent")


def _sent(sync: Sync, claimed: Carried) -> None:
    """Write down that a file is on the server, and let its delivery end."""
    ctx = sync.ctx
    with database.writing(ctx.engine) as connection:
        if not remote.step(connection, claimed, now=ctx.now(), state="done", trouble=""):
            raise LostFileError
        for file in files.sent_as(connection, partner=sync.partner, name=claimed.name, folder=claimed.folder):
            workqueue.enqueue(connection, "deliver", file.id, due_at=ctx.now())
    sync.count(done=1)
    ctx.log.info("file.uploaded", extra={"partner": sync.partner, "file": claimed.name, "as": claimed.remote_name, "size": claimed.size})


# from the server


def _pull(sync: Sync, link: Link, kind: str) -> None:
    folder = sync.profile.incoming[kind]
    listed = link.channels[0].list_files(folder)
    if isinstance(listed, Refused):
        raise ServerTroubleError(f"{link.channels[0].server}: the folder {folder} cannot be listed ({listed.why})")
    present = [entry for entry in listed if not sync.folders.is_temporary(entry.name)]
    sync.forget_all_but(kind, {(kind, entry.name, _stamp(entry)) for entry in present})
    with database.reading(sync.ctx.engine) as connection:
        known = remote.known(connection, partner=sync.partner, direction="in", folder=kind)
    wanted = [entry for entry in present if sync.kept_still(kind, entry) and not _is_kept(sync, known.get((entry.name, _stamp(entry))))]
    link.spread(lambda channel, entry: _take(sync, channel, kind, entry), wanted)
    listed_keys = {(entry.name, _stamp(entry)) for entry in present}
    left = [f for key, f in known.items() if f.state != "done" and key not in listed_keys]
    link.spread(lambda channel, file: _finish_gone(sync, channel, kind, file), left)


def _is_kept(sync: Sync, known: Carried | None) -> bool:
    """Whether a file was taken before and stays on the server by the partner's wish."""
    return known is not None and known.state == "done" and known.local_name != "" and sync.profile.after_taking == "keep"


def _take(sync: Sync, channel: Channel, kind: str, entry: Entry) -> None:
    """Carry one file from the server, or end what a break or crash left undone."""
    if sync.stop():
        return
    claimed = _claim(sync, direction="in", kind=kind, name=entry.name, stamp=_stamp(entry), size=entry.size)
    if claimed is not None and claimed.state == "done":
        claimed = _again(sync, kind, claimed)
    if claimed is None:
        return
    sync.count(read=1)
    try:
        if claimed.state == "moving":
            moved = _fetch(sync, channel, kind, entry, claimed)
            if moved is None:
                return
            claimed = moved
        if claimed.state == "fetched":
            claimed = _land(sync, kind, claimed)
        _remove_there(sync, channel, kind, claimed)
    except LostFileError as fault:
        sync.tally.skip(entry.name, fault.message)


def _again(sync: Sync, kind: str, done: Carried) -> Carried | None:
    """The same name and stamp lies there again after it was removed: the partner sent it again."""
    with database.writing(sync.ctx.engine) as connection:
        if not remote.begin_again(connection, done, now=sync.ctx.now()):
            return None
    return _claim(sync, direction="in", kind=kind, name=done.name, stamp=done.stamp, size=done.size)


def _fetch(sync: Sync, channel: Channel, kind: str, entry: Entry, claimed: Carried) -> Carried | None:
    path = exchange.partial(sync.folders, kind, number=claimed.id, name=entry.name)
    there = f"{sync.profile.incoming[kind]}/{entry.name}"
    target, start = exchange.open_partial(sync.folders, path, size=entry.size)
    try:
        with target:
            refused = channel.fetch(there, target, start=start, size=entry.size, progress=_progress(sync, claimed))
    except OSError as fault:
        raise FolderTroubleError(f"{path.parent} cannot be written ({fault.strerror or fault})") from fault
    refused = refused or _changed(channel, there, entry) or _differs(channel, there, path)
    if refused:
        exchange.drop_partial(path)
        _refuse(sync, claimed, refused)
        return None
    exchange.finish_partial(path, modified=entry.modified)
    name = exchange.free_inbox_name(sync.folders, kind, entry.name)
    return _step(sync, claimed, state="fetched", local_name=name, trouble="")


def _changed(channel: Channel, there: str, entry: Entry) -> Refused | None:
    now = channel.look(there)
    return None if now is not None and _stamp(now) == _stamp(entry) else Refused("it changed on the server while it was fetched; it is fetched anew")


def _differs(channel: Channel, there: str, path: PurePath) -> Refused | None:
    hashed = channel.hash_of(there)
    return Refused("its SHA-256 is not that on the server; it is fetched anew") if hashed and hashed != exchange.hash_of(path) else None


def _land(sync: Sync, kind: str, claimed: Carried) -> Carried:
    """The commit point: the file appears in the inbox. A name that went to another meanwhile is not touched; another one is written down first."""
    path = exchange.partial(sync.folders, kind, number=claimed.id, name=claimed.name)
    while True:
        try:
            exchange.land(sync.folders, kind, path, claimed.local_name)
            break
        except NameTakenError:
            claimed = _step(sync, claimed, local_name=exchange.free_inbox_name(sync.folders, kind, claimed.name))
    sync.count(done=1)
    extra = {"partner": sync.partner, "file": claimed.name, "as": claimed.local_name, "size": claimed.size}
    sync.ctx.log.info("file.downloaded", extra=extra)
    return _step(sync, claimed, state="done" if sync.profile.after_taking == "keep" else "taken")


def _remove_there(sync: Sync, channel: Channel, kind: str, claimed: Carried) -> None:
    """Remove a taken file from the server, or move it aside; not if another was put in its place meanwhile."""
    if claimed.state != "taken":
        return
    there = f"{sync.profile.incoming[kind]}/{claimed.name}"
    now = channel.look(there)
    if now is None or _stamp(now) != claimed.stamp:
        _step(sync, claimed, state="done")
        return
    if sync.profile.after_taking == "move":
        refused = channel.rename(there, f"{sync.profile.taken_folder}/{claimed.name}")
        if refused and refused.taken:
            refused = channel.rename(there, f"{sync.profile.taken_folder}/{naming.numbered(claimed.name, claimed.id)}")
    else:
        refused = channel.remove(there)
    if refused:
        _refuse(sync, claimed, replace(refused, why=f"taken, but it cannot be removed there: {refused.why}"))
        return
    _step(sync, claimed, state="done", trouble="")


def _finish_gone(sync: Sync, channel: Channel, kind: str, file: Carried) -> None:
    """A file that was being carried and is no longer listed: what was whole here still has to reach the inbox, the rest is dropped."""
    claimed = _claim(sync, direction="in", kind=kind, name=file.name, stamp=file.stamp, size=file.size)
    if claimed is None or claimed.state == "done":
        return
    if claimed.state == "moving":
        exchange.drop_partial(exchange.partial(sync.folders, kind, number=claimed.id, name=claimed.name))
        _step(sync, claimed, state="done", trouble="it vanished from the server before it was whole here")
        return
    if claimed.state == "fetched":
        claimed = _land(sync, kind, claimed)
    _remove_there(sync, channel, kind, claimed)


# steps


def _stamp(entry: Entry) -> str:
    return f"{entry.size}-{entry.modified}"


def _temporary(sync: Sync, kind: str, claimed: Carried) -> str:
    name = sync.profile.temporary_name.format(name=claimed.name, id=claimed.id)
    return f"{sync.profile.outgoing[kind]}/{name}"


def _claim(sync: Sync, *, direction: str, kind: str, name: str, stamp: str, size: int) -> Carried | None:
    with database.writing(sync.ctx.engine) as connection:
        return remote.claim(
            connection,
            partner=sync.partner,
            direction=direction,
            folder=kind,
            name=name,
            stamp=stamp,
            size=size,
            owner=sync.owner,
            now=sync.ctx.now(),
            seconds=sync.lease_seconds,
        )


def _step(sync: Sync, claimed: Carried, **values: str) -> Carried:
    """Write a step, if the file is still ours."""
    now = sync.ctx.now()
    with database.writing(sync.ctx.engine) as connection:
        if not remote.step(connection, claimed, now=now, **values):
            raise LostFileError
    return replace(claimed, changed_at=now, **values)  # type: ignore[arg-type]  # columns of text


def _refuse(sync: Sync, claimed: Carried, refused: Refused) -> None:
    """What befell one file: written down, counted, tried again at the next pass."""
    sync.tally.fail(claimed.name, refused.why)
    if claimed.trouble != refused.why:
        _step(sync, claimed, trouble=refused.why)


def _progress(sync: Sync, claimed: Carried) -> Callable[[int], None]:
    """Tell how far a file is, keep its lease, and notice a stop."""
    renewed = sync.ctx.monotonic()

    def told(done: int) -> None:
        nonlocal renewed
        sync.progress(claimed.name, done, claimed.size)
        if sync.stop():
            raise ServerTroubleError("the service is stopping; the transfer goes on at the next start")
        if sync.ctx.monotonic() - renewed > sync.lease_seconds / 3:
            renewed = sync.ctx.monotonic()
            with database.writing(sync.ctx.engine) as connection:
                if not remote.renew(connection, claimed, now=sync.ctx.now(), seconds=sync.lease_seconds):
                    raise LostFileError

    return told
