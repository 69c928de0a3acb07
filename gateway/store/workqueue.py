"""The queue of work, in the same database as the business rows it belongs to.

A row is one job for one key. It is put in with the change that causes it, claimed with a lease and a fencing number, and removed when the job is done.
Asking for work that is already queued changes nothing; asking for it while it runs makes it run once more, so that no change is missed. A lease that
runs out is claimed again by anyone; whoever held it then finds its fence gone and settles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, func, or_, select, update

from gateway.store import database
from gateway.store.schema import work_queue as queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One claimed job."""

    id: int
    job: str
    key: str
    attempts: int
    fence: int
    owner: str


def enqueue(connection: Connection, job: str, key: str | int, *, due_at: datetime) -> None:
    """Ask for a job to be done; part of the caller's transaction."""
    due = database.instant(due_at)
    new = database.insert_new(connection, queue, {"job": job, "key": str(key), "due_at": due, "state": "ready"})
    if new is not None:
        return
    earlier = case((and_(queue.c.state == "ready", queue.c.due_at > due), due), else_=queue.c.due_at)
    again = case((queue.c.state == "leased", True), else_=queue.c.again)
    connection.execute(update(queue).where(queue.c.job == job, queue.c.key == str(key)).values(due_at=earlier, again=again))


def claim(connection: Connection, *, owner: str, now: datetime, lease_seconds: float, limit: int = 20) -> list[Work]:
    """Lease up to `limit` due jobs, oldest first; a conditional update decides who has them."""
    at = database.instant(now)
    free = or_(and_(queue.c.state == "ready", queue.c.due_at <= at), and_(queue.c.state == "leased", queue.c.lease_until < at))
    wanted = select(queue).where(free).order_by(queue.c.due_at, queue.c.id).limit(limit)
    if connection.dialect.name == "postgresql":
        wanted = wanted.with_for_update(skip_locked=True)
    claimed = []
    for row in database.rows(connection, wanted):
        fence = row["fence"] + 1
        until = database.instant(now + timedelta(seconds=lease_seconds))
        took = connection.execute(
            update(queue)
            .where(queue.c.id == row["id"], queue.c.fence == row["fence"])
            .values(state="leased", owner=owner, lease_until=until, fence=fence, attempts=row["attempts"] + 1, again=False)
        )
        if took.rowcount == 1:
            claimed.append(Work(id=row["id"], job=row["job"], key=row["key"], attempts=row["attempts"] + 1, fence=fence, owner=owner))
    return claimed


def settle(connection: Connection, work: Work, *, now: datetime) -> bool:
    """Take a finished job out, or make it ready once more when it was asked for meanwhile; False when the lease was lost."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    done = connection.execute(queue.delete().where(mine, queue.c.again.is_(False))).rowcount
    if done:
        return True
    again = update(queue).where(mine).values(state="ready", again=False, attempts=0, due_at=database.instant(now), trouble="", owner=None)
    return connection.execute(again).rowcount == 1


def postpone(connection: Connection, work: Work, *, due_at: datetime, trouble: str, count: bool = True) -> bool:
    """Put a job back for later; `count` False when it was no failed attempt."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    attempts = work.attempts if count else max(work.attempts - 1, 0)
    values = {"state": "ready", "due_at": database.instant(due_at), "trouble": trouble, "attempts": attempts, "owner": None, "again": False}
    return connection.execute(update(queue).where(mine).values(**values)).rowcount == 1


def renew(connection: Connection, work: Work, *, now: datetime, lease_seconds: float) -> bool:
    """Keep a lease; False when it was lost."""
    mine = and_(queue.c.id == work.id, queue.c.fence == work.fence)
    until = database.instant(now + timedelta(seconds=lease_seconds))
    return connection.execute(update(queue).where(mine).values(lease_until=until)).rowcount == 1


def release_all(connection: Connection, *, owner_prefix: str, now: datetime) -> None:
    """Give back every lease of a process that is gone; its lock proves that it is."""
    mine = and_(queue.c.state == "leased", queue.c.owner.startswith(owner_prefix))
    connection.execute(update(queue).where(mine).values(state="ready", owner=None, due_at=database.instant(now)))


def is_due(connection: Connection, *, now: datetime) -> bool:
    """Whether there is a job to claim."""
    at = database.instant(now)
    free = or_(and_(queue.c.state == "ready", queue.c.due_at <= at), and_(queue.c.state == "leased", queue.c.lease_until < at))
    return connection.execute(select(queue.c.id).where(free).limit(1)).first() is not None


def due_count(connection: Connection, *, now: datetime) -> int:
    """How many jobs are due or being done."""
    busy = or_(queue.c.state == "leased", queue.c.due_at <= database.instant(now))
    return connection.execute(select(func.count()).select_from(queue).where(busy)).scalar_one()


def keys_of(connection: Connection, job: str) -> list[str]:
    """The keys queued for a job."""
    return [str(r[0]) for r in connection.execute(select(queue.c.key).where(queue.c.job == job).order_by(queue.c.id))]


def waiting(connection: Connection) -> list[dict[str, object]]:
    """Everything queued, with what troubles it."""
    return database.rows(connection, select(queue).order_by(queue.c.due_at))
