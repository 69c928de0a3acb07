"""Which reader a document goes to, and what a whole file comes to by a profile alone.

`say` reads a file the way the intake does, without a book: receipts, stock reports and faults as plain data. The cases beside a profile and the golden
files of the tests are compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from gateway.domain.documents import Receipt, StockReport
from gateway.domain.items import Catalogue
from gateway.edi import edifact, x12
from gateway.edi.syntax import Finding, Severity
from gateway.mapping import inbound, inbound_edifact, inbound_flat, inbound_lines, snapshots
from gateway.mapping.inbound_flat import ReadFile
from gateway.mapping.inbound_parts import ReadReceipt, ReceiptFault
from gateway.mapping.profiles import Profile

X12_RECEIPTS: dict[str, Callable[..., ReadReceipt]] = {
    "944": inbound.to_receipt,
    "861": inbound_lines.to_receipt_861,
    "180": inbound_lines.to_receipt_180,
}
X12_STOCK = frozenset({"846", "947"})
FLAT: dict[str, Callable[..., ReadFile]] = {"csv": inbound_flat.read_csv, "fixed": inbound_flat.read_fixed, "xlsx": inbound_flat.read_xlsx}
SPREADSHEET_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def flat_kind(head: bytes, kind: str, profile: Profile) -> str | None:
    """Which of the partner's flat layouts a file that begins like this has; none when the partner has no such."""
    receive = profile.receive
    if kind in ("x12", "edifact", "empty"):
        return None
    if receive.xlsx_receipt and (head.startswith(SPREADSHEET_STARTS) or not (receive.csv_receipt or receive.fixed_receipt)):
        return "xlsx"
    if kind != "text":
        return None
    return "fixed" if receive.fixed_receipt else "csv" if receive.csv_receipt else None


def strictness_of(profile: Profile) -> x12.Strictness:
    """What the partner is forgiven and what it is not."""
    return x12.Strictness(waived=frozenset(profile.receive.waived), raised=frozenset(profile.receive.raised))


def say(content: bytes, *, profile: Profile, catalogue: Catalogue, today: date) -> list[dict[str, Any]]:
    """What a file comes to, in its order."""
    kind = x12.sniff(content[:4096])
    flat = flat_kind(content[:4096], kind, profile)
    if flat:
        found = FLAT[flat]([content], profile=profile, catalogue=catalogue, today=today)
        return [*map(_fault, found.faults), *(entry for one in found.receipts for entry in _read(one))]
    if kind == "x12" and profile.x12:
        return list(_say_x12(content, profile, catalogue))
    if kind == "edifact" and profile.edifact:
        return list(_say_edifact(content, profile, catalogue))
    return [{"fault": "file.not-usable", "where": "the first bytes", "message": f"The file is {kind}, which the profile does not take."}]


def _say_x12(content: bytes, profile: Profile, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    for event in x12.read_sets([content], strictness=strictness_of(profile)):
        yield from _faults(event)
        if isinstance(event, x12.TransactionSet) and event.accepted:
            if event.set_id in profile.receive.x12:
                yield from _read(X12_RECEIPTS[event.set_id](event, profile=profile, catalogue=catalogue))
            elif event.set_id in X12_STOCK and profile.receive.stock:
                yield _stock(snapshots.to_snapshot(event, profile=profile, catalogue=catalogue))
            else:
                yield {"document": event.set_id, "control": event.control}


def _say_edifact(content: bytes, profile: Profile, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    for event in edifact.read_messages([content], strictness=strictness_of(profile)):
        yield from _faults(event)
        if isinstance(event, edifact.Message) and event.accepted:
            if event.message_type == "RECADV" and profile.receive.recadv:
                yield from _read(inbound_edifact.to_receipt(event, profile=profile, catalogue=catalogue))
            elif event.message_type == "INVRPT" and profile.receive.stock:
                yield _stock(snapshots.to_snapshot(event, profile=profile, catalogue=catalogue))
            else:
                yield {"document": event.message_type, "control": event.control}


def _faults(event: Any) -> list[dict[str, Any]]:
    findings = [event.finding] if isinstance(event, x12.FileFinding) else getattr(event, "findings", ())
    return [_fault(finding) for finding in findings if finding.severity == Severity.ERROR]


def _fault(finding: Finding) -> dict[str, Any]:
    return {"fault": finding.code, "where": finding.where(), "message": finding.message}


def _read(found: ReadReceipt) -> list[dict[str, Any]]:
    return [_receipt(found.receipt)] if found.receipt else [_fault(fault) for fault in found.faults]


def _receipt(receipt: Receipt) -> dict[str, Any]:
    lines = [
        {"stated": line.stated, "sku": line.sku, "good": line.good, "second": line.second, "missing": line.missing, "where": line.position}
        for line in receipt.lines
    ]
    return {
        "receipt": receipt.receipt_no,
        "ra": receipt.ra_reference,
        "received_on": str(receipt.received_on),
        "final": receipt.final,
        "warehouse": receipt.warehouse,
        "lines": lines,
    }


def _stock(found: StockReport | ReceiptFault) -> dict[str, Any]:
    if isinstance(found, ReceiptFault):
        return _fault(found.finding)
    lines = [
        {"stated": line.stated, "sku": line.sku, "quality": line.quality, "quantity": line.quantity, "reason": line.reason} for line in found.lines
    ]
    return {"stock": found.kind, "number": found.number, "reported_on": str(found.reported_on), "warehouse": found.warehouse, "lines": lines}
