"""What happened, and what needs a person: events, tasks, alerts, runs of jobs, positions.

Events are only added, each with the digest of what it says; sealing runs behind the writers, so that no writer waits for another (`audit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway.store import audit, database, later
from gateway.store.schema import alerts, events, job_runs, positions, schedule, tasks

HAPPENED = select(events.c.word).where(events.c.file_id == bindparam("file_id"), events.c.word.in_(bindparam("words", expanding=True)))


def note(  # noqa: PLR0913 - an event names all it belongs to
    connection: Connection,
    word: str,
    text: str,
    *,
    at: datetime,
    rma: str | None = None,
    ra: str | None = None,
    file_id: int | None = None,
    partner: str | None = None,
    actor: str = "gateway",
    facts: dict[str, Any] | None = None,
) -> None:
    """Add an event."""
    row = {
        "at": database.instant(at),
        "word": word,
        "rma": rma,
        "ra": ra,
        "file_id": file_id,
        "partner": partner,
        "actor": actor,
        "text": text,
        "facts": database.pack(facts or {}),
    }
    later.add(connection, events, row | {"digest": audit.digest_of(row)})


def note_once(connection: Connection, word: str, text: str, *, at: datetime, rma: str) -> None:
    """Add an event to a return unless the very same one is in its story."""
    same = (events.c.rma == rma) & (events.c.word == word) & (events.c.text == text)
    if connection.execute(select(events.c.id).where(same)).first() is None:
        note(connection, word, text, at=at, rma=rma)


def list_events(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Events that meet the criteria, in order."""
    return database.rows(connection, select(events).where(*criteria).order_by(events.c.id))


