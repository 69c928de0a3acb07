"""What has to be looked at from time to time: waits that are over, answers that are late, mappings that were added, seals."""

from __future__ import annotations

from datetime import timedelta

from gateway.jobs import receipts, rehearsing
from gateway.jobs.context import Context, Tally
from gateway.jobs.loop import retry_held
from gateway.store import audit, database, events, files, received, returns, workqueue

SETTINGS = "settings.version"
LATE_AT_ONCE = 500  # receipts of a partner in one transaction; the rest follows at the next run


def upkeep(ctx: Context) -> Tally:
    """One round of everything below."""
    tally = Tally()
    _end_waits(ctx, tally)
    _late_acknowledgements(ctx, tally)
    _repeat_alerts(ctx)
    _late_matches(ctx, tally)
    rehearsing.follow_stages(ctx)
    retry_held(ctx, Tally())
    receipts.resolve_items(ctx)
    _note_settings(ctx)
    _seal(ctx)
    return tally


def _note_settings(ctx: Context) -> None:
    """Settings that are other than before are an event, so that a decision can be told from the rules it was made under (R-174)."""
    version = ctx.policy.version
    with database.writing(ctx.engine) as connection:
        before = events.position(connection, SETTINGS)
        if before != version:
            text = f"Settings in use: {version}" + (f" (before: {before})" if before else "")
            events.note(connection, "settings.changed", text, at=ctx.now(), facts={"before": before, "after": version})
            events.set_position(connection, SETTINGS, version)


def _seal(ctx: Context) -> None:
    """Chain the audit log, some thousand events at a time so that writers get their turn; the head goes to the log, outside the book (R-174)."""
    sealed = audit.MOST_EVENTS
    while sealed == audit.MOST_EVENTS:
        with database.writing(ctx.engine) as connection:
            sealed = audit.seal(connection)
            head = audit.kept(connection, audit.HEAD)
    if sealed:
        ctx.log.info("audit.sealed", extra={"count": sealed, "head": head})


def _end_waits(ctx: Context, tally: Tally) -> None:
    """Ask for the decision of returns whose partial wait is over (R-091)."""
    with database.writing(ctx.engine) as connection:
        for rma in returns.waited_out(connection, now=ctx.now()):
            tally.done += 1
            workqueue.enqueue(connection, "decide", rma, due_at=ctx.now())


def _late_acknowledgements(ctx: Context, tally: Tally) -> None:
    """A document without an acknowledgement in time is overdue: one alert a file, naming partner and RAs (R-132)."""
    with database.writing(ctx.engine) as connection:
        late = files.overdue_documents(connection, now=ctx.now())
        for row in late:
            files.change_document(connection, row["id"], acknowledgement="overdue")
            tally.done += 1
        for name in dict.fromkeys(row["file_name"] for row in late):
            rows = [row for row in late if row["file_name"] == name]
            ras = ", ".join(row["ra"] for row in rows if row["ra"])
            text = f"{rows[0]['partner']} has not acknowledged {name} ({ras}) in time; it is not sent again by itself"
            events.raise_alert(connection, "acknowledgement overdue", name, text, at=ctx.now())


def _repeat_alerts(ctx: Context) -> None:
    """An acknowledgement that stays overdue is said again once a day (R-132)."""
    a_day_ago = database.instant(ctx.now() - timedelta(days=1))
    with database.writing(ctx.engine) as connection:
        for alert in events.open_alerts(connection, kind="acknowledgement overdue"):
            if alert["last_at"] <= a_day_ago:
                events.raise_alert(connection, alert["kind"], alert["subject"], alert["text"], at=ctx.now())


def _late_matches(ctx: Context, tally: Tally) -> None:
    """A receipt that waits too long for its RA becomes a task (A-077)."""
    for profile in ctx.profiles.values():
        before = ctx.now() - timedelta(hours=profile.receive.wait_for_ra_hours)
        with database.writing(ctx.engine) as connection:
            for held in received.overdue_receipts(connection, partner=profile.partner, before=before, limit=LATE_AT_ONCE):
                tally.done += 1
                received.set_receipt(
                    connection, held.id, state="unmatched", reason=f"no RA {held.document.ra_reference} after {profile.receive.wait_for_ra_hours:g} h"
                )
                text = f"Receipt {held.document.receipt_no} from {profile.partner} names {held.document.ra_reference}, which is not known"
                receipts.ask_for_match(ctx, connection, held.document, text)
