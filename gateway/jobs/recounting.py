"""What follows when a receipt stops counting, or counts otherwise than before.

* not decided: the RA stands where its receipts put it now, and is decided as if they had been the only ones;
* decided, but Loop not called yet: the call is withdrawn for good and the return is decided again;
* Loop called: Loop is not called again (R-097). The counts are put right, and a person is told what that means there and in stock. Stock that was posted
  stays posted: its own correction is an entry of its own (R-118).
"""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.domain import lifecycle
from gateway.domain.lifecycle import RaState
from gateway.jobs import decisions
from gateway.jobs.context import Context
from gateway.store import effects, events, ledger, returns, workqueue
from gateway.store.effects import CALLS, WITHDRAWN, EffectState

SETTLED = frozenset({RaState.PROCESSED, RaState.REFUND_IMPORTED, RaState.CLOSED})


def recount(ctx: Context, connection: Connection, ra: str, *, because: str) -> None:
    """Bring an RA, and where it may still change the decision of its RMA, to what its receipts say now."""
    held = returns.load_authorization(connection, ra)
    if held is None:
        return
    rma = held.document.rma
    standing = decisions.stand(connection, held)
    if held.state in SETTLED:
        returns.close_missing(connection, ra, {line.sku: line.missing for line in standing.lines})
    if returns.load_decision(connection, rma) and not _withdraw(ctx, connection, rma, because):
        _tell_after_decision(ctx, connection, rma, because)
        return
    held = returns.load_authorization(connection, ra) or held
    if not standing.receipt_nos and lifecycle.may(held.state, RaState.SENT):
        returns.advance(connection, ra, RaState.SENT, first_receipt_at=None, wait_until=None)
    workqueue.enqueue(connection, "decide", rma, due_at=ctx.now())


def _withdraw(ctx: Context, connection: Connection, rma: str, because: str) -> bool:
    """Take back a decision that has not left the house; False when a call was made or is being made.

    A call in hand is told by its attempts: they are counted in the commit before it leaves, and that commit fails once the effect is no longer intended.
    """
    calls = [e for e in effects.of_target(connection, rma) if e.kind in CALLS and not e.cause.startswith(WITHDRAWN)]
    if any(e.state != EffectState.INTENDED or e.attempts for e in calls):
        return False
    for effect in calls:
        effects.settle(connection, effect.id, state=EffectState.FAILED, cause=WITHDRAWN + because, now=ctx.now())
    withdrawn = returns.withdraw_decision(connection, rma)
    facts = {"rule": withdrawn["rule"], "verdict": withdrawn["verdict"]} if withdrawn else {}
    events.note(connection, "decision.withdrawn", f"Not sent to Loop yet, decided again: {because}", at=ctx.now(), rma=rma, facts=facts)
    return True


def _tell_after_decision(ctx: Context, connection: Connection, rma: str, because: str) -> None:
    """Say what a correction after the decision means: Loop is not called, and posted stock stays until a person posts its correction."""
    received: dict[str, int] = {}
    for held in returns.authorizations_of(connection, rma):
        for line in returns.lines_of(connection, held.document.ra):
            received[line["sku"]] = received.get(line["sku"], 0) + line["good"] + line["second"]
    beyond = {sku: units - received.get(sku, 0) for sku, units in ledger.posted_for(connection, rma).items() if units > received.get(sku, 0)}
    stock = "; in stock beyond what was received: " + ", ".join(f"{units} x {sku}" for sku, units in beyond.items()) if beyond else ""
    text = f"RMA {rma} was decided before: {because}. Loop is not called again{stock}"
    advice = "compare the return in Loop Admin with what was received" + ("; post a stock correction for the units beyond" if beyond else "")
    events.open_task(connection, "corrected after decision", rma, text, at=ctx.now(), rma=rma, advice=advice)
