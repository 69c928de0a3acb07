"""Inventory to Shopify: the absolute quantities of what changed since the last export, and only over a quantity we expected to find."""

from __future__ import annotations

import json
import uuid

from sqlalchemy import Connection

from gateway.clients.session import Outcome
from gateway.clients.shopify import Level
from gateway.jobs import effecting
from gateway.jobs.context import Context, Tally
from gateway.jobs.effecting import Effect, EffectState, Look, Sight, Way
from gateway.store import database, effects, events, ledger

KEY_SPACE = uuid.UUID("6f1f3a52-6a0e-5c7e-9d0b-2f1c3b7f9a10")


def export_inventory(ctx: Context) -> Tally:
    """Tell Shopify the absolute quantities that changed since the last export; first-quality warehouses only (R-008, R-119)."""
    tally = Tally()
    sellable = {w.code: w for w in ctx.places.warehouses.values() if w.sellable and w.shopify_location}
    with database.reading(ctx.engine) as connection:
        until = ledger.last_entry(connection)
        changed = ledger.changed_since_export(connection, list(sellable), up_to=until)
    for code, warehouse in sellable.items():
        mine = [row for row in changed if row["warehouse"] == code]
        tally.read += len(mine)
        for start in range(0, len(mine), 25):
            _export_some(ctx, code, warehouse.shopify_location or "", mine[start : start + 25], tally)
    return tally


def _export_some(ctx: Context, code: str, location: str, rows: list[dict[str, object]], tally: Tally) -> None:
    levels = ctx.shopify.levels([str(row["sku"]) for row in rows], location_id=location)
    with database.writing(ctx.engine) as connection:
        for row in rows:
            sku, newest = str(row["sku"]), int(str(row["newest"]))
            quantity = ledger.balance(connection, code, sku, up_to=newest)
            why = _not_exportable(ctx, row, quantity, levels.get(sku))
            if why:
                tally.skip(f"{code} {sku}", why)
                _tell_conflict(ctx, connection, code, sku, why)
                continue
            events.close_tasks(connection, kind="stock conflict", subject=f"{code} {sku}", because="quantities agree", at=ctx.now())
            level = levels[sku]
            payload = {
                "warehouse": code,
                "location": location,
                "sku": sku,
                "item": level.item_id,
                "quantity": max(quantity, 0),
                "compare": level.available,
                "ledger": newest,
            }
            made = effects.intend(
                connection, kind="shopify.stock", target=f"{location}/{sku}", version=f"{newest}:{level.available}", payload=payload, now=ctx.now()
            )
            tally.done += 1 if made else 0
            if not made:
                tally.skip(f"{code} {sku}", "on its way already")


def _not_exportable(ctx: Context, row: dict[str, object], quantity: int, level: Level | None) -> str:
    """Why a quantity must not be written: unknown item, untracked, or Shopify has a figure that neither side can explain."""
    if level is None:
        return "Shopify has no item with this SKU"
    faults = {
        "several items in Shopify share this SKU": level.duplicates > 0,
        "Shopify does not track this item": not level.tracked,
        f"our balance is {quantity}; correct the ledger first": quantity < 0,
    }
    found = next((words for words, applies in faults.items() if applies), "")
    if found or not ctx.compare_before_write or level.available is None:
        return found
    before = int(str(row["exported"])) if row["exported"] is not None else 0
    if level.available in (quantity, before):
        return ""
    return f"conflict: Shopify has {level.available}, expected {before} (as last exported) or {quantity} (with the returns since); not overwritten"


def _tell_conflict(ctx: Context, connection: Connection, code: str, sku: str, why: str) -> None:
    if not why.startswith("Shopify does not track"):
        advice = "count, correct the side that is wrong, and the next export goes on; or set shopify.compare_before_write = false"
        events.open_task(connection, "stock conflict", f"{code} {sku}", f"{sku} at {code}: {why}", at=ctx.now(), advice=advice)


def perform_effect(ctx: Context, key: str) -> None:
    """Carry one effect to Shopify."""
    effect = effecting.load(ctx, key)
    effecting.perform(ctx, effect, STOCK)


def _clear(_ctx: Context, _effect: Effect) -> Look:
    return Look(sight=Sight.CLEAR)


def _repeatable(_ctx: Context, _effect: Effect) -> Look:
    """Shopify recognises the repeated key for 24 hours, so repeating with the same key and variables is the look (shopify-api 6.5)."""
    return Look(sight=Sight.NOT_HAPPENED, words="repeated with the same idempotency key")


def _set(ctx: Context, effect: Effect) -> Outcome:
    p = effect.payload
    key = str(uuid.uuid5(KEY_SPACE, f"{effect.target} {effect.version} {json.dumps(p, sort_keys=True)}"))
    reference = f"gid://returns-gateway/InventoryExport/{effect.id}"
    return ctx.shopify.set_quantities(location_id=p["location"], quantities=[(p["item"], p["quantity"], p["compare"])], reference=reference, key=key)


def _settled_stock(ctx: Context, connection: Connection, effect: Effect, state: EffectState, cause: str) -> None:
    p = effect.payload
    if state == EffectState.FAILED:
        if "STALE" not in cause and "changed" not in cause.lower():
            _tell_conflict(ctx, connection, p["warehouse"], p["sku"], cause)
        return
    ledger.exported(connection, warehouse=p["warehouse"], sku=p["sku"], quantity=p["quantity"], ledger_id=p["ledger"], at=ctx.now())
    for rma in ledger.returns_behind(connection, warehouse=p["warehouse"], sku=p["sku"], up_to=p["ledger"]):
        text = f"Exported to Shopify: {p['sku']} {p['quantity']} at {p['warehouse']} (location {p['location']})"
        events.note_once(connection, "stock.exported", text, at=ctx.now(), rma=rma)


STOCK = Way(label="inventory to Shopify", before=_clear, act=_set, after=_repeatable, settled=_settled_stock)
