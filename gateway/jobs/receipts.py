"""Receipts brought to their RAs: recorded once, matched now or later, asked about when they make no sense.

The same receipt (partner, number, lines) is recorded once whatever envelope it comes in; the same number with other lines waits for a person. Order of
arrival does not matter: a receipt before its RA waits for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway.domain import lifecycle, matching
from gateway.domain.documents import Receipt, ReceiptLine
from gateway.jobs import recounting, rehearsing
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading
from gateway.store import database, events, received, returns, workqueue
from gateway.store.received import HeldReceipt
from gateway.store.returns import HeldAuthorization

HELD_ADVICE = "ask the warehouse which one is right; `gateway correct` replaces the first one"
MOST_PENDING = 100  # receipts that are recorded together


class _New(NamedTuple):
    """A receipt that is to be recorded, the RA it was found to be for, and what makes it the same as another of its number."""

    receipt: Receipt
    ra: HeldAuthorization | None
    key: str

    @property
    def state(self) -> tuple[str, str]:
        """The state of its row, and why it is in it."""
        if self.ra:
            return "applied", ""
        return ("waiting", "RA not known yet") if self.receipt.ra_reference else ("unmatched", "the receipt names no RA")

    def row(self, *, file_id: int, at: datetime) -> dict[str, Any]:
        """It as it is written."""
        state, reason = self.state
        ra = self.ra.document.ra if self.ra else None
        return received.row_of(self.receipt, content_key=self.key, ra=ra, state=state, reason=reason, file_id=file_id, at=at)


def take_receipt(ctx: Context, connection: Connection, reading: Reading, receipt: Receipt, *, listed_only: bool = False) -> None:
    """Take a receipt that was read; it is recorded together with those read next to it (`record_pending`)."""
    if reading.recorded:
        return
    reading.pending.append((receipt, listed_only))
    if len(reading.pending) >= MOST_PENDING:
        record_pending(ctx, connection, reading)


def record_pending(ctx: Context, connection: Connection, reading: Reading) -> None:
    """Record the receipts that were taken and bring them to their RAs; one that was recorded before is not added again (R-075)."""
    pending = reading.pending.copy()
    reading.pending.clear()
    while pending:
        del pending[: _record_some(ctx, connection, reading, pending)]


def _record_some(ctx: Context, connection: Connection, reading: Reading, pending: Sequence[tuple[Receipt, bool]]) -> int:
    """Record the first of the receipts, as many as do not depend on one another; how many were done with."""
    together = _of_different_numbers(pending)
    partner = reading.profile.partner
    ras = returns.authorizations_named(connection, {text for receipt, _ in together for text in receipt.references})
    namesakes = received.receipts_numbered_any(connection, partner=partner, numbers={receipt.receipt_no for receipt, _ in together})
    new: list[_New] = []
    for place, (found, listed_only) in enumerate(together):
        receipt, ra = found, returns.named_by(found.references, ras, partner=partner)
        if listed_only and ra:
            receipt = _fill_absent(receipt, ra)
        if rehearsing.is_rehearsal(ctx, reading.file):
            rehearsing.rehearse(ctx, connection, reading, receipt, ra, key=content_key(receipt, test=True))
            continue
        if ra is None:
            ra, receipt = _elsewhere(ctx, receipt, ras)
        one = _New(receipt, ra, content_key(receipt))
        same_number = [r for r in namesakes.get(receipt.receipt_no, ()) if r.state not in ("reversed", "test")]
        corrected = [r for r in same_number if r.document.ra_reference == receipt.ra_reference and r.state != "held"]
        same = next((r for r in same_number if content_key(r.document) == one.key), None)
        if same:
            _meet_again(reading, same, receipt)
        elif not corrected:
            new.append(one)
        elif new:  # what was decided may change with a correction: it is looked at anew when the ones before it are recorded
            _record(ctx, connection, reading, new)
            return place
        else:
            _correct(ctx, connection, reading, one, corrected)
            return place + 1
    _record(ctx, connection, reading, new)
    return len(together)


def _meet_again(reading: Reading, known: HeldReceipt, receipt: Receipt) -> None:
    """A receipt that was recorded before: by this file, when its reading was broken off, or else it is a duplicate."""
    if known.file_id != reading.file.id or known.id > reading.broken_off_at:
        _say_duplicate(reading, receipt)
    elif known.state == "held":
        _tell_held(reading, known.document, known.reason)
    else:
        reading.applied += 1


def _of_different_numbers(pending: Sequence[tuple[Receipt, bool]]) -> Sequence[tuple[Receipt, bool]]:
    seen: set[str] = set()
    for place, (receipt, _) in enumerate(pending):
        if receipt.receipt_no in seen:
            return pending[:place]
        seen.add(receipt.receipt_no)
    return pending


def _correct(ctx: Context, connection: Connection, reading: Reading, one: _New, corrected: Sequence[HeldReceipt]) -> None:
    """The same number with other lines: held for a person, or in the place of the one before, as the profile says."""
    if reading.profile.receive.corrections == "hold":
        _hold_correction(ctx, connection, reading, one.receipt, one.key)
        return
    for r in corrected:
        received.set_receipt(connection, r.id, state="reversed", reason=f"replaced by {reading.file.name}")
    _record(ctx, connection, reading, [one], replaces=True)


def _say_duplicate(reading: Reading, receipt: Receipt) -> None:
    reading.duplicates.append(f"duplicate receipt: {receipt.receipt_no} for {receipt.ra_reference} was recorded before")


def _elsewhere(ctx: Context, receipt: Receipt, ras: Mapping[str, Sequence[HeldAuthorization]]) -> tuple[HeldAuthorization | None, Receipt]:
    """Goods that another partner was to receive: the RA is found, and the receipt says in which warehouse they really are (R-092 WAREHOUSE_MISMATCH)."""
    ra = returns.named_by(receipt.references, ras, partner=None)
    if ra is None or receipt.warehouse:
        return ra, receipt
    own = [w.code for w in ctx.places.warehouses.values() if w.partner == receipt.partner]
    return ra, replace(receipt, warehouse=own[0] if own else receipt.partner)


def _record(ctx: Context, connection: Connection, reading: Reading, new: Sequence[_New], *, replaces: bool = False) -> None:
    """Write the rows of receipts, and bring each to its RA."""
    written = received.add_receipts(connection, [one.row(file_id=reading.file.id, at=ctx.now()) for one in new])
    rmas = {one.ra.document.rma for one in new if one.ra and one.key in written}
    if replaces:
        for one in new:
            if one.ra and one.key in written:
                recounting.recount(ctx, connection, one.ra.document.ra, because=f"receipt {one.receipt.receipt_no} replaced by {reading.file.name}")
    states, decided = (returns.states_of(connection, rmas), returns.decided_of(connection, rmas)) if rmas else ({}, set())
    for one in new:
        if one.key not in written:  # another worker recorded the same receipt meanwhile
            _say_duplicate(reading, one.receipt)
            continue
        reading.applied += 1
        if one.ra is None:
            _unmatched(ctx, connection, reading, one.receipt, one.state[1])
            continue
        rma = one.ra.document.rma
        _bring(ctx, connection, one.ra, one.receipt, file_id=reading.file.id)
        if not replaces:  # `recounting` has told what a replacement means
            _tell_too_late(ctx, connection, one.ra, one.receipt, state=states.get(rma, ""), decided=rma in decided)


def content_key(receipt: Receipt, *, corrects: int = 0, test: bool = False) -> str:
    """What makes two receipts of one number the same; one that a person entered is never the same as one that came."""
    lines = [[line.stated, line.good, line.second, line.missing] for line in receipt.lines]
    marks = [f"corrects {corrects}"] if corrects else ["test"] if test else []
    return hashlib.sha256(database.pack([receipt.ra_reference.strip().lstrip("#").upper(), lines, receipt.final, *marks]).encode()).hexdigest()


def _fill_absent(receipt: Receipt, ra: HeldAuthorization) -> Receipt:
    """Only exceptions were listed: lines that are absent came as announced (W17-01 X or N)."""
    listed = {line.sku for line in receipt.lines}
    absent = tuple(
        ReceiptLine(stated=line.sku, sku=line.sku, good=line.quantity, second=0, position="not listed: as announced")
        for line in ra.document.lines
        if line.sku not in listed
    )
    return replace(receipt, lines=receipt.lines + absent)


def _hold_correction(ctx: Context, connection: Connection, reading: Reading, receipt: Receipt, key: str) -> None:
    text = f"receipt {receipt.receipt_no} for {receipt.ra_reference} came again with other lines; the first one counts until a person decides"
    received.add_receipt(connection, receipt, content_key=key, ra=None, state="held", reason=text, file_id=reading.file.id, at=ctx.now())
    events.open_task(connection, "receipt changed", f"{receipt.partner} {receipt.receipt_no}", text, at=ctx.now(), advice=HELD_ADVICE)
    _tell_held(reading, receipt, text)


def _tell_held(reading: Reading, receipt: Receipt, text: str) -> None:
    reading.held.append(Problem(document=receipt.position, message=text, where=receipt.position, remedy=HELD_ADVICE))


def matched(ctx: Context, connection: Connection, ra: HeldAuthorization, receipt: Receipt, *, file_id: int | None) -> None:
    """A receipt has found its RA: show it, and ask for a decision where one may still be made."""
    rma = ra.document.rma
    state = returns.states_of(connection, [rma]).get(rma, "")
    _bring(ctx, connection, ra, receipt, file_id=file_id)
    _tell_too_late(ctx, connection, ra, receipt, state=state, decided=bool(returns.decided_of(connection, [rma])))


def _counted(receipt: Receipt) -> str:
    return ", ".join(f"{line.sku or line.stated} {line.good} good" + (f" {line.second} second" if line.second else "") for line in receipt.lines)


def _bring(ctx: Context, connection: Connection, ra: HeldAuthorization, receipt: Receipt, *, file_id: int | None) -> None:
    rma, number = ra.document.rma, ra.document.ra
    text = f"Receipt {receipt.receipt_no} for {number}: {_counted(receipt)}" + (", final" if receipt.final else "")
    facts = {"receipt": receipt.receipt_no, "position": receipt.position}
    events.note(
        connection,
        "receipt.taken",
        text,
        at=ctx.now(),
        rma=rma,
        ra=number,
        file_id=file_id,
        partner=receipt.partner,
        actor=receipt.partner,
        facts=facts,
    )
    for line in receipt.lines:
        if not line.sku:
            said = f"receipt {receipt.receipt_no} for {number} has the item {line.stated}, which is not in mappings/items.csv"
            advice = f'add it there, or add "{line.stated}" = "<our SKU>" under [cross_references] of {receipt.partner}; it is then applied by itself'
            events.open_task(connection, "unmapped item", f"{receipt.partner} {line.stated}", said, at=ctx.now(), rma=rma, advice=advice)
    workqueue.enqueue(connection, "decide", rma, due_at=ctx.now())


def _tell_too_late(ctx: Context, connection: Connection, ra: HeldAuthorization, receipt: Receipt, *, state: str, decided: bool) -> None:
    """Ask a person about goods that came after their return was decided or over."""
    rma, counted = ra.document.rma, _counted(receipt)
    ended = state if state in ("cancelled", "expired", "closed") else ""
    if decided:
        said = f"RMA {rma}: {receipt.receipt_no} received after decision ({counted})"
        events.open_task(
            connection, "received after decision", f"{rma} {receipt.receipt_no}", said, at=ctx.now(), rma=rma, advice="process it in Loop Admin"
        )
    elif ended or ra.state in lifecycle.ENDED:
        kind = {"cancelled": "cancellation", "expired": "expiry", "closed": "closing"}.get(ended or ra.state.value, "closing")
        said = f"RMA {rma}: goods arrived after {kind} ({counted}); recorded as received, not put in stock, Loop not called"
        events.open_task(
            connection, f"arrived after {kind}", rma, said, at=ctx.now(), rma=rma, advice="decide with the shopper what becomes of the goods"
        )


def _unmatched(ctx: Context, connection: Connection, reading: Reading, receipt: Receipt, reason: str) -> None:
    text = f"Receipt {receipt.receipt_no} from {receipt.partner}" + (f" for {receipt.ra_reference}" if receipt.ra_reference else "") + f": {reason}"
    events.note(connection, "receipt.unmatched", text, at=ctx.now(), file_id=reading.file.id, partner=receipt.partner)
    reading.remarks.append(text)
    if not receipt.ra_reference:
        ask_for_match(ctx, connection, receipt, text)


def ask_for_match(ctx: Context, connection: Connection, receipt: Receipt, text: str) -> None:
    """Put an unmatched receipt on the work list, with the RA that most speaks for."""
    best = next(iter(propose(connection, receipt, now=ctx.now())), None)
    said = f"; best candidate {best.ra} ({'; '.join(best.evidence)})" if best else "; no RA resembles it"
    advice = f"`gateway attach` brings it to {best.ra if best else 'its RA'}; from there it goes the normal way"
    events.open_task(connection, "unmatched receipt", f"{receipt.partner} {receipt.receipt_no}", text + said, at=ctx.now(), advice=advice)


def propose(connection: Connection, receipt: Receipt, *, now: datetime) -> list[matching.Candidate]:
    """The open RAs of the receipt's partner that may be meant, best first (R-094)."""
    texts = [*receipt.tracking_numbers, *receipt.references, *filter(None, (receipt.order_reference,))]
    skus = [line.sku for line in receipt.lines if line.sku]
    return matching.propose(receipt, returns.open_resembling(connection, partner=receipt.partner, texts=texts, skus=skus), now=now)


