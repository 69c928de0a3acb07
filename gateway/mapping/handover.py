"""Files for an ERP: credit invoices, stock movements, exchange orders, as CSV and XLSX by the layout of docs/erp.md.

Every file ends with control rows (`TOTAL`), one per currency or one for units: how many rows there are and what their amounts add up to. CSV amounts are
decimal text at the currency's minor unit; a spreadsheet holds them as numbers shown with those places. Text that a spreadsheet would take for a formula
is written as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.domain import money

CREDITS = (
    *("row", "invoice", "refund_id", "order", "order_id", "rma", "made_at", "line", "sku", "quantity", "net", "tax", "gross", "currency"),
    *("restock_type", "goods", "warehouses", "kind", "gateway", "shopper_currency", "shopper_gross"),
)
STOCK = ("row", "entry", "posted_at", "warehouse", "quality", "sku", "quantity", "cause", "reference", "rma", "remark", "actor")
ORDERS = (
    *("row", "order", "order_id", "rma", "original_order", "imported_at", "currency", "merchandise", "tax", "shipping", "misc_charge", "misc_label"),
    *("discount", "collected", "ar", "matched_by", "shopper_currency", "shopper_total"),
)
LAYOUTS: dict[str, Sequence[str]] = {"CREDITS": CREDITS, "STOCK": STOCK, "ORDERS": ORDERS}
AMOUNTS = frozenset(
    {"net", "tax", "gross", "merchandise", "shipping", "misc_charge", "discount", "collected", "ar", "shopper_gross", "shopper_total"}
)
COUNTS = frozenset({"quantity", "entry"})
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


def with_totals(kind: str, rows: Sequence[Row]) -> list[Row]:
    """The rows with their control rows: count of rows, units, and amounts by currency; settlement rows say how, and are not counted as amounts."""
    if kind == "STOCK":
        return [*rows, {"row": "TOTAL", "entry": len(rows), "quantity": sum(int(row["quantity"]) for row in rows)}]
    counted = [row for row in rows if row["row"] in ("LINE", "ORDER")]
    names = [name for name in LAYOUTS[kind] if name in AMOUNTS and not name.startswith("shopper")]
    totals = []
    for currency in sorted({str(row["currency"]) for row in rows}):
        mine = [row for row in counted if row["currency"] == currency]
        sums = {name: money.text(money.total(Decimal(row[name]) for row in mine), currency) for name in names}
        control = {"row": "TOTAL", "currency": currency, "line" if kind == "CREDITS" else "order": sum(row["currency"] == currency for row in rows)}
        if kind == "CREDITS":
            control["quantity"] = sum(int(row["quantity"] or 0) for row in mine)
        totals.append(control | sums)
    return [*rows, *totals]


def to_csv(kind: str, rows: Sequence[Row]) -> bytes:
    """A CSV file in UTF-8 with a header, comma and CR LF (RFC 4180)."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(LAYOUTS[kind]), restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in with_totals(kind, rows):
        writer.writerow({name: _plain(name, value) for name, value in row.items()})
    return out.getvalue().encode()


def _plain(name: str, value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and name not in AMOUNTS | COUNTS else text


def to_xlsx(kind: str, rows: Sequence[Row]) -> bytes:
    """A spreadsheet with one sheet of the same rows: header frozen, amounts and units as numbers, everything else as text."""
    import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet(kind.title())
    head = book.add_format({"bold": True})
    shown = {places: book.add_format({"num_format": "0" + ("." + "0" * places if places else "")}) for places in (0, 2, 3)}
    sheet.write_row(0, 0, LAYOUTS[kind], head)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(with_totals(kind, rows), start=1):
        for place, name in enumerate(LAYOUTS[kind]):
            value = row.get(name)
            if value in (None, ""):
                continue
            if name in AMOUNTS:
                currency = row["shopper_currency"] if name.startswith("shopper") else row["currency"]
                sheet.write_number(number, place, float(Decimal(value)), shown[money.places(str(currency))])
            elif name in COUNTS:
                sheet.write_number(number, place, int(value), shown[0])
            else:
                sheet.write_string(number, place, str(value))
    book.close()
    return out.getvalue()
