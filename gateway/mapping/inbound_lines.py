"""Receipts out of an 861 and out of a 180 that answers ours (x12 sections 7.4 and 7.5)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue
from gateway.edi import dictionary
from gateway.edi.x12 import Segment, TransactionSet
from gateway.errors import PermanentError
from gateway.mapping.inbound_parts import ReadReceipt, ReceiptFault, fault_at, good_of, line_of, meaning_fault, pieces, unit_fault
from gateway.mapping.inbound_places import Stated, identifiers, receipt_of
from gateway.mapping.profile_parts import Read180, Read861
from gateway.mapping.profiles import Profile

IN_QUESTION = (6, 9, 12, 15, 18)  # RCD: five times quantity, unit, condition
LIN_PAIRS = tuple(range(2, 31, 2))
BLI_PAIRS = (1, 8, 10, 12)
ORIGINAL_OR_AGAIN = frozenset({"", "00", "05", "06", "07", "11"})  # BRA03: the others cancel, request or delete


def _ends(
    read: Callable[[TransactionSet, Profile, Catalogue, str], Receipt], document: TransactionSet, profile: Profile, catalogue: Catalogue
) -> ReadReceipt:
    """What reading comes to: a receipt, or the fault that ended it."""
    position = f"set {document.ordinal} ({document.set_id} {document.control})"
    try:
        return ReadReceipt(receipt=read(document, profile, catalogue, position), position=position)
    except ReceiptFault as fault:
        return ReadReceipt(receipt=None, faults=(fault.finding,), position=position)


def to_receipt_861(document: TransactionSet, *, profile: Profile, catalogue: Catalogue) -> ReadReceipt:
    """A receipt from an 861 whose syntax was accepted."""
    return _ends(_read_861, document, profile, catalogue)


def to_receipt_180(document: TransactionSet, *, profile: Profile, catalogue: Catalogue) -> ReadReceipt:
    """A receipt from a 180 whose syntax was accepted."""
    return _ends(_read_180, document, profile, catalogue)


def _read_861(document: TransactionSet, profile: Profile, catalogue: Catalogue, position: str) -> Receipt:
    rules = profile.receive.x12_861
    if rules is None:
        raise PermanentError(f"{profile.partner} is not set up for 861 receipts: add [receive.x12_861] to its profile")
    head = next((s for s in document.segments if s.tag == "BRA"), document.segments[0])
    if head.get(3) not in ORIGINAL_OR_AGAIN:
        raise fault_at(
            "receipt.cancelled",
            f"BRA-03 is {head.get(3)} ({dictionary.code_meaning('353', head.get(3)) or 'not a receipt'}): the document does not report goods",
            "to take back a receipt, ask for a correction instead",
            at=head,
            element=3,
            value=head.get(3),
        )
    lines = [_line_861(item, rules, profile=profile, catalogue=catalogue) for item in _items(document, "RCD")]
    return receipt_of(rules, Stated(document.segments), lines, partner=profile.partner, position=position, head=head)


def _items(document: TransactionSet, opening: str) -> list[list[Segment]]:
    """The lines of a document: each opening segment with what follows it, up to the next one or the summary."""
    items: list[list[Segment]] = []
    for segment in document.segments:
        if segment.tag == opening:
            items.append([segment])
        elif segment.tag in ("CTT", "SE"):
            break
        elif items:
            items[-1].append(segment)
    return items


def _line_861(item: list[Segment], rules: Read861, *, profile: Profile, catalogue: Catalogue) -> ReceiptLine:
    head = item[0]
    partner = profile.partner
    received = pieces(head.get(2) or "0", at=head, element=2) * _factor(head, 3, rules.units, part="receive.x12_861", partner=partner)
    counts: dict[str, int] = {}
    words = ""
    for at in IN_QUESTION:
        quantity, code = head.get(at), head.get(at + 2)
        if not quantity and not code:
            continue
        meaning = rules.conditions.get(code)
        if meaning is None:
            choices = "good|second|short|over|ignore"
            raise meaning_fault(code, "condition code", choices, part="receive.x12_861.conditions", partner=partner, at=(head, at + 2))
        units = pieces(quantity, at=head, element=at) * _factor(head, at + 1, rules.units, part="receive.x12_861", partner=partner)
        counts[meaning] = counts.get(meaning, 0) + units
        if meaning == "second":
            words = (dictionary.code_meaning("412", code) or f"condition {code}").lower()
    _returned(head, rules, counts, partner)
    return _settled_861(item, counts | {"received": received}, rules, words, profile, catalogue)


def _returned(head: Segment, rules: Read861, counts: dict[str, int], partner: str) -> None:
    """RCD-04: units that the receiver sent back; the standard does not say whether they came into the warehouse, so the profile must."""
    if not head.get(4):
        return
    if rules.returned is None:
        raise fault_at(
            "receipt.returned",
            f"RCD-04 says that {head.get(4)} units were returned, and {partner}'s profile does not say what becomes of them",
            'ask the partner, set returned = "short|second|ignore" under [receive.x12_861], and replay',
            at=head,
            element=4,
            value=head.get(4),
        )
    units = pieces(head.get(4), at=head, element=4) * _factor(head, 5, rules.units, part="receive.x12_861", partner=partner)
    counts[rules.returned] = counts.get(rules.returned, 0) + units


def _factor(head: Segment, element: int, units: dict[str, int], *, part: str, partner: str) -> int:
    unit = head.components(element)[0]
    factor = units.get(unit)
    if factor is None:
        raise unit_fault(unit, units, part=part, partner=partner, at=head, element=element)
    return factor


def _settled_861(item: list[Segment], counts: dict[str, int], rules: Read861, words: str, profile: Profile, catalogue: Catalogue) -> ReceiptLine:
    head = item[0]
    pairs = [(s.get(at), s.get(at + 1)) for s in item if s.tag == "LIN" for at in LIN_PAIRS]
    stated = identifiers(pairs, rules.items)
    if not stated:
        raise fault_at("receipt.item", "the line names no item (LIN after RCD)", "send the line with its SKU or UPC", at=head)
    good = good_of(counts["received"], counts.get("second", 0), rules.damaged_quantity, partner=profile.partner, at=head, element=2)
    if rules.damaged_quantity == "on_top":  # units in question that are good after all (06, 07, 13, 14) come on top as well
        good += counts.get("good", 0)
    told = counts | {"good": good}
    return line_of(stated, told, partner=profile.partner, catalogue=catalogue, condition=plain(words), position=f"segment {head.ordinal} (RCD)")


def plain(words: str) -> str:
    """The condition in the shortest words a returns desk uses."""
    return "damaged" if words.startswith("damaged") else words


def _read_180(document: TransactionSet, profile: Profile, catalogue: Catalogue, position: str) -> Receipt:
    rules = profile.receive.x12_180
    if rules is None:
        raise PermanentError(f"{profile.partner} is not set up for 180 receipts: add [receive.x12_180] to its profile")
    head = next((s for s in document.segments if s.tag == "BGN"), document.segments[0])
    if head.get(1) not in rules.purposes:
        raise fault_at(
            "receipt.purpose",
            f"BGN-01 is {head.get(1)}, which is no answer that tells of goods ({', '.join(rules.purposes)} are)",
            "if the partner means a receipt by it, add it to purposes under [receive.x12_180] and replay",
            at=head,
            element=1,
            value=head.get(1),
        )
    lines = [_line_180(item, rules, profile=profile, catalogue=catalogue) for item in _items(document, "BLI")]
    return receipt_of(rules, Stated(document.segments), lines, partner=profile.partner, position=position, head=head)


def _line_180(item: list[Segment], rules: Read180, *, profile: Profile, catalogue: Catalogue) -> ReceiptLine:
    head, partner = item[0], profile.partner
    factor = _factor(head, 4, rules.units, part="receive.x12_180", partner=partner)
    counts = _counted(item, rules, partner)
    quality = _disposition(item, rules, partner)
    if rules.damaged_quantity == "listed" and not counts:
        raise fault_at("receipt.quantity", "the line has no QTY that says what came", "send QTY for each line, or change damaged_quantity", at=head)
    received = counts.pop("received", None)
    if received is None and rules.damaged_quantity != "listed":
        received = pieces(head.get(3), at=head, element=3) * factor
    if received is not None and quality == "second" and not counts.get("second"):
        counts["second"], received = received, received if rules.damaged_quantity == "included" else 0
    if received is not None:
        sense = "included" if rules.damaged_quantity == "listed" else rules.damaged_quantity
        _agree(counts, received, sense, head)
        counts["good"] = good_of(received, counts.get("second", 0), sense, partner=partner, at=head, element=3)
    stated = identifiers([(head.get(at), head.get(at + 1)) for at in BLI_PAIRS], rules.items)
    if not stated:
        raise fault_at("receipt.item", "the line names no item (BLI-01 to BLI-13)", "send the line with its SKU or UPC", at=head)
    condition = "second quality" if counts.get("second") else ""
    return line_of(stated, counts, partner=partner, catalogue=catalogue, condition=condition, position=f"segment {head.ordinal} (BLI)")


def _agree(counts: dict[str, int], received: int, sense: str, head: Segment) -> None:
    """A line that counts its good units and what came must agree with itself."""
    good, second = counts.get("good"), counts.get("second", 0)
    expected = received - second if sense == "included" else received
    if good is not None and good != expected:
        raise fault_at(
            "receipt.total",
            f"the line has {good} good and {second} damaged units, but says {received} received",
            "correct the quantities and send the document again",
            at=head,
        )


def _counted(item: list[Segment], rules: Read180, partner: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for segment in item:
        if segment.tag != "QTY":
            continue
        meaning = rules.quantities.get(segment.get(1))
        if meaning is None:
            choices, part = "received|good|second|short|announced|ignore", "receive.x12_180.quantities"
            raise meaning_fault(segment.get(1), "quantity code", choices, part=part, partner=partner, at=(segment, 1))
        if meaning not in ("announced", "ignore"):
            unit = segment.components(3)[0]
            factor = rules.units.get(unit) if unit else 1
            if factor is None:
                raise unit_fault(unit, rules.units, part="receive.x12_180", partner=partner, at=segment, element=3)
            counts[meaning] = counts.get(meaning, 0) + pieces(segment.get(2), at=segment, element=2) * factor
    return counts


def _disposition(item: list[Segment], rules: Read180, partner: str) -> str:
    """What RDR-01 of the line makes of its units; a code without a meaning stops the document."""
    for segment in item:
        if segment.tag == "RDR" and segment.get(1):
            meaning = rules.dispositions.get(segment.get(1))
            if meaning is None:
                part = "receive.x12_180.dispositions"
                raise meaning_fault(segment.get(1), "disposition", "good|second|ignore", part=part, partner=partner, at=(segment, 1))
            if meaning != "ignore":
                return meaning
    return ""
