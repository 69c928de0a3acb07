"""From a partner's server into the inbox: each file taken once, whole, over nothing.

A file on the server is taken when its size and time kept still for the settle period. The commit point is the rename into the inbox; only then is the file
removed there, and only if it still is the one that was taken.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from gateway.clients.sftp import Channel, Entry, Link, Refused, ServerTroubleError
from gateway.folders import FolderTroubleError, NameTakenError, exchange, naming
from gateway.jobs.carrying import LostFileError, Sync, batches, claim_all, pairs, progress_of, refuse, stamp_of, step
from gateway.store import database, remote
from gateway.store.remote import Carried


def pull(sync: Sync, link: Link, kind: str) -> None:
    """Take what lies on the server, and end what a crash left undone."""
    folder = sync.profile.incoming[kind]
    listed = link.channels[0].list_files(folder)
    if isinstance(listed, Refused):
        raise ServerTroubleError(f"{link.channels[0].server}: the folder {folder} cannot be listed ({listed.why})")
    present = [entry for entry in listed if not sync.folders.is_temporary(entry.name)]
    sync.forget_all_but(kind, {(kind, entry.name, stamp_of(entry)) for entry in present})
    with database.reading(sync.ctx.engine) as connection:
        known = remote.known(connection, partner=sync.partner, direction="in", folder=kind, names={entry.name for entry in present})
    wanted = [entry for entry in present if sync.kept_still(kind, entry) and not _is_kept(sync, known.get((entry.name, stamp_of(entry))))]
    for some in batches(wanted):
        claimed = claim_all(sync, "in", kind, [(entry.name, stamp_of(entry), entry.size) for entry in some])
        link.spread(lambda channel, pair: _take(sync, channel, kind, *pair), pairs(some, claimed))
    listed_keys = {(entry.name, stamp_of(entry)) for entry in present}
    left = [f for key, f in known.items() if f.state != "done" and key not in listed_keys]
    claimed = claim_all(sync, "in", kind, [(file.name, file.stamp, file.size) for file in left])
    link.spread(lambda channel, file: _finish_gone(sync, channel, kind, file), [file for file in claimed if file and file.state != "done"])


def _is_kept(sync: Sync, known: Carried | None) -> bool:
    """Whether a file was taken before and stays on the server by the partner's wish."""
    return known is not None and known.state == "done" and known.local_name != "" and sync.profile.after_taking == "keep"


def _take(sync: Sync, channel: Channel, kind: str, entry: Entry, claimed: Carried) -> None:
    """Carry one file from the server, or end what a break or crash left undone."""
    if sync.stop():
        return
    sync.count(read=1)
    try:
        if claimed.state == "done":
            claimed = _again(sync, kind, claimed)
        if claimed.state == "moving" and (claimed := _fetch(sync, channel, kind, entry, claimed)).state == "moving":
            return
        if claimed.state == "fetched":
            claimed = _land(sync, kind, claimed)
        _remove_there(sync, channel, kind, claimed)
    except LostFileError as fault:
        sync.tally.skip(entry.name, fault.message)


def _again(sync: Sync, kind: str, done: Carried) -> Carried:
    """The same name and stamp lies there again after it was removed: the partner sent it again."""
    with sync.writing() as connection:
        if not remote.begin_again(connection, done, now=sync.ctx.now()):
            raise LostFileError
    (claimed,) = claim_all(sync, "in", kind, [(done.name, done.stamp, done.size)])
    if claimed is None:
        raise LostFileError
    return claimed


def _fetch(sync: Sync, channel: Channel, kind: str, entry: Entry, claimed: Carried) -> Carried:
    """Bring a file's bytes and check that they are all and the right ones; its state tells whether they were."""
    path = exchange.partial(sync.folders, kind, number=claimed.id, name=entry.name)
    there = f"{sync.profile.incoming[kind]}/{entry.name}"
    target, start = exchange.open_partial(sync.folders, path, size=entry.size)
    try:
        with target:
            refused = channel.fetch(there, target, start=start, size=entry.size, progress=progress_of(sync, claimed))
    except OSError as fault:
        raise FolderTroubleError(f"{path.parent} cannot be written ({fault.strerror or fault})") from fault
    refused = refused or _changed(channel, there, entry) or _differs(channel, there, path)
    if refused:
        exchange.drop_partial(path)
        refuse(sync, claimed, refused)
        return claimed
    exchange.finish_partial(path, modified=entry.modified)
    name = exchange.free_inbox_name(sync.folders, kind, entry.name)
    return step(sync, claimed, state="fetched", local_name=name, trouble="")


def _changed(channel: Channel, there: str, entry: Entry) -> Refused | None:
    now = channel.look(there)
    return (
        None if now is not None and stamp_of(now) == stamp_of(entry) else Refused("it changed on the server while it was fetched; it is fetched anew")
    )


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
            claimed = step(sync, claimed, local_name=exchange.free_inbox_name(sync.folders, kind, claimed.name))
    sync.count(done=1)
    extra = {"partner": sync.partner, "file": claimed.name, "as": claimed.local_name, "size": claimed.size}
    sync.ctx.log.info("file.downloaded", extra=extra)
    if sync.profile.after_taking == "keep":
        return step(sync, claimed, state="done")
    return replace(claimed, state="taken")  # not written down: a `fetched` row whose file is gone from its hidden place says the same


def _remove_there(sync: Sync, channel: Channel, kind: str, claimed: Carried) -> None:
    """Remove a taken file from the server, or move it aside; not if another was put in its place meanwhile."""
    if claimed.state != "taken":
        return
    there = f"{sync.profile.incoming[kind]}/{claimed.name}"
    now = channel.look(there)
    if now is None or stamp_of(now) != claimed.stamp:
        step(sync, claimed, state="done")
        return
    if sync.profile.after_taking == "move":
        refused = channel.rename(there, f"{sync.profile.taken_folder}/{claimed.name}")
        if refused and refused.taken:
            refused = channel.rename(there, f"{sync.profile.taken_folder}/{naming.numbered(claimed.name, claimed.id)}")
    else:
        refused = channel.remove(there)
    if refused:
        claimed = step(sync, claimed, state="taken")
        refuse(sync, claimed, replace(refused, why=f"taken, but it cannot be removed there: {refused.why}"))
        return
    step(sync, claimed, state="done", trouble="")


def _finish_gone(sync: Sync, channel: Channel, kind: str, claimed: Carried) -> None:
    """A file that was being carried and is no longer listed: what was whole here still has to reach the inbox, the rest is dropped."""
    if claimed.state == "moving":
        exchange.drop_partial(exchange.partial(sync.folders, kind, number=claimed.id, name=claimed.name))
        step(sync, claimed, state="done", trouble="it vanished from the server before it was whole here")
        return
    if claimed.state == "fetched":
        claimed = _land(sync, kind, claimed)
    _remove_there(sync, channel, kind, claimed)
