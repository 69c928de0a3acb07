"""Leases on what only one process may do at a time: a partner's folders, a run of a scheduled job.

A lease is a row with an owner, an end and a fencing number. It is taken when it is free or has run out; the number grows when it changes hands, so that
a process that slept through its end is known by its old number (`database.guarded`). Ends are compared by each process's own clock: a wrong clock costs
time, never a double write.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, not_, select, update

from gateway.store import database
from gateway.store.schema import leases


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease as its owner knows it."""

    name: str
    owner: str
    fence: int


def take(connection: Connection, name: str, *, owner: str, now: datetime, seconds: float) -> Lease | None:
    """Take a lease that is free, has run out or is ours already; None when another process has it."""
    until = database.instant(now + timedelta(seconds=seconds))
    if database.insert_new(connection, leases, {"name": name, "owner": owner, "fence": 1, "until": until}) is not None:
        return Lease(name=name, owner=owner, fence=1)
    row = database.row(connection, database.lock_free_rows(connection, select(leases).where(leases.c.name == name)))
    if row is None or (row["owner"] not in ("", owner) and row["until"] >= database.instant(now)):
        return None
    fence = row["fence"] + (row["owner"] != owner)
    connection.execute(update(leases).where(leases.c.name == name).values(owner=owner, fence=fence, until=until))
    return Lease(name=name, owner=owner, fence=fence)


HELD = select(leases.c.name).where(leases.c.name == bindparam("held_name"), leases.c.fence == bindparam("held_fence"))


def guard(lease: Lease) -> database.Guard:
    """Finds its row while the lease is held."""
    return database.Guard(HELD, {"held_name": lease.name, "held_fence": lease.fence})


def give_back(connection: Connection, lease: Lease) -> None:
    """Free a lease that is still ours."""
    mine = (leases.c.name == lease.name) & (leases.c.fence == lease.fence)
    connection.execute(update(leases).where(mine).values(owner="", fence=lease.fence + 1))


def release_all(connection: Connection, *, owner_prefix: str, but: Collection[str] = ()) -> None:
    """Free every lease of a process that is gone, but not of those that live."""
    others = [not_(leases.c.owner.startswith(owner, autoescape=True)) for owner in but]
    mine = leases.c.owner.startswith(owner_prefix, autoescape=True)
    connection.execute(update(leases).where(mine, *others).values(owner="", fence=leases.c.fence + 1))


def renew_all(connection: Connection, *, owner_prefix: str, now: datetime, seconds: float) -> None:
    """Keep every lease of a process; those that others took meanwhile are no longer under its name."""
    mine = database.lock_free_rows(connection, select(leases.c.name).where(leases.c.owner.startswith(owner_prefix, autoescape=True)))
    until = database.instant(now + timedelta(seconds=seconds))
    connection.execute(update(leases).where(leases.c.name.in_(mine)).values(until=until))


def holders(connection: Connection) -> dict[str, str]:
    """Who holds what."""
    return {row["name"]: row["owner"] for row in database.rows(connection, select(leases).where(leases.c.owner != "").order_by(leases.c.name))}
