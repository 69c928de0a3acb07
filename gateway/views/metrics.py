"""What is measured for Prometheus: figures of the book, no names of people or orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.store import database, events, files, listing, overview, returns, workqueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A gauge: its values by label."""

    name: str
    words: str
    labels: tuple[str, ...]
    values: list[tuple[tuple[str, ...], float]]


def collect(connection: Connection, *, now: datetime) -> list[Measure]:
    """Every gauge."""
    queue = workqueue.waiting(connection)
    jobs: Counter[str] = Counter(str(row["job"]) for row in queue)
    due = [str(row["due_at"]) for row in queue]
    schedule = events.list_schedule(connection)
    by_outcome = files.count_by_outcome(connection)
    return [
        _by_label("gateway_ras", "RAs by state", "state", returns.count_by_state(connection)),
        _by_label("gateway_queue", "Queued work by job", "job", jobs),
        _one("gateway_queue_oldest_seconds", "How long the longest due work waits", _age(min(due, default=""), now)),
        Measure(
            name="gateway_files",
            words="Files by direction and outcome",
            labels=("direction", "outcome"),
            values=[((key.partition(".")[0], key.partition(".")[2]), count) for key, count in by_outcome.items()],
        ),
        _by_label("gateway_effects", "Calls that change something outside, by state", "state", overview.effects_by_state(connection)),
        _by_label("gateway_tasks", "What needs a person, by kind", "kind", listing.count_work(connection)),
        _one("gateway_alerts", "Open alerts", len(overview.open_alerts(connection))),
        _by_label(
            "gateway_job_last_success_timestamp_seconds",
            "When a job last succeeded",
            "job",
            {row["job"]: database.moment(row["last_success_at"]).timestamp() for row in schedule if row["last_success_at"]},
        ),
    ]


def _by_label(name: str, words: str, label: str, values: Any) -> Measure:
    return Measure(name=name, words=words, labels=(label,), values=[((str(key),), float(value)) for key, value in values.items()])


def _one(name: str, words: str, value: float) -> Measure:
    return Measure(name=name, words=words, labels=(), values=[((), float(value))])


def _age(since: str, now: datetime) -> float:
    return max((now - database.moment(since)).total_seconds(), 0.0) if since else 0.0
