"""How well each partner does, week by week (requirements R-158).

Weeks are ISO weeks in UTC. Times are hours, rates are percent of what came; a cell is empty where nothing was measured, never 0.
"""

from __future__ import annotations

import math
from datetime import datetime
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


def find_weeks(connection: Connection, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    """One row a week and partner, the newest week first."""
    import pandas as pd

    parts = [
        _files(pd, tallies.files_received(connection, start, end)),
        _receipts(pd, tallies.receipts_arrived(connection, start, end)),
        _answers(pd, tallies.documents_answered(connection, start, end)),
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return []
    joined = pd.concat(filled, axis=1).sort_index(level=["week", "partner"], ascending=[False, True]).reset_index()
    return [{name: _plain(name, record.get(name)) for name in COLUMNS} for record in joined.to_dict(orient="records")]


def _frame(pd: Any, rows: list[dict[str, Any]], column: str) -> Any:
    """Rows with the week of an instant as `week`."""
    frame = pd.DataFrame(rows)
    at = pd.to_datetime(frame[column], format="ISO8601", utc=True)
    week = at.dt.isocalendar()
    return frame.assign(week=week["year"].astype(str) + "-W" + week["week"].astype(str).str.zfill(2))


def _hours(pd: Any, later: Any, earlier: Any) -> Any:
    spans = pd.to_datetime(later, format="ISO8601", utc=True) - pd.to_datetime(earlier, format="ISO8601", utc=True)
    return spans.dt.total_seconds() / 3600


def _files(pd: Any, rows: list[dict[str, Any]]) -> Any:
    if not rows:
        return pd.DataFrame()
    frame = _frame(pd, rows, "arrived_at")
    frame = frame.assign(bad=frame["outcome"].isin(BAD_OUTCOMES) * 100.0, again=(frame["outcome"] == "duplicate") * 100.0)
    groups = frame.groupby(["week", "partner"])
    return groups.agg(**{"files": ("id", "count"), "error %": ("bad", "mean"), "duplicate %": ("again", "mean")})


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
