"""The work list and what grows old."""

from __future__ import annotations

from flask import request

from gateway.errors import GatewayError, PermanentError
from gateway.jobs import actions, desk
from gateway.store import listing
from gateway.views import desk as views
from gateway.web.guard import Answer, Visit

RETRIED = ("failed step", "in doubt")


def listed(visit: Visit) -> Answer:
    """What needs a person, oldest or most valuable first."""
    kind, owner = request.args.get("kind") or None, request.args.get("owner") or None
    by_value = request.args.get("order") == "value"
    with visit.desk.reading() as connection:
        items = views.work(connection, kind=kind, owner=owner, by_value=by_value)
        kinds = views.kinds(connection)
    return visit.show(
        "work.html", items=items, kinds=kinds, chosen={"kind": kind or "", "owner": owner or "", "order": request.args.get("order", "")}
    )


def change(visit: Visit, task_id: int) -> Answer:
    """Take a work item over, or note something."""
    owner = visit.user if request.form.get("mine") else request.form.get("owner", "").strip()[:64]
    said = desk.assign(visit.desk.ctx, task_id=task_id, owner=owner, note=request.form.get("note", "").strip()[:2000], actor=visit.user)
    return visit.back("/desk", said)


def ask_bulk(visit: Visit) -> Answer:
    """What would be done to the chosen items: the count first."""
    chosen = _chosen(visit)
    if not chosen:
        return visit.back("/desk", "Nothing was chosen. Tick the items first.")
    return visit.show("bulk.html", items=chosen, action=request.form.get("action", "take"), reason=request.form.get("reason", ""))


def do_bulk(visit: Visit) -> Answer:
    """Do it to each, and tell each one's result."""
    results = []
    for task in _chosen(visit):
        try:
            results.append((task, True, _one(visit, task)))
        except GatewayError as error:
            results.append((task, False, error.message))
    return visit.show("bulk_done.html", results=results)


def _one(visit: Visit, task: dict[str, object]) -> str:
    ctx, number, reason = visit.desk.ctx, int(str(task["id"])), request.form.get("reason", "").strip()
    if request.form.get("action") == "close":
        return desk.resolve(ctx, task_id=number, reason=reason, actor=visit.user)
    if request.form.get("action") == "retry":
        if task["kind"] not in RETRIED:
            raise PermanentError(f"{task['kind']} {task['subject']} is no step that can be tried again; resolve its cause")
        return actions.retry(ctx, step=str(task["subject"]).replace(" ", ":", 1), actor=visit.user)
    return desk.assign(ctx, task_id=number, owner=visit.user, note=str(task["note"]) or reason, actor=visit.user)


def _chosen(visit: Visit) -> list[dict[str, object]]:
    numbers = [int(text) for text in request.form.getlist("task") if text.isdigit()]
    with visit.desk.reading() as connection:
        found = [listing.load_task(connection, number) for number in numbers]
    return [task for task in found if task and task["open"]]


def aging(visit: Visit) -> Answer:
    """What grows old."""
    desk_ = visit.desk
    calendars = {name: profile.calendar.business for name, profile in desk_.ctx.profiles.items()}
    with desk_.reading() as connection:
        found = desk_.figure("aging", lambda: views.aging(connection, now=desk_.ctx.now(), limits=desk_.limits, calendars=calendars))
    return visit.show("aging.html", limits=desk_.limits, most=views.LIMIT, **found)
