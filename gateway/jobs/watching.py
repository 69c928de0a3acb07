"""What is watched although nothing happens: partners that fall silent, parcels that were delivered and not reported, returns that stand still.

Each becomes an alert while it lasts and resolves by itself (requirements R-153, R-155).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.jobs.context import Context
from gateway.mapping.profiles import Profile
from gateway.store import database, events, standing
from gateway.views import aging

SILENCE = "silence"
AGING = "aging"
LOOKED = "watch.delivered"
LOOK_BACK = timedelta(minutes=10)


def watch(ctx: Context) -> None:
    """One round of all watching."""
    with database.writing(ctx.engine) as connection:
        note_deliveries(ctx, connection)
        settle_alerts(ctx, connection, SILENCE, silent_partners(ctx, connection))
        settle_alerts(ctx, connection, AGING, stuck_returns(ctx, connection))


def settle_alerts(ctx: Context, connection: Connection, kind: str, wanted: Iterable[tuple[str, str]]) -> None:
    """Make the open alerts of a kind exactly the wanted ones (subject, text)."""
    texts = dict(wanted)
    is_open = {alert["subject"]: alert["text"] for alert in events.open_alerts(connection, kind=kind)}
    for subject, text in texts.items():
        if is_open.get(subject) != text:
            events.raise_alert(connection, kind, subject, text, at=ctx.now())
    for subject in is_open.keys() - texts.keys():
        events.resolve_alert(connection, kind, subject, at=ctx.now())


def note_deliveries(ctx: Context, connection: Connection) -> None:
    """Note once on each return that the carrier has delivered a box of it; Loop's time of change is the time."""
    now = ctx.now()
    last = events.position(connection, LOOKED)
    since = database.moment(last) - LOOK_BACK if last else ctx.import_from
    for held in standing.newly_delivered(connection, since=since):
        boxes = [label.tracking_number for label in held.document.labels if label.status == "delivered"]
        text = f"Delivered by the carrier: {', '.join(boxes)}"
        events.note(connection, standing.DELIVERED, text, at=held.document.updated_at, rma=held.document.rma, actor="carrier")
    events.set_position(connection, LOOKED, database.instant(now))


def silent_partners(ctx: Context, connection: Connection) -> Iterable[tuple[str, str]]:
    """Live partners from which nothing has come for longer than their rhythm, in their business hours (R-155)."""
    for profile in ctx.profiles.values():
        limit = profile.calendar.quiet_after_hours
        if profile.stage != "live" or not limit:
            continue
        heard = standing.last_heard(connection, profile.partner)
        since = heard or standing.first_sent(connection, profile.partner)
        if since is None:
            continue
        at = database.moment(since)
        if profile.calendar.business.after(at, limit) <= ctx.now():
            yield profile.partner, _silence(ctx, profile, at, ever=heard is not None)


def _silence(ctx: Context, profile: Profile, at: datetime, *, ever: bool) -> str:
    last = f"no file has come since {ctx.local(at):%Y-%m-%d %H:%M}" if ever else f"no file has ever come, the first went out {ctx.day(at)}"
    return (
        f"{profile.partner}: {last}, longer than its usual {profile.calendar.quiet_after_hours:g} business hours. "
        "A quiet folder looks the same as a broken transfer: ask the partner, and look at its connection"
    )


def stuck_returns(ctx: Context, connection: Connection) -> Iterable[tuple[str, str]]:
    """What is red, one cause for each partner and step (R-153)."""
    calendars = {name: profile.calendar.business for name, profile in ctx.profiles.items()}
    rows = aging.find_aging(connection, limits=ctx.limits, calendars=calendars, now=ctx.now())
    for group in aging.group_aging([row for row in rows if row["level"] == "red"], "partner", "step"):
        names = ", ".join(group["ras"][:5]) + (f" and {group['count'] - 5} more" if group["count"] > 5 else "")
        text = f"{group['partner']}: {group['count']} RA(s) worth {group['value']} {group['currency']} {group['step']} for too long: {names}"
        yield f"{group['partner']} {group['step']} {group['currency']}".strip(), text
