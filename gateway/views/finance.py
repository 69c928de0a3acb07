"""The lists that finance works from: exchange orders with open A/R, goods credited but not received, goods received but not credited."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain import money
from gateway.domain.documents import ZERO, Return
from gateway.store import ledger, returns


def open_exchange_orders(connection: Connection) -> list[dict[str, Any]]:
    """Exchange orders whose A/R is not zero; normally none."""
    names = ("order_id", "name", "rma", "original_order", "currency", "merchandise", "tax", "misc_charge", "discount", "collected", "ar")
    return [{name: row[name] for name in names} for row in ledger.orders_within(connection, None, None) if Decimal(row["ar"])]


def credited_not_received(connection: Connection) -> list[dict[str, Any]]:
    """Goods credited that no receipt has: by RMA and SKU with units and value; items the shopper keeps are not among them."""
    found = [row for held in returns.list_returns(connection) for row in _beyond_receipts(connection, held.document)]
    return found + list(_restocked_without_return(connection))


def _beyond_receipts(connection: Connection, rma: Return) -> Iterator[dict[str, Any]]:
    expected, come = _goods(connection, rma.rma)
    kept: dict[str, int] = {}
    for unit in rma.units:
        kept[unit.sku] = kept.get(unit.sku, 0) + 1
    for sku, (units, value, currency) in _credited(connection, rma.rma).items():
        at_home = max(kept.get(sku, 0) - expected.get(sku, 0), 0)
        beyond = units - at_home - come.get(sku, 0)
        if beyond > 0:
            yield _row(rma, sku, beyond, value / units, currency, f"{units} credited, {come.get(sku, 0)} received")


def _restocked_without_return(connection: Connection) -> Iterator[dict[str, Any]]:
    """Refunds made in Shopify that put goods back without any return."""
    for refund in ledger.refunds_of_return(connection, ""):
        if refund["status"] != "imported":
            continue
        for line in ledger.lines_of_refund(connection, refund["refund_id"]):
            if line["imported"] and line["restock_type"] == "RETURN" and line["goods"] == "merchandise":
                value = Decimal(line["merchandise"]) + Decimal(line["tax"])
                yield {
                    "rma": "",
                    "order": refund["order_name"],
                    "refund_id": refund["refund_id"],
                    "sku": line["sku"],
                    "units": line["imported"],
                    "value": money.text(value, refund["currency"]),
                    "currency": refund["currency"],
                    "why": "refunded in Shopify without a return",
                }


def received_not_credited(connection: Connection) -> list[dict[str, Any]]:
    """Goods received that no refund has credited yet: by RMA and SKU with units and value at what the shopper paid."""
    found = []
    for held in returns.list_returns(connection):
        rma = held.document
        _, come = _goods(connection, rma.rma)
        credited = _credited(connection, rma.rma)
        worth = {unit.sku: unit.value for unit in rma.units}
        for sku, units in come.items():
            open_units = units - credited.get(sku, (0, ZERO, ""))[0]
            if open_units > 0:
                found.append(_row(rma, sku, open_units, worth.get(sku, ZERO), rma.currency, f"{units} received, {rma.state} in Loop"))
    return found


def _row(rma: Return, sku: str, units: int, each: Decimal, currency: str, why: str) -> dict[str, Any]:
    value = money.text(each * units, currency)
    return {"rma": rma.rma, "order": rma.order_name, "refund_id": "", "sku": sku, "units": units, "value": value, "currency": currency, "why": why}


def _goods(connection: Connection, rma: str) -> tuple[dict[str, int], dict[str, int]]:
    """Units authorized, and units received, by SKU."""
    expected: dict[str, int] = {}
    come: dict[str, int] = {}
    for ra in returns.authorizations_of(connection, rma):
        for line in returns.lines_of(connection, ra.document.ra):
            expected[line["sku"]] = expected.get(line["sku"], 0) + line["expected"]
            come[line["sku"]] = come.get(line["sku"], 0) + line["good"] + line["second"]
    return expected, {sku: units for sku, units in come.items() if units}


def _credited(connection: Connection, rma: str) -> dict[str, tuple[int, Decimal, str]]:
    """Units and value credited by the refunds of a return, by SKU."""
    found: dict[str, tuple[int, Decimal, str]] = {}
    for refund in ledger.refunds_of_return(connection, rma):
        if refund["status"] != "imported":
            continue
        for line in ledger.lines_of_refund(connection, refund["refund_id"]):
            units, value, _ = found.get(line["sku"], (0, ZERO, ""))
            if line["imported"]:
                value += Decimal(line["merchandise"]) + Decimal(line["tax"])
                found[line["sku"]] = (units + line["imported"], value, refund["currency"])
    return found
