"""Reports on screen, as CSV, JSON and XLSX, for a period in the merchant's days."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from flask import Response, jsonify, request

from gateway.errors import PermanentError
from gateway.views import reports, sheets
from gateway.views.reports import Question, Table
from gateway.web.guard import Answer, Visit

SHOWN = 300
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class NoDayError(PermanentError):
    """That is no day; write one like 2026-11-01."""


def listed(visit: Visit) -> Answer:
    """Every report; this month is offered."""
    return visit.show("reports.html", reports={name: report.title for name, report in reports.REPORTS.items()}, chosen=_period(visit))


def one(visit: Visit, report: str) -> Answer:
    """A report, on screen or to keep."""
    chosen = _period(visit)
    with visit.desk.reading() as connection:
        found = reports.make(connection, report, _question(visit, chosen))
    form = request.args.get("form", "")
    if form in ("csv", "xlsx", "json"):
        return _kept(found, form)
    rows = [[sheets.to_text(found, column, row.get(column)) for column in found.columns] for row in found.rows[:SHOWN]]
    numbers = {c for c in found.columns if c in found.money or any(isinstance(row.get(c), (int, float, Decimal)) for row in found.rows[:SHOWN])}
    return visit.show("report.html", report=found, rows=rows, numbers=numbers, total=len(found.rows), chosen=chosen)


def _kept(found: Table, form: str) -> Response:
    if form == "json":
        answer = jsonify(sheets.to_json(found))
    elif form == "csv":
        answer = Response(sheets.to_csv(found), mimetype="text/csv")
    else:
        answer = Response(sheets.to_xlsx(found), mimetype=XLSX)
    answer.headers["Content-Disposition"] = f'attachment; filename="{found.name}.{form}"'
    return answer


def _period(visit: Visit) -> dict[str, str]:
    """The days asked for; without any, this month."""
    today = visit.desk.local(visit.desk.ctx.now())
    return {"from": request.args.get("from") or f"{today:%Y-%m}-01", "to": request.args.get("to") or f"{today:%Y-%m-%d}"}


def _question(visit: Visit, chosen: dict[str, str]) -> Question:
    desk = visit.desk
    zone = desk.local(desk.ctx.now()).tzinfo
    try:
        start, last = (datetime.fromisoformat(chosen[name][:10]).replace(tzinfo=zone) for name in ("from", "to"))
    except ValueError as fault:
        raise NoDayError from fault
    calendars = {name: profile.calendar.business for name, profile in desk.ctx.profiles.items()}
    return Question(now=desk.ctx.now(), start=start, end=last + timedelta(days=1), limits=desk.limits, calendars=calendars)
