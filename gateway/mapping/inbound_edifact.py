"""Receipts out of a RECADV (edifact section 3).

A line has several QTY: what was announced, what came, and what of it is not good. Whether the received quantity contains the damaged units is asked, never
assumed. A CDI without a quantity speaks of the whole line. A QVR is a difference: it is compared with what the QTY say, and counts only where they say
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue
from gateway.edi import edifact_tables
from gateway.edi.edifact import Message, Segment
from gateway.errors import PermanentError
from gateway.mapping.inbound_parts import ReadReceipt, ReceiptFault, fault_at, good_of, line_of, meaning_fault, pieces, unit_fault, whole_number
from gateway.mapping.inbound_places import Stated, identifiers, receipt_of
from gateway.mapping.profile_parts import ReadRecadv
from gateway.mapping.profiles import Profile

ORIGINAL_OR_AGAIN = frozenset({"", "5", "7", "9", "31"})  # BGM 1225: original, replace, duplicate, copy; 1 cancels
PIA_PAIRS = range(2, 7)


def to_receipt(message: Message, *, profile: Profile, catalogue: Catalogue) -> ReadReceipt:
    """A receipt from a RECADV whose syntax was accepted."""
    rules = profile.receive.recadv
    position = f"message {message.ordinal} ({message.message_type} {message.control})"
    if rules is None:
        raise PermanentError(f"{profile.partner} is not set up for RECADV: add [receive.recadv] to its profile")
    try:
        receipt = _read(message, rules, profile, catalogue, position)
    except ReceiptFault as fault:
        return ReadReceipt(receipt=None, faults=(fault.finding,), position=position)
    return ReadReceipt(receipt=receipt, position=position)


def _read(message: Message, rules: ReadRecadv, profile: Profile, catalogue: Catalogue, position: str) -> Receipt:
    head = next((s for s in message.segments if s.tag == "BGM"), message.segments[0])
    if head.get(3) not in ORIGINAL_OR_AGAIN:
        words = edifact_tables.code_meaning("1225", head.get(3)) or "not a receipt"
        raise fault_at(
            "receipt.cancelled",
            f"BGM 1225 is {head.get(3)} ({words}): the document does not report goods",
            "to take back a receipt, ask for a correction instead",
            at=head,
            element=3,
            value=head.get(3),
        )
    items = items_of(message)
    lines = [_Line(item, rules, profile.partner).read(catalogue) for item in items]
    _check_total(message, items, rules)
    return receipt_of(rules, Stated(message.segments), lines, partner=profile.partner, position=position, head=head)


def items_of(message: Message) -> list[list[Segment]]:
    """The lines: each LIN with what follows it, up to the next one, the next CPS or the summary."""
    items: list[list[Segment]] = []
    inside = False
    for segment in message.segments:
        if segment.tag == "LIN":
            items.append([segment])
            inside = True
        elif segment.tag in ("CPS", "CNT", "UNS", "UNT"):
            inside = False
        elif inside:
            items[-1].append(segment)
    return items


def item_numbers(item: list[Segment], items: tuple[str, ...]) -> list[str]:
    """The item numbers of a line: LIN's own and those of its PIA."""
    pairs = [(item[0].get(3, 2), item[0].get(3))]
    pairs += [(s.get(at, 2), s.get(at)) for s in item if s.tag == "PIA" for at in PIA_PAIRS]
    return identifiers(pairs, items)


def _check_total(message: Message, items: list[list[Segment]], rules: ReadRecadv) -> None:
    """CNT+2 is the number of lines, CNT+1 the sum of their quantities (6069)."""
    for segment in message.segments:
        if segment.tag == "CNT" and segment.get(1) == "2" and rules.check_total:
            stated = whole_number(segment.get(1, 2))
            if stated != len(items):
                raise fault_at(
                    "receipt.total",
                    f"there are {len(items)} lines, total says {segment.get(1, 2)}",
                    "correct the lines or the total (CNT) and drop the file again; nothing of this receipt was applied",
                    at=segment,
                    element=1,
                    value=segment.get(1, 2),
                )