def of_return(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The story of a return."""
    return list_events(connection, events.c.rma == rma)


def returns_within(connection: Connection, start: datetime | None, end: datetime | None) -> list[str]:
    """The RMAs of which something was recorded within a time."""
    statement = select(events.c.rma).where(events.c.rma.is_not(None), *database.within(events.c.at, start, end)).distinct().order_by(events.c.rma)
    return [str(r[0]) for r in connection.execute(statement)]


def of_kinds(connection: Connection, words: Sequence[str]) -> list[dict[str, Any]]:
    """Every event of these words, in order."""
    return list_events(connection, events.c.word.in_(words))


def of_file(connection: Connection, file_id: int, *, limit: int | None = None) -> list[dict[str, Any]]:
    """The story of a file, at most the newest so many of it."""
    newest = select(events).where(events.c.file_id == file_id).order_by(events.c.id.desc()).limit(limit)
    return database.rows(connection, newest)[::-1]


def happened(connection: Connection, file_id: int, *words: str) -> set[str]:
    """Those of the kinds of events that are in a file's story."""
    return set(connection.execute(HAPPENED, {"file_id": file_id, "words": words}).scalars())


def open_task(  # noqa: PLR0913 - a task is these six facts
    connection: Connection, kind: str, subject: str, text: str, *, at: datetime, rma: str | None = None, advice: str = ""
) -> None:
    """Put something on the work list, once per kind and subject."""
    row = {"kind": kind, "subject": subject, "rma": rma, "text": text, "advice": advice, "open": True, "opened_at": database.instant(at)}
    if database.insert_new(connection, tasks, row) is not None:
        note(connection, "task.opened", text, at=at, rma=rma, facts={"kind": kind, "advice": advice})
        return
    same = (tasks.c.kind == kind) & (tasks.c.subject == subject)
    connection.execute(
        update(tasks).where(same, tasks.c.open.is_(False)).values(open=True, text=text, opened_at=database.instant(at), closed_at=None)
    )


def close_tasks(
    connection: Connection, *, because: str, at: datetime, kind: str | None = None, subject: str | None = None, rma: str | None = None
) -> int:
    """Take the tasks off the work list that are of this kind, subject or return; how many there were."""
    wanted = {f"asked_{name}": value for name, value in (("kind", kind), ("subject", subject), ("rma", rma)) if value is not None}
    values = {"open": False, "closed_at": database.instant(at), "closed_because": because}
    return connection.execute(_closing(tuple(wanted)), wanted | values).rowcount


@cache
def _closing(asked: tuple[str, ...]) -> Any:
    """The statement of `close_tasks`, made once for what it asks for."""
    return update(tasks).where(tasks.c.open.is_(True), *(tasks.c[name.removeprefix("asked_")] == bindparam(name) for name in asked))


def change_task(connection: Connection, task_id: int, **values: Any) -> dict[str, Any] | None:
    """Write values of an open task; the row as it was, None when it is not open."""
    same = (tasks.c.id == task_id) & tasks.c.open.is_(True)
    before = database.row(connection, select(tasks).where(same))
    connection.execute(update(tasks).where(same).values(**values))
    return before


def list_tasks(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Tasks that meet the criteria, oldest first."""
    return database.rows(connection, select(tasks).where(*criteria).order_by(tasks.c.id))


def open_tasks(connection: Connection, *, kind: str | None = None) -> list[dict[str, Any]]:
    """The work list, or the part of it of one kind."""
    return list_tasks(connection, tasks.c.open.is_(True), *([tasks.c.kind == kind] if kind else []))


def tasks_of(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """The work items of a return, open and closed."""
    return list_tasks(connection, tasks.c.rma == rma)


def raise_alert(connection: Connection, kind: str, subject: str, text: str, *, at: datetime) -> None:
    """Raise an alert, grouped by kind and subject."""
    now = database.instant(at)
    row = {"kind": kind, "subject": subject, "text": text, "open": True, "first_at": now, "last_at": now}
    if database.insert_new(connection, alerts, row) is None:
        same = (alerts.c.kind == kind) & (alerts.c.subject == subject)
        connection.execute(update(alerts).where(same).values(text=text, open=True, last_at=now, times=alerts.c.times + 1))


def has_alert(connection: Connection, kind: str, subject: str) -> bool:
    """Whether an alert is open."""
    same = (alerts.c.kind == kind) & (alerts.c.subject == subject) & alerts.c.open.is_(True)
    return connection.execute(select(alerts.c.id).where(same)).first() is not None


def resolve_alert(connection: Connection, kind: str, subject: str, *, at: datetime) -> bool:
    """Resolve an alert; False when none was open."""
    same = (alerts.c.kind == kind) & (alerts.c.subject == subject) & alerts.c.open.is_(True)
    return connection.execute(update(alerts).where(same).values(open=False, last_at=database.instant(at))).rowcount > 0


def open_alerts(connection: Connection, *, kind: str) -> list[dict[str, Any]]:
    """Open alerts of a kind."""
    return database.rows(connection, select(alerts).where(alerts.c.open.is_(True), alerts.c.kind == kind))


def list_alerts(connection: Connection) -> list[dict[str, Any]]:
    """Every alert, oldest first."""
    return database.rows(connection, select(alerts).order_by(alerts.c.id))


def start_run(connection: Connection, job: str, *, scope: str, at: datetime) -> int:
    """Record that a job started."""
    made = database.insert_new(connection, job_runs, {"job": job, "scope": scope, "started_at": database.instant(at)})
    return int(made or 0)


def end_run(connection: Connection, run_id: int, *, counts: dict[str, int], reasons: Sequence[str], trouble: str, at: datetime) -> None:
    """Record how a job ended."""
    values = {**counts, "reasons": database.pack(list(reasons)), "trouble": trouble, "ended_at": database.instant(at)}
    connection.execute(update(job_runs).where(job_runs.c.id == run_id).values(**values))


def list_runs(connection: Connection, *criteria: Any) -> list[dict[str, Any]]:
    """Runs of jobs, oldest first."""
    return database.rows(connection, select(job_runs).where(*criteria).order_by(job_runs.c.id))


def last_runs(connection: Connection, *, naming: str, limit: int = 3) -> list[dict[str, Any]]:
    """The newest runs whose reasons name something, newest first."""
    named = job_runs.c.reasons.contains(naming, autoescape=True)
    return database.rows(connection, select(job_runs).where(named).order_by(job_runs.c.id.desc()).limit(limit))


def position(connection: Connection, name: str) -> str | None:
    """A stored position of an import."""
    return connection.execute(select(positions.c.value).where(positions.c.name == name)).scalar()


def set_position(connection: Connection, name: str, value: str) -> None:
    """Store a position."""
    database.put(connection, positions, {"name": name, "value": value})


def advance_position(connection: Connection, name: str, shown: datetime | None) -> None:
    """Move a position on to the newest change that the other side has shown; never back, and never by our own clock, which may be wrong."""
    stored = position(connection, name)
    if shown and (stored is None or database.moment(stored) < shown):
        set_position(connection, name, database.instant(shown))


def due_jobs(connection: Connection, *, now: datetime) -> list[str]:
    """Scheduled jobs whose time has come."""
    statement = select(schedule.c.job).where(schedule.c.due_at <= database.instant(now)).order_by(schedule.c.due_at)
    return [str(r[0]) for r in connection.execute(statement)]


def plan_job(connection: Connection, job: str, *, first_at: datetime, next_at: datetime) -> None:
    """Put a job on the schedule, due at `first_at`; one that is there keeps its time, unless that is later than `next_at` (its period became shorter)."""
    if database.insert_new(connection, schedule, {"job": job, "due_at": database.instant(first_at)}) is None:
        due = database.instant(next_at)
        connection.execute(update(schedule).where(schedule.c.job == job, schedule.c.due_at > due).values(due_at=due))


def take_slot(connection: Connection, job: str, *, now: datetime, next_at: datetime) -> bool:
    """Take a due slot and set the next; False when another process took it."""
    mine = (schedule.c.job == job) & (schedule.c.due_at <= database.instant(now))
    return connection.execute(update(schedule).where(mine).values(due_at=database.instant(next_at))).rowcount == 1


def succeed(connection: Connection, job: str, *, at: datetime) -> None:
    """Note a job's last success."""
    connection.execute(update(schedule).where(schedule.c.job == job).values(last_success_at=database.instant(at)))


def list_schedule(connection: Connection) -> list[dict[str, Any]]:
    """The schedule."""
    return database.rows(connection, select(schedule).order_by(schedule.c.job))


def bring_forward(connection: Connection, job: str, *, now: datetime) -> None:
    """Make a job due now (a webhook woke it, or a person asked)."""
    connection.execute(update(schedule).where(schedule.c.job == job).values(due_at=database.instant(now)))
