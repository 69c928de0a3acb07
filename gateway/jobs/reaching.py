"""People are told when Loop or Shopify does not answer and is left alone, and the alert resolves when it answers again."""

from __future__ import annotations

from gateway.jobs.context import Context
from gateway.store import database, events

AWAY = "service away"


def tell(ctx: Context) -> None:
    """Raise or resolve the alert of each service whose breaker has changed since it was told last; costs nothing while nothing changes."""
    for session in (ctx.loop.session, ctx.shopify.session):
        breaker = session.breaker
        if breaker is None or breaker.open is None or breaker.open == breaker.told:
            continue
        state = breaker.open
        with database.writing(ctx.engine) as connection:
            if state:
                text = (
                    f"{session.service} has not answered {breaker.failures} calls in a row. It is left alone and asked again after growing pauses; "
                    "what needs it waits and goes on by itself. If it lasts, look at the service's status page and at this machine's network"
                )
                events.raise_alert(connection, AWAY, session.service, text, at=ctx.now())
            else:
                events.resolve_alert(connection, AWAY, session.service, at=ctx.now())
        breaker.told = state
