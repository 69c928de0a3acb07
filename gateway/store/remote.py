"""What is carried to and from partners' servers: one row for each file in each direction, its intent and its claim.

Outbound: `moving` (its bytes go to a temporary name on the server) → `ready` (they are there, whole; the rename may have happened) → `done`. Inbound:
`moving` (its bytes come to a hidden file beside the inbox) → `fetched` (whole; the rename into the inbox may have happened) → `taken` (it is in the inbox;
on the server it is still to be removed) → `done`. A row is claimed with a lease and a fencing number; every step is conditional on the fence, so that of
two processes one goes on. `stamp` is size and time of change: the same name with another stamp is another file.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, not_, select, update

from gateway.store import database
from gateway.store.schema import IS_CARRIED
from gateway.store.schema import remote_files as remote

NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A file on its way, as its claimer knows it."""

    id: int
    partner: str
    direction: str
    folder: str
    name: str
    stamp: str
    size: int
    state: str
    remote_name: str
    local_name: str
    trouble: str
    owner: str
    lease_until: str
    fence: int
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file that is to be carried."""

    partner: str
    direction: str
    folder: str
    name: str
    stamp: str
    size: int


def _carried(row: dict[str, Any]) -> Carried:
    fields = {name: row[name] for name in Carried.__dataclass_fields__ if name != "changed_at"}
    return Carried(**fields, changed_at=database.moment(row["changed_at"]))


def known(connection: Connection, *, partner: str, direction: str, folder: str, names: Collection[str]) -> dict[tuple[str, str], Carried]:
    """The files of a partner's folder that are being carried, and those of these names that were, by name and stamp."""
    here = (remote.c.partner == partner, remote.c.direction == direction, remote.c.folder == folder)
    found = database.rows(connection, select(remote).where(*here, IS_CARRIED))
    wanted = sorted(names)
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        found += database.rows(connection, select(remote).where(*here, remote.c.name.in_(wanted[start : start + NAMES_AT_ONCE])))
    return {(row["name"], row["stamp"]): _carried(row) for row in found}


def open_files(connection: Connection, *, partner: str) -> list[Carried]:
    """Files of a partner that are not done, oldest first."""
    rows = database.rows(connection, select(remote).where(remote.c.partner == partner, IS_CARRIED).order_by(remote.c.id))
    return [_carried(row) for row in rows]


def claim(connection: Connection, wanted: Wanted, *, owner: str, now: datetime, seconds: float) -> Carried | None:
    """Claim a file for carrying, new or left by a claimer whose lease ran out; None when another has it. A file that is done is given back as it is."""
    at, until = database.instant(now), database.instant(now + timedelta(seconds=seconds))
    key = asdict(wanted)
    fresh = {"size": key.pop("size"), "state": "moving", "owner": owner, "lease_until": until, "fence": 1, "started_at": at, "changed_at": at}
    made = database.insert_new(connection, remote, key | fresh)
    row = database.row(connection, select(remote).where(*(remote.c[column] == value for column, value in key.items())))
    if row is None or made is not None or row["state"] == "done":
        return _carried(row) if row else None
    if row["owner"] not in ("", owner) and row["lease_until"] >= at:
        return None
    mine = update(remote).where(remote.c.id == row["id"], remote.c.fence == row["fence"])
    if connection.execute(mine.values(owner=owner, lease_until=until, fence=row["fence"] + 1)).rowcount != 1:
        return None
    return _carried(row | {"owner": owner, "lease_until": until, "fence": row["fence"] + 1})


def begin_again(connection: Connection, file: Carried, *, now: datetime) -> bool:
    """A file that was done lies there again under the same stamp: it is carried again; False when another process saw it first."""
    values = {"state": "moving", "fence": file.fence + 1, "owner": "", "lease_until": "", "local_name": "", "changed_at": database.instant(now)}
    mine = (remote.c.id == file.id) & (remote.c.fence == file.fence) & (remote.c.state == "done")
    return connection.execute(update(remote).where(mine).values(**values)).rowcount == 1


def step(connection: Connection, file: Carried, *, now: datetime, **values: Any) -> bool:
    """Write a step of a file that is still ours; False when its lease was lost to another."""
    mine = (remote.c.id == file.id) & (remote.c.fence == file.fence)
    return connection.execute(update(remote).where(mine).values(**values, changed_at=database.instant(now))).rowcount == 1


def renew(connection: Connection, file: Carried, *, now: datetime, seconds: float) -> bool:
    """Keep a file's lease; False when it was lost."""
    mine = (remote.c.id == file.id) & (remote.c.fence == file.fence)
    until = database.instant(now + timedelta(seconds=seconds))
    return connection.execute(update(remote).where(mine).values(lease_until=until)).rowcount == 1


def is_sent(connection: Connection, *, partner: str, folder: str, name: str) -> bool:
    """Whether a file of this name was carried to the partner's server."""
    where = (remote.c.partner == partner, remote.c.direction == "out", remote.c.folder == folder, remote.c.name == name, remote.c.state == "done")
    return connection.execute(select(remote.c.id).where(*where).limit(1)).first() is not None


def release_all(connection: Connection, *, owner_prefix: str, but: Collection[str] = ()) -> None:
    """Free what a process that is gone still held, but not what those that live hold."""
    others = [not_(remote.c.owner.startswith(owner, autoescape=True)) for owner in but]
    mine = (remote.c.owner.startswith(owner_prefix, autoescape=True), remote.c.state != "done")
    connection.execute(update(remote).where(*mine, *others).values(owner="", lease_until="", fence=remote.c.fence + 1))


def count(connection: Connection, *, partner: str) -> dict[str, int]:
    """How many files of a partner by direction and state."""
    statement = (
        select(remote.c.direction, remote.c.state, func.count()).where(remote.c.partner == partner).group_by(remote.c.direction, remote.c.state)
    )
    return {f"{direction}.{state}": number for direction, state, number in connection.execute(statement)}
