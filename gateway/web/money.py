"""Refunds, exchange orders, stock, and goods and credits that do not meet."""

from __future__ import annotations

import json

from flask import request

from gateway.store import ledger, listing
from gateway.views import goods
from gateway.web.guard import Answer, Visit
from gateway.web.returns import more_of

STATUSES = ("imported", "held", "skipped")


def refunds(visit: Visit) -> Answer:
    """Refunds with their message and how each was settled."""
    status, refund = request.args.get("status") or None, request.args.get("refund") or None
    with visit.desk.reading() as connection:
        page = listing.list_refunds(connection, status=status, refund_id=refund, after=request.args.get("after", ""))
        lines = ledger.lines_of_refund(connection, refund) if refund else []
    rows = [row | {"settlements": json.loads(row["settlements"] or "[]")} for row in page.rows]
    return visit.show(
        "refunds.html", rows=rows, lines=lines, chosen={"status": status or "", "refund": refund}, statuses=STATUSES, more=more_of(page.after)
    )


def orders(visit: Visit) -> Answer:
    """Exchange orders; or only those whose A/R is not zero, which is normally none."""
    open_only = request.args.get("ar") == "open"
    with visit.desk.reading() as connection:
        page = listing.list_orders(connection, open_only=open_only, after=request.args.get("after", ""))
    return visit.show("orders.html", page=page, open_only=open_only, more=more_of(page.after))


def stock(visit: Visit) -> Answer:
    """Balances, and the ledger of a SKU and warehouse."""
    warehouse, sku = request.args.get("warehouse") or None, request.args.get("sku") or None
    with visit.desk.reading() as connection:
        page = listing.list_movements(connection, warehouse=warehouse, sku=sku, after=request.args.get("after", ""))
        balances = listing.list_balances(connection, warehouse=warehouse, sku=sku, after=request.args.get("beyond", ""))
        warehouses = listing.list_warehouses(connection)
    chosen = {"warehouse": warehouse or "", "sku": sku or ""}
    more, further = more_of(page.after), more_of(balances.after, name="beyond")
    return visit.show("stock.html", page=page, balances=balances, chosen=chosen, warehouses=warehouses, more=more, further=further)


def unmet(visit: Visit) -> Answer:
    """Goods credited but not received, or received but not credited."""
    which = request.args.get("which", "credited")
    desk = visit.desk
    with desk.reading() as connection:
        rows = desk.figure(f"unmet.{which}", lambda: (goods.received_now if which == "received" else goods.credited_now)(connection))
    return visit.show("differences.html", rows=rows, which=which)
