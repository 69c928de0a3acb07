"""The queue of work, in the same database as the business rows it belongs to.

A row is one job for one key. It is put in with the change that causes it, claimed with a lease and a fencing number, and removed when the job is done.
Asking for work that is already queued changes nothing; asking for it while it runs makes it run once more, so that no change is missed. A lease that
runs out is claimed again by anyone; whoever held it then finds its fence gone and writes nothing (`guard`).

While a row is leased, `due_at` is the end of its lease: what can be claimed is what is due, by one index. Work on a file belongs to its partner, and is
claimed only by a process that holds that partner's folders (`FILE_JOBS`, store.leases).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, func, literal, not_, or_, select, tuple_, update

from gateway.store import database
from gateway.store.schema import files
from gateway.store.schema import work_queue as queue

FILE_JOBS = frozenset({"translate", "shelve", "deliver"})


PARTNER_OF = select(files.c.partner).where(files.c.id == bindparam("file_id"))
ASK_AGAIN = (
    update(queue)
    .where(queue.c.job == bindparam("asked_job"), queue.c.key == bindparam("asked_key"))
    .values(
        due_at=case((and_(queue.c.state == "ready", queue.c.due_at > bindparam("due")), bindparam("due")), else_=queue.c.due_at),
        again=case((queue.c.state == "leased", True), else_=queue.c.again),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One claimed job."""

    id: int
    job: str
    key: str
    attempts: int
    fence: int
    owner: str


def enqueue(connection: Connection, job: str, key: str | int, *, due_at: datetime, partner: str | None = None) -> None:
    """Ask for a job to be done; part of the caller's transaction, at whose commit waiting processes are woken. `partner`: whose file it is, where that is known."""
    due = database.instant(due_at)
    connection.info["wake"] = True
    if partner is None and job in FILE_JOBS:
        partner = connection.execute(PARTNER_OF, {"file_id": int(key)}).scalar()
    row = {"job": job, "key": str(key), "due_at": due, "state": "ready", "partner": partner or ""}
    same = {"asked_job": job, "asked_key": str(key), "due": due}
    while database.insert_new(connection, queue, row) is None and not connection.execute(ASK_AGAIN, same).rowcount:
        pass  # the one that was there has just been taken out by another process: put it in anew


def enqueue_all(connection: Connection, asked: Iterable[tuple[str, str]], *, due_at: datetime) -> None:
    """Ask for many jobs, by job and key, in few statements; those on files, and those that are queued already, are asked for one by one."""
    wanted = dict.fromkeys(asked)
    due = database.instant(due_at)
    rows = [{"job": job, "key": key, "due_at": due, "state": "ready"} for job, key in wanted if job not in FILE_JOBS]
    put_in = {(job, key) for job, key in database.insert_all_new(connection, queue, rows, returning=("job", "key"))}
    connection.info["wake"] = True
    for job, key in wanted:
        if (job, key) not in put_in:
            enqueue(connection, job, key, due_at=due_at)


def claim(
    connection: Connection, *, owner: str, now: datetime, lease_seconds: float, limit: int = 20, partners: Collection[str] | None = None
) -> list[Work]:
    """Lease up to `limit` due jobs, the longest due first; files only of `partners` (None: of all)."""
    wanted = database.lock_free_rows(connection, _due(select(queue.c.id), now, partners).order_by(queue.c.due_at, queue.c.id).limit(limit)).cte(
        "wanted"
    )
    until = database.instant(now + timedelta(seconds=lease_seconds))
    taken = (
        update(queue)
        .where(queue.c.id.in_(select(wanted.c.id)))
        .values(state="leased", owner=owner, lease_until=until, due_at=until, fence=queue.c.fence + 1, attempts=queue.c.attempts + 1, again=False)
        .returning(queue.c.id, queue.c.job, queue.c.key, queue.c.attempts, queue.c.fence)
    )
    rows = sorted(database.rows(connection, taken), key=lambda row: row["id"])
    return [Work(**row, owner=owner) for row in rows]


def _due(statement: Select[Any], now: datetime, partners: Collection[str] | None) -> Select[Any]:
    due = statement.where(queue.c.due_at <= database.instant(now))
    return due if partners is None else due.where(queue.c.partner.in_(["", *partners]))


HELD = select(queue.c.id).where(queue.c.id == bindparam("held_id"), queue.c.fence == bindparam("held_fence"))


def guard(work: Work) -> database.Guard:
    """Finds its row while the work is still ours."""
    return database.Guard(HELD, {"held_id": work.id, "held_fence": work.fence})


def _among(works: Sequence[Work]) -> ColumnElement[bool]:
    """These works while they are ours; by their numbers first, for SQLite finds no index for pairs."""
    held = tuple_(queue.c.id, queue.c.fence).in_([(work.id, work.fence) for work in works])
    return and_(queue.c.id.in_([work.id for work in works]), held)


