"""Where every quantity and amount comes from, to the segment or row of a file or the field of an answer, and what became of it (R-181).

A *figure* is a number somebody may ask about; its *sources* say call and field, or file, place and element. The other way round starts at a file: each of its
receipt lines, with the RA line, decision, calls, stock and credit that it led to. Nothing is worked out anew here: it is what the book kept.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection

from gateway.store import effects, files, ledger, received, returns
from gateway.store.received import HeldReceipt
from gateway.store.returns import HeldAuthorization

LIST = "Loop GET /warehouse/return/list"
REFUND = "Shopify query refund"
CALLS = {
    "loop.process": "POST /warehouse/return/{rma}/process",
    "loop.flag": "POST /warehouse/return/{rma}/flag",
    "loop.remove": "POST /warehouse/return/{rma}/remove",
    "loop.note": "POST /warehouse/return/{rma}/note",
    "loop.grade": "POST /dispositioning/grade",
    "loop.assess": "POST /dispositioning/assess",
}
ELEMENTS = {
    "W07": ("W07-01, less the W13-01 reported damaged inside it", "W13-01 by its condition code"),
    "RCD": ("RCD-02", "RCD-06 by its condition code"),
    "BLI": ("BLI-03", "BLI-03 by its disposition"),
    "LIN": ("QTY", "QVR or QTY by its quality"),
}


def of_return(connection: Connection, rma: str) -> list[dict[str, Any]]:
    """Every figure of a return with its sources: expected, received, not returned, in stock, credited."""
    found: list[dict[str, Any]] = []
    for held in returns.authorizations_of(connection, rma):
        found += _of_authorization(connection, held)
    found += [_of_movement(connection, row) for row in ledger.movements_of(connection, rma)]
    for invoice in ledger.invoices_of(connection, rma):
        found += _of_invoice(connection, invoice)
    return found


def _figure(what: str, value: object, sources: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
    return {"what": what, "value": value, **facts, "sources": sources}


def _of_authorization(connection: Connection, held: HeldAuthorization) -> list[dict[str, Any]]:
    ra, came = held.document, received.receipts_of(connection, held.document.ra)
    rows = {row["sku"]: row for row in returns.lines_of(connection, ra.ra)}
    found = []
    for line in ra.lines:
        row, where = rows[line.sku], {"ra": ra.ra, "sku": line.sku}
        units = [
            {"source": LIST, "field": f"returns[id={ra.rma}].line_items[line_item_id={number}]", "version": ra.version} for number in line.unit_ids
        ]
        found.append(_figure("expected", row["expected"], units, **where))
        found.append(
            _figure("value", f"{line.value + line.tax:.2f} {ra.currency}", [{**unit, "field": f"{unit['field']}.refund"} for unit in units], **where)
        )
        for quality in ("good", "second"):
            sources = [source for receipt in came for source in _of_receipt(connection, receipt, line.sku, quality)]
            if row[quality] or sources:
                found.append(_figure(quality, row[quality], sources, **where))
        if row["not_returned"]:
            found.append(
                _figure(
                    "not returned",
                    row["not_returned"],
                    [{"source": "difference", "field": "expected − good − second, when the return closed"}],
                    **where,
                )
            )
        if row["over"]:
            found.append(_figure("owner unknown", row["over"], [{"source": "difference", "field": "good + second − expected"}], **where))
    return found


def _of_receipt(connection: Connection, held: HeldReceipt, sku: str, quality: str) -> list[dict[str, Any]]:
    file = files.load(connection, held.file_id) if held.file_id else None
    return [
        {
            "source": "file" if file else "person",
            "file": file.name if file else "",
            "file_id": held.file_id,
            "sha256": file.sha256 if file else "",
            "kept_as": file.place if file else "",
            "receipt": held.document.receipt_no,
            "place": f"{held.document.position}, {line.position}",
            "element": element(line.position, quality),
            "value": getattr(line, quality),
        }
        for line in held.document.lines
        if line.sku == sku and getattr(line, quality)
    ]


def element(position: str, quality: str) -> str:
    """Which element or column of a place in a file says a quantity."""
    tag = re.search(r"\((\w{3})\)", position)
    if tag and tag[1] in ELEMENTS:
        return ELEMENTS[tag[1]][quality == "second"]
    return "the row's quantity" if position.startswith("line ") else ""


def _of_movement(connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
    words = re.fullmatch(r"refund (\S+) line (.+)", row["reference"])
    field = f"refund[id={words[1]}].refundLineItems[{words[2]}].quantity" if words else row["reference"]
    sources = [{"source": REFUND if words else "person", "field": field}]
    for held in returns.authorizations_of(connection, row["rma"]) if row["rma"] else []:
        for receipt in received.receipts_of(connection, held.document.ra):
            sources += _of_receipt(connection, receipt, row["sku"], "good") + _of_receipt(connection, receipt, row["sku"], "second")
    return _figure("stock", row["quantity"], sources, warehouse=row["warehouse"], sku=row["sku"], entry=row["id"], cause=row["cause"])


def _of_invoice(connection: Connection, invoice: dict[str, Any]) -> list[dict[str, Any]]:
    refund_id, base = invoice["refund_id"], f"refund[id={invoice['refund_id']}]"
    lines = ledger.lines_of_refund(connection, refund_id)
    where = {"invoice": invoice["number"], "refund": refund_id, "currency": invoice["currency"]}
    fields = {"merchandise": "subtotal", "tax": "totalTax"}
    found = [
        _figure(
            name,
            invoice[name],
            [
                {"source": REFUND, "field": f"{base}.refundLineItems[{line['key']}].{field}", "value": line[name]}
                for line in lines
                if line["imported"]
            ],
            **where,
        )
        for name, field in fields.items()
    ]
    parts = [
        {"source": "credit invoice", "field": name, "value": invoice[name]} for name in ("merchandise", "tax", "shipping", "duties", "adjustment")
    ]
    return [*found, _figure("credit", invoice["total"], [part for part in parts if part["value"] not in ("0.00", "0")], **where)]


def of_file(connection: Connection, file_id: int) -> list[dict[str, Any]]:
    """What became of each receipt line of a file: RA line, decision, calls, stock and credit."""
    return [row for held in received.receipts_in(connection, file_id) for row in _became(connection, held)]


def _became(connection: Connection, held: HeldReceipt) -> list[dict[str, Any]]:
    ra = returns.load_authorization(connection, held.ra) if held.ra else None
    rma = ra.document.rma if ra else ""
    decided = returns.load_decision(connection, rma) if rma else None
    counted = held.state == "applied"
    return [
        {
            "receipt": held.document.receipt_no,
            "place": f"{held.document.position}, {line.position}",
            "sku": line.sku or line.stated,
            "good": line.good,
            "second": line.second,
            "counts": counted,
            "why_not": "" if counted else f"{held.state}: {held.reason}",
            "ra": held.ra or "",
            "ra_line": next((row["line_no"] for row in returns.lines_of(connection, held.ra or "") if row["sku"] == line.sku), None),
            "rma": rma,
            "decision": f"{decided['decision'].verdict.value} ({decided['rule']})" if decided and counted else "",
            "calls": calls(connection, rma) if counted and rma else [],
            "stock": [f"{m['quantity']:+d} {m['sku']} {m['warehouse']} ({m['reference']})" for m in _moved(connection, rma, line.sku) if counted],
            "credit": [f"{i['number']}: {i['total']} {i['currency']}" for i in ledger.invoices_of(connection, rma)] if counted and rma else [],
        }
        for line in held.document.lines
    ]


def _moved(connection: Connection, rma: str, sku: str) -> list[dict[str, Any]]:
    return [row for row in ledger.movements_of(connection, rma) if row["sku"] == sku] if rma else []


def calls(connection: Connection, rma: str) -> list[str]:
    """The calls about a return: method and address, when, how often, and what came of them."""
    found = []
    for effect in effects.of_target(connection, rma):
        if effect.kind not in CALLS:
            continue
        when = f" at {effect.sent_at:%Y-%m-%d %H:%M:%S} UTC" if effect.sent_at else ""
        tries = f"{effect.attempts} attempt" + ("s" if effect.attempts != 1 else "")
        state = effect.state.value.replace("_", " ")
        found.append(f"{CALLS[effect.kind].format(rma=rma)} ({effect.version}){when}: {tries}, {state}, {effect.cause or 'not sent yet'}")
    return found


def in_words(figure: dict[str, Any]) -> str:
    """A figure and its sources in a line."""
    where = " ".join(str(figure[name]) for name in ("ra", "invoice", "warehouse", "sku") if figure.get(name))
    said = "; ".join(_source_in_words(source) for source in figure["sources"]) or "nothing"
    return f"{where} {figure['what']} {figure['value']} ← {said}"


def _source_in_words(source: dict[str, Any]) -> str:
    if source["source"] in ("file", "person") and "receipt" in source:
        place = f"{source['file'] or 'entered by hand'}, {source['place']}"
        return f"{source['value']} from {place}" + (f", {source['element']}" if source["element"] else "")
    value = f" = {source['value']}" if "value" in source else ""
    return f"{source['source']}: {source['field']}{value}"