@dataclass(slots=True)
class _Line:
    """One LIN while it is read."""

    item: list[Segment]
    rules: ReadRecadv
    partner: str
    counts: dict[str, int] = field(default_factory=dict)

    def read(self, catalogue: Catalogue) -> ReceiptLine:
        head = self.item[0]
        for segment in self.item:
            if segment.tag == "QTY":
                self._count(segment)
        state = self._state()
        self._differences(state)
        counts = self._settled(state, head)
        stated = item_numbers(self.item, self.rules.items)
        if not stated:
            raise fault_at("receipt.item", "the line names no item (LIN C212, PIA)", "send the line with its item number", at=head, element=3)
        condition = "damaged" if counts.get("second") else ""
        where = f"segment {head.ordinal} (LIN)"
        return line_of(stated, counts, partner=self.partner, catalogue=catalogue, condition=condition, position=where)

    def _count(self, segment: Segment) -> None:
        code, text, unit = (segment.get(1, at) for at in (1, 2, 3))
        meaning = self.rules.quantities.get(code)
        if meaning is None:
            choices, part = "received|good|second|short|announced|ignore", "receive.recadv.quantities"
            raise meaning_fault(code, "quantity code", choices, part=part, partner=self.partner, at=(segment, 1))
        if meaning == "ignore":
            return
        factor = self.rules.units.get(unit)
        if factor is None:
            raise unit_fault(unit, self.rules.units, part="receive.recadv", partner=self.partner, at=segment, element=1)
        self.counts[meaning] = self.counts.get(meaning, 0) + pieces(text.replace(",", "."), at=segment, element=1) * factor

    def _state(self) -> str:
        """What the CDI say of the whole line: anything that is not good weighs most."""
        found = set()
        for segment in self.item:
            if segment.tag == "CDI":
                code = segment.get(2)
                meaning = self.rules.states.get(code)
                if meaning is None:
                    choices = "good|second|short|ignore"
                    raise meaning_fault(code, "state (CDI)", choices, part="receive.recadv.states", partner=self.partner, at=(segment, 2))
                found.add(meaning)
        return next((meaning for meaning in ("second", "short", "good") if meaning in found), "")

    def _differences(self, state: str) -> None:
        """QVR counts where no QTY or CDI did, and must not say otherwise."""
        for segment in self.item:
            code = segment.get(2)
            if segment.tag != "QVR" or not code:
                continue
            meaning = self.rules.discrepancies.get(code)
            if meaning is None:
                part = "receive.recadv.discrepancies"
                raise meaning_fault(code, "difference (QVR)", "second|short|ignore", part=part, partner=self.partner, at=(segment, 2))
            units = abs(whole_number(segment.get(1)) or 0)
            if meaning == "ignore" or not units:
                continue
            counted = self.counts.setdefault(meaning, units) if state != meaning or meaning == "short" else self.counts.get(meaning, units)
            if counted != units:
                message = f"QVR says {units} {meaning}, the quantities say {counted}"
                raise fault_at("receipt.total", message, "correct the quantities and send the document again", at=segment, element=1)

    def _settled(self, state: str, head: Segment) -> dict[str, int]:
        """Good, second and short units of the line, from what was received or accepted."""
        received, good = self.counts.get("received"), self.counts.get("good")
        second = self.counts.get("second")
        if received is None and good is None and second is None:
            raise fault_at("receipt.quantity", "the line has no QTY that says what came (48, 46 or 194)", "send the received quantity", at=head)
        if received is None:
            return {"good": good or 0, "second": second or 0, "short": self.counts.get("short", 0)}
        if second is None:
            second = received if state == "second" else 0
            kept = received - second
        else:
            kept = good_of(received, second, self.rules.damaged_quantity, partner=self.partner, at=head, element=1)
        if good is not None and good != kept:
            message = f"the line has {good} accepted and {second} damaged units, but says {received} received"
            raise fault_at("receipt.total", message, "correct the quantities and send the document again", at=head)
        missing = self.counts.get("announced", 0) if state == "short" and not received else 0
        return {"good": kept, "second": second, "short": self.counts.get("short", missing)}
