"""A partner's server kept in step with its inbox and outbox, pass by pass.

The rule of every effect: intent committed, effect, outcome committed (`store.remote` has the states). One file that is refused stops no other; trouble with
the server or with our folders ends the pass and is tried again.
"""

from __future__ import annotations

from gateway.jobs.carrying import Sync
from gateway.jobs.context import Context, Tally
from gateway.jobs.downloads import pull
from gateway.jobs.uploads import push
from gateway.store import database, events

ALERT = "server trouble"


def sync_partner(sync: Sync) -> Tally:
    """One pass: what lies in the outboxes goes, what lies on the server comes. The connection stays open for the next."""
    sync.tally = Tally(scope=sync.partner)
    try:
        link = sync.link()
        for kind in sync.profile.outgoing:
            push(sync, link, kind)
        for kind in sync.profile.incoming:
            pull(sync, link, kind)
    except BaseException:
        sync.close()
        raise
    return sync.tally


def tell(ctx: Context, partner: str, trouble: str) -> None:
    """One alert while a server is in trouble; it resolves by itself (R-179)."""
    with database.reading(ctx.engine) as connection:
        same = any(a["open"] and a["text"] == trouble for a in events.list_alerts(connection) if (a["kind"], a["subject"]) == (ALERT, partner))
        open_before = events.has_alert(connection, ALERT, partner)
    if (trouble and same) or (not trouble and not open_before):
        return
    with database.writing(ctx.engine) as connection:
        if trouble:
            events.raise_alert(connection, ALERT, partner, trouble, at=ctx.now())
        else:
            events.resolve_alert(connection, ALERT, partner, at=ctx.now())
