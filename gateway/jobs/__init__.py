"""Every job by its name.

`SCHEDULED` are the jobs with a period; each can also be run by hand and for a range. `QUEUED` are the jobs that other jobs ask for, one key each. A job
never calls another: it enqueues, so that every step is a place to die safely. `run_scheduled` is the one way to run a scheduled job: it leaves a record
with start, end, counts and reasons (R-009), also when the job fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.errors import GatewayError
from gateway.jobs import intake, loop, receipts, shopify, transmission, upkeep
from gateway.jobs.context import Context, Tally
from gateway.store import database, events

SCHEDULED: dict[str, Callable[..., Tally]] = {
    "LoopImportReturnAuthorizations": loop.import_return_authorizations,
    "TransmitReturnAuthorizations": transmission.transmit_authorizations,
    "LoopExportReturnReceipts": loop.export_return_receipts,
    "ShopifyImportRefunds": shopify.import_refunds,
    "ShopifyImportOrders": shopify.import_orders,
    "ShopifyExportInventory": shopify.export_inventory,
    "Upkeep": upkeep.upkeep,
}

QUEUED: dict[str, Callable[[Context, str], object]] = {
    "translate": intake.translate_file,
    "shelve": intake.shelve_file,
    "match": receipts.match_receipts,
    "transmit": transmission.transmit_authorization,
    "cancel": transmission.cancel_authorization,
    "deliver": transmission.deliver_file,
    "decide": loop.decide,
    "confirm": loop.confirm,
    "effect.loop": loop.perform_effect,
    "effect.shopify": shopify.perform_effect,
}


def run_scheduled(ctx: Context, name: str, **scope: Any) -> Tally:
    """Run a scheduled job and record the run; what stops the whole job is recorded as its trouble and raised."""
    told = ", ".join(f"{key} {value}" for key, value in scope.items() if value is not None)
    with database.writing(ctx.engine) as connection:
        run_id = events.start_run(connection, name, scope=told, at=ctx.now())
    tally, trouble = Tally(), ""
    try:
        tally = SCHEDULED[name](ctx, **scope)
    except GatewayError as error:
        trouble = error.message
        raise
    finally:
        with database.writing(ctx.engine) as connection:
            events.end_run(connection, run_id, counts=tally.counts, reasons=tally.reasons, trouble=trouble, at=ctx.now())
    return tally
