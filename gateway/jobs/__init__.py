"""Every job by its name.

`SCHEDULED` are the jobs with a period; each can also be run by hand and for a range. `QUEUED` are the jobs that other jobs ask for, one key each. A job
never calls another: it enqueues, so that every step is a place to die safely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.errors import TemporaryError
from gateway.jobs import (
    comparing,
    decisions,
    erp,
    intake,
    inventory,
    keeping,
    loop,
    loop_effects,
    orders,
    receipts,
    refunds,
    stock,
    telling,
    transmission,
    unpacking,
    upkeep,
)
from gateway.jobs.context import Context, Tally
from gateway.jobs.pausing import pausing, pausing_together

SCHEDULED: dict[str, Callable[..., Tally]] = {
    "LoopImportReturnAuthorizations": loop.import_return_authorizations,
    "TransmitReturnAuthorizations": transmission.transmit_authorizations,
    "LoopExportReturnReceipts": decisions.export_return_receipts,
    "ShopifyImportRefunds": refunds.import_refunds,
    "ShopifyImportOrders": orders.import_orders,
    "ShopifyExportInventory": inventory.export_inventory,
    "CompareStock": stock.compare_stock,
    "ExportToErp": erp.export_to_erp,
    "LoopCompareReturns": comparing.compare_returns,
    "Upkeep": upkeep.upkeep,
    "TellPeople": telling.tell_people,
    "DailyRecap": telling.daily_recap,
    "Purge": keeping.purge,
}

QUEUED: dict[str, Callable[[Context, str], object]] = {
    "translate": pausing(unpacking.translate, "processing"),
    "shelve": pausing(intake.shelve_file, "archive"),
    "match": receipts.match_receipts,
    "transmit": transmission.transmit_authorization,
    "cancel": transmission.cancel_authorization,
    "deliver": pausing(transmission.deliver_file, "outbox"),
    "decide": decisions.decide,
    "confirm": loop_effects.confirm,
    "message": telling.deliver_message,
    "effect.loop": loop_effects.perform_effect,
    "effect.shopify": inventory.perform_effect,
}

# Jobs of which several may share their commits: each takes keys and gives back those that it has done; what is left, or after any trouble all of it, is
# done one by one.
TOGETHER: dict[str, Callable[[Context, Sequence[str]], list[str]]] = {
    "translate": pausing_together(unpacking.translate_together),
    "shelve": pausing_together(intake.shelve_together),
    "deliver": pausing_together(transmission.deliver_together),
}

# Jobs of which the next few may share their commits while each is quick: each takes keys, and gives back what became of those that it took, the first ones:
# None when done, else why the job must be taken up again.
IN_TURN: dict[str, Callable[[Context, Sequence[str]], Mapping[str, TemporaryError | None]]] = {
    "effect.loop": loop_effects.perform_some_effects,
}
