"""Credit invoices, stock movements and exchange orders handed to an ERP as files, each row once (R-123).

Rows that no file carries yet are rendered, and the very bytes, the note of which rows they carry and the delivery are committed together; the delivery
is the one of every outbound file: staged, then renamed into the outbox over nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import money
from gateway.errors import PermanentError
from gateway.jobs.context import ERP, Context, Tally
from gateway.mapping import handover as layout
from gateway.store import database, events, files, handover, ledger, workqueue

MOST_ROWS = 5000
WRITERS: dict[str, Callable[[str, list[layout.Row]], bytes]] = {"csv": layout.to_csv, "xlsx": layout.to_xlsx}


def export_to_erp(ctx: Context) -> Tally:
    """Write what is new since the last files; nothing new writes no file."""
    tally = Tally()
    if not ctx.erp_formats:
        tally.skip("ERP", "no formats are set under [erp] in gateway.toml")
        return tally
    if ctx.erp_folders is None:
        raise PermanentError("the ERP outbox is not set up")
    ctx.erp_folders.make()
    for document, kinds in DOCUMENTS.items():
        while _write(ctx, document, kinds, tally):
            pass
    return tally


def _write(ctx: Context, document: str, kinds: dict[str, Callable[..., Iterator[dict[str, Any]]]], tally: Tally) -> bool:
    """One set of files of a document; whether there may be more."""
    with database.writing(ctx.engine) as connection:
        found = [(kind, row) for kind in kinds for row in handover.unsent(connection, kind, limit=MOST_ROWS)]
        if not found:
            return False
        rows: list[layout.Row] = [line for kind, row in found for line in kinds[kind](ctx, connection, row)]
        number = files.next_control(connection, partner=ERP, kind=document, first=1)
        made = [_make(ctx, connection, document, number, form, rows) for form in ctx.erp_formats]
        handover.sent(connection, ((kind, handover.key_of(kind, row)) for kind, row in found), file_id=made[0], at=ctx.now())
    tally.read += len(found)
    tally.done += len(found)
    return any(sum(kind == one for one, _ in found) == MOST_ROWS for kind in kinds)


def _make(ctx: Context, connection: Connection, document: str, number: int, form: str, rows: list[layout.Row]) -> int:
    content = WRITERS[form](document, rows)
    name = f"{document}_{number:06d}_{ctx.now():%Y%m%dT%H%M%SZ}.{form}"
    fields = {"direction": "out", "partner": ERP, "name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    file_id = files.add(connection, at=ctx.now(), **fields, state="pending", control=str(number), content=content, folder="production")
    text = f"{name} made for the ERP: {len(rows)} row(s)"
    events.note(connection, "erp.made", text, at=ctx.now(), file_id=file_id, partner=ERP)
    workqueue.enqueue(connection, "deliver", file_id, due_at=ctx.now())
    return file_id


def _credit(_ctx: Context, connection: Connection, invoice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A credit invoice: a LINE for each refund line, shipping, duties and adjustment, and a SETTLEMENT for each way it was settled."""
    refund = ledger.load_refund(connection, invoice["refund_id"]) or {}
    shopper = json.loads(invoice["shopper"])
    head = {name: invoice[name] for name in ("refund_id", "order_id", "rma", "made_at", "currency")}
    head |= {"invoice": invoice["number"], "order": refund.get("order_name", ""), "shopper_currency": invoice["shopper_currency"]}
    place = 0
    for line in ledger.lines_of_refund(connection, invoice["refund_id"]):
        if line["imported"]:
            place += 1
            yield head | _goods(line, invoice["currency"]) | {"line": place}
    for name in ("shipping", "duties", "adjustment"):
        if Decimal(invoice[name]):
            place += 1
            amounts = {"net": invoice[name], "tax": money.text(money.ZERO, invoice["currency"]), "gross": invoice[name]}
            yield head | amounts | {"row": "LINE", "line": place, "kind": name, "quantity": ""}
    whole = money.total(Decimal(amount) for name, amount in shopper.items() if name != "cash")
    for one in ledger.settlements(invoice):
        amount = money.text(one.amount, invoice["currency"])
        row = head | {"row": "SETTLEMENT", "kind": one.kind, "gateway": one.detail, "gross": amount, "quantity": ""}
        yield row | ({"shopper_gross": money.text(whole, invoice["shopper_currency"])} if shopper else {})


def _place(line: dict[str, Any], warehouse: str, sku: str, quantity: int) -> str:
    """Where units went; a component of a bundle is named."""
    return f"{warehouse}:{quantity}" + ("" if sku == line["sku"] else f"*{sku}")


def _goods(line: dict[str, Any], currency: str) -> dict[str, Any]:
    gross = money.text(Decimal(line["merchandise"]) + Decimal(line["tax"]), currency)
    places = " ".join(_place(line, *where) for where in json.loads(line["stocked"]))
    row = {"row": "LINE", "kind": "goods", "sku": line["sku"], "quantity": line["imported"], "restock_type": line["restock_type"]}
    return row | {"goods": line["goods"], "warehouses": places, "net": line["merchandise"], "tax": line["tax"], "gross": gross}


def _settlement(_ctx: Context, connection: Connection, move: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A later payment of a credit: what it was settled as goes out, what it is now comes in."""
    invoice = next(iter(ledger.invoices_numbered(connection, move["invoice"])))
    head = {name: invoice[name] for name in ("order_id", "rma", "currency")} | {"invoice": move["invoice"], "refund_id": move["refund_id"]}
    head |= {"row": "SETTLEMENT", "made_at": move["moved_at"], "quantity": ""}
    yield head | {"kind": move["from_kind"], "gross": money.text(-Decimal(move["amount"]), invoice["currency"])}
    yield head | {"kind": move["to_kind"], "gateway": move["detail"], "gross": move["amount"]}


def _movement(ctx: Context, _connection: Connection, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = ("posted_at", "warehouse", "sku", "quantity", "cause", "reference", "rma", "remark", "actor")
    held = ctx.places.warehouses.get(entry["warehouse"])
    quality = "" if held is None else "first" if held.sellable else "second"
    yield {name: entry[name] for name in names} | {"row": "MOVEMENT", "entry": entry["id"], "quality": quality}


def _order(_ctx: Context, _connection: Connection, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = [name for name in layout.ORDERS if name not in ("row", "order")]
    yield {"row": "ORDER", "order": order["name"]} | {name: order[name] for name in names}


DOCUMENTS: dict[str, dict[str, Callable[..., Iterator[dict[str, Any]]]]] = {
    "CREDITS": {"invoice": _credit, "settlement": _settlement},
    "STOCK": {"movement": _movement},
    "ORDERS": {"order": _order},
}