def match_receipts(ctx: Context, key: str) -> None:
    """Bring receipts that waited for an RA to it (R-081)."""
    with database.writing(ctx.engine) as connection:
        for held in received.waiting_receipts(connection, naming=key):
            ra = returns.find_authorization(connection, partner=held.document.partner, references=held.document.references)
            if ra is None or ra.document.ra != key:
                continue
            received.set_receipt(connection, held.id, state="applied", ra=key)
            events.close_tasks(
                connection, kind="unmatched receipt", subject=f"{held.document.partner} {held.document.receipt_no}", because="RA known", at=ctx.now()
            )
            matched(ctx, connection, ra, held.document, file_id=held.file_id)


def resolve_items(ctx: Context) -> int:
    """Apply mappings added since to receipts whose items were unknown; how many receipts changed."""
    changed = 0
    with database.writing(ctx.engine) as connection:
        for task in events.open_tasks(connection, kind="unmapped item"):
            partner, _, stated = task["subject"].partition(" ")
            item = ctx.places.catalogue.resolve(partner=partner, candidates=(stated,))
            if item is None:
                continue
            for held in received.live_receipts(connection, partner=partner):
                lines = tuple(replace(line, sku=item.sku) if line.stated == stated and not line.sku else line for line in held.document.lines)
                if lines != held.document.lines:
                    received.set_receipt(connection, held.id, state=held.state, reason=held.reason, document=replace(held.document, lines=lines))
                    changed += 1
            events.close_tasks(connection, kind="unmapped item", subject=task["subject"], because=f"mapped to {item.sku}", at=ctx.now())
            if task["rma"]:
                workqueue.enqueue(connection, "decide", task["rma"], due_at=ctx.now())
    return changed
