"""Every job by its name.

`SCHEDULED` are the jobs with a period; each can also be run by hand and for a range. `QUEUED` are the jobs that other jobs ask for, one key each. A job
never calls another: it enqueues, so that every step is a place to die safely.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.jobs import intake, loop, receipts, shopify, transmission, upkeep
from gateway.jobs.context import Context, Tally

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
