"""Partners, jobs, audit, settings and users."""

from __future__ import annotations

import json

from flask import request

from gateway.jobs import SCHEDULED, people
from gateway.store import events, listing
from gateway.store import people as people_store
from gateway.views import partners as views
from gateway.views import scorecards
from gateway.views.cases import NothingFoundError
from gateway.web.guard import Answer, Visit
from gateway.web.returns import more_of

MACHINES = frozenset({"gateway", "loop", "shopify"})


def partners(visit: Visit) -> Answer:
    """Every partner."""
    with visit.desk.reading() as connection:
        rows = views.overview_of(connection, visit.desk.ctx.profiles, now=visit.desk.ctx.now())
    return visit.show("partners.html", rows=rows)


def partner(visit: Visit, name: str) -> Answer:
    """A partner: profile in words, checklist, scorecard."""
    profile = visit.desk.ctx.profiles.get(name)
    if profile is None:
        raise NothingFoundError(f"there is no partner {name}; known: {', '.join(visit.desk.ctx.profiles)}")
    with visit.desk.reading() as connection:
        checks = views.checklist(connection, profile)
        weeks = scorecards.list_recent(connection, name, now=visit.desk.ctx.now())
    return visit.show(
        "partner.html", profile=profile, words=views.in_words(profile), calendar=views.calendar_in_words(profile), checks=checks, weeks=weeks
    )


def jobs(visit: Visit) -> Answer:
    """The schedule and the runs."""
    job = request.args.get("job") or None
    with visit.desk.reading() as connection:
        page = listing.list_runs(connection, job=job, after=request.args.get("after", ""))
        schedule = events.list_schedule(connection)
    rows = [row | {"reasons": json.loads(row["reasons"])} for row in page.rows]
    return visit.show("jobs.html", rows=rows, schedule=schedule, job=job or "", jobs=list(SCHEDULED), more=more_of(page.after))


def audit(visit: Visit) -> Answer:
    """Who did what, when and why; newest first."""
    people_only = request.args.get("who") == "people"
    machines = MACHINES | {name.lower() for name in visit.desk.ctx.profiles}
    with visit.desk.reading() as connection:
        actors = [name for name in listing.list_actors(connection) if name.lower() not in machines] if people_only else None
        page = listing.list_events(connection, actors=actors, after=request.args.get("after", ""))
    return visit.show("audit.html", page=page, people_only=people_only, more=more_of(page.after))


def settings(visit: Visit) -> Answer:
    """The settings in use and whether they hold together; secrets are said to be there or missing, never shown."""
    return visit.show("settings.html", settings=visit.desk.settings, faults=visit.desk.check())


def users(visit: Visit) -> Answer:
    """Who may sign in."""
    with visit.desk.reading() as connection:
        rows = people_store.list_users(connection)
    return visit.show("users.html", rows=rows, roles=people.ROLES)


def add_user(visit: Visit) -> Answer:
    """Make a user."""
    name, role = request.form.get("name", ""), request.form.get("role", "")
    people.add_user(visit.desk.ctx, name=name, role=role, password=request.form.get("password", ""), actor=visit.user)
    return visit.back("/users", f"{name} can sign in as {role}.")


def remove_user(visit: Visit) -> Answer:
    """Remove a user; the last administrator stays."""
    name = request.form.get("name", "")
    if name == visit.user:
        return visit.back("/users", "You cannot remove yourself; another administrator can.")
    people.remove_user(visit.desk.ctx, name=name, actor=visit.user)
    return visit.back("/users", f"{name} is removed and signed out everywhere.")


def set_password(visit: Visit) -> Answer:
    """Give a user another password."""
    name = request.form.get("name", "")
    people.set_password(visit.desk.ctx, name=name, password=request.form.get("password", ""), actor=visit.user)
    return visit.back("/users", f"The password of {name} is changed; it has to sign in again.")
