"""How well each partner does, week by week (requirements R-158).

Weeks are ISO weeks in UTC. Times are hours, rates are percent of what came; a cell is empty where nothing was measured, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.store import tallies

COLUMNS = (
    "week",
    "partner",
    "files",
    "receipts",
    "delivery to receipt, h",
    "error %",
    "discrepancy %",
    "duplicate %",
    "acknowledgement, h",
    "not acknowledged %",
)
BAD_OUTCOMES = ["error", "partial", "held", "quarantine"]
COUNTED = ("files", "bad", "duplicate")
WEEKS = 8


def find_weeks(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """One row a week and partner, the newest week first."""
    import pandas as pd

    parts = [
        _files(pd, count_files(connection, start, end)),
        _receipts(pd, tallies.receipts_arrived(connection, start, end)),
        _answers(pd, tallies.documents_answered(connection, start, end)),
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return []
    joined = pd.concat(filled, axis=1).sort_index(level=["week", "partner"], ascending=[False, True]).reset_index()
    return [{name: _plain(name, record.get(name)) for name in COLUMNS} for record in joined.to_dict(orient="records")]


def count_files(connection: Connection, start: datetime | None, end: datetime | None) -> dict[tuple[str, str], Counter[str]]:
    """By week and partner: `files` that came, `bad` and `duplicate` ones among them."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in tallies.files_by_day(connection, start, end):
        mine = found.setdefault((week_of(date.fromisoformat(row["day"])), row["partner"]), Counter())
        mine.update(_judged({row["outcome"]: row["count"]}))
    return found


def _judged(outcomes: Mapping[str, int]) -> Counter[str]:
    bad = sum(n for word, n in outcomes.items() if word in BAD_OUTCOMES)
    return Counter(files=sum(outcomes.values()), bad=bad, duplicate=outcomes.get("duplicate", 0))


def week_of(day: date) -> str:
    """The ISO week of a day, as 2026-W48."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def list_recent(connection: Connection, partner: str, *, now: datetime) -> list[dict[str, Any]]:
    """The files of a partner in the last weeks, this one first, also those in which nothing came."""
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    mondays = [monday - timedelta(weeks=back) for back in range(WEEKS)]
    rows = []
    for first in mondays:
        start = datetime.combine(first, time(), UTC)
        mine = _judged(tallies.files_by_outcome(connection, partner, start, start + timedelta(weeks=1)))
        rate = f"{100 * mine['bad'] / mine['files']:.1f} %" if mine["files"] else "–"
        rows.append({"week": week_of(first), "from": first, "to": first + timedelta(days=6), "rate": rate} | {n: mine[n] for n in COUNTED})
    return rows


def _frame(pd: Any, rows: list[dict[str, Any]], column: str) -> Any:
    """Rows with the week of an instant as `week`."""
    frame = pd.DataFrame(rows)
    at = pd.to_datetime(frame[column], format="ISO8601", utc=True)
    week = at.dt.isocalendar()
    return frame.assign(week=week["year"].astype(str) + "-W" + week["week"].astype(str).str.zfill(2))


def _hours(pd: Any, later: Any, earlier: Any) -> Any:
    spans = pd.to_datetime(later, format="ISO8601", utc=True) - pd.to_datetime(earlier, format="ISO8601", utc=True)
    return spans.dt.total_seconds() / 3600


def _files(pd: Any, counted: dict[tuple[str, str], Counter[str]]) -> Any:
    if not counted:
        return pd.DataFrame()
    figures = [
        {"files": c["files"], "error %": 100 * c["bad"] / c["files"], "duplicate %": 100 * c["duplicate"] / c["files"]} for c in counted.values()
    ]
    return pd.DataFrame(figures, index=pd.MultiIndex.from_tuples(counted, names=["week", "partner"]))


def _receipts(pd: Any, rows: list[dict[str, Any]]) -> Any:
    if not rows:
        return pd.DataFrame()
    frame = _frame(pd, rows, "arrived_at")
    frame = frame.assign(hours=_hours(pd, frame["arrived_at"], frame["delivered_at"]), off=((frame["beside"] > 0) | (frame["missing"] > 0)) * 100.0)
    groups = frame.groupby(["week", "partner"])
    return groups.agg(**{"receipts": ("ra", "count"), "delivery to receipt, h": ("hours", "mean"), "discrepancy %": ("off", "mean")})


def _answers(pd: Any, rows: list[dict[str, Any]]) -> Any:
    wanted = [row for row in rows if row["acknowledgement"] != "not expected"]
    if not wanted:
        return pd.DataFrame()
    frame = _frame(pd, wanted, "sent_at")
    silent = frame["acknowledgement"].isin(["awaiting", "overdue"]) * 100.0
    frame = frame.assign(hours=_hours(pd, frame["acknowledged_at"], frame["sent_at"]), silent=silent)
    groups = frame.groupby(["week", "partner"])
    return groups.agg(**{"acknowledgement, h": ("hours", "mean"), "not acknowledged %": ("silent", "mean")})


def _plain(name: str, value: Any) -> Any:
    """A cell as a plain value: counts whole, figures with one place, nothing where nothing was measured."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return 0 if name in ("files", "receipts") else None
    return int(value) if name in ("files", "receipts") else round(float(value), 1)