def guard_all(works: Sequence[Work]) -> database.Guard:
    """Finds a row while all of the works are still ours, and keeps theirs locked."""
    held = select(queue.c.id).where(_among(works)).order_by(queue.c.id).with_for_update().cte("held")
    return database.Guard(select(literal(1)).where(select(func.count()).select_from(held).scalar_subquery() == len(works)), {})


def settle_all(connection: Connection, done: Sequence[Work], *, now: datetime) -> None:
    """Take finished jobs out, or make those ready once more that were asked for meanwhile; what was lost is left alone."""
    mine = _among(done)
    if connection.execute(queue.delete().where(mine, queue.c.again.is_(False))).rowcount == len(done):
        return
    again = {"state": "ready", "again": False, "attempts": 0, "due_at": database.instant(now), "trouble": "", "owner": None}
    connection.execute(update(queue).where(mine).values(**again, fence=queue.c.fence + 1))


def settle(connection: Connection, work: Work, *, now: datetime) -> bool:
    """Take a finished job out, or make it ready once more when it was asked for meanwhile; False when the lease was lost."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    done = connection.execute(queue.delete().where(mine, queue.c.again.is_(False))).rowcount
    if done:
        return True
    again = {"state": "ready", "again": False, "attempts": 0, "due_at": database.instant(now), "trouble": "", "owner": None}
    return connection.execute(update(queue).where(mine).values(**again, fence=queue.c.fence + 1)).rowcount == 1


def postpone(connection: Connection, work: Work, *, due_at: datetime, trouble: str, count: bool = True) -> bool:
    """Put a job back for later; `count` False when it was no failed attempt."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    attempts = work.attempts if count else max(work.attempts - 1, 0)
    values = {"state": "ready", "due_at": database.instant(due_at), "trouble": trouble, "attempts": attempts, "owner": None, "again": False}
    return connection.execute(update(queue).where(mine).values(**values, fence=queue.c.fence + 1)).rowcount == 1


def renew(connection: Connection, work: Work, *, now: datetime, lease_seconds: float) -> bool:
    """Keep a lease; False when it was lost."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    until = database.instant(now + timedelta(seconds=lease_seconds))
    return connection.execute(update(queue).where(mine).values(lease_until=until, due_at=until)).rowcount == 1


def renew_all(connection: Connection, *, owner_prefix: str, now: datetime, lease_seconds: float) -> int:
    """Keep every lease of a process, while its work takes long; rows whose transaction is open are passed over, for they are held by that."""
    leased = select(queue.c.id).where(queue.c.state == "leased", queue.c.owner.startswith(owner_prefix, autoescape=True))
    mine = database.lock_free_rows(connection, leased)
    until = database.instant(now + timedelta(seconds=lease_seconds))
    return connection.execute(update(queue).where(queue.c.id.in_(mine)).values(lease_until=until, due_at=until)).rowcount


def release_all(connection: Connection, *, owner_prefix: str, now: datetime, but: Collection[str] = ()) -> None:
    """Give back every lease of a process that is gone (its lock proves that it is), but not of those that live."""
    others = [not_(queue.c.owner.startswith(owner, autoescape=True)) for owner in but]
    mine = and_(queue.c.state == "leased", queue.c.owner.startswith(owner_prefix, autoescape=True), *others)
    connection.execute(update(queue).where(mine).values(state="ready", owner=None, due_at=database.instant(now), fence=queue.c.fence + 1))


def is_due(connection: Connection, *, now: datetime, partners: Collection[str] | None = None) -> bool:
    """Whether there is a job to claim."""
    return connection.execute(_due(select(queue.c.id), now, partners).limit(1)).first() is not None


def due_count(connection: Connection, *, now: datetime) -> int:
    """How many jobs are due or being done."""
    busy = or_(queue.c.state == "leased", queue.c.due_at <= database.instant(now))
    return connection.execute(select(func.count()).select_from(queue).where(busy)).scalar_one()


def count(connection: Connection) -> int:
    """How many jobs are queued, due or not."""
    return connection.execute(select(func.count()).select_from(queue)).scalar_one()


def sizes(connection: Connection) -> list[dict[str, Any]]:
    """How many of each job are queued, and since when the oldest of them is due."""
    columns = (queue.c.job, func.count().label("count"), func.min(queue.c.due_at).label("oldest"))
    return database.rows(connection, select(*columns).group_by(queue.c.job).order_by(queue.c.job))


def keys_of(connection: Connection, job: str) -> list[str]:
    """The keys queued for a job."""
    return [str(r[0]) for r in connection.execute(select(queue.c.key).where(queue.c.job == job).order_by(queue.c.id))]


def waiting(connection: Connection) -> list[dict[str, object]]:
    """Everything queued, with what troubles it."""
    return database.rows(connection, select(queue).order_by(queue.c.due_at))
