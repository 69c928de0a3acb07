"""Receipts put right by a person: taken back, entered again, or taken off the RA they were attached to (R-143).

A receipt is never edited. It is *reversed*, which stops it counting, and where it is entered again that is a receipt of its own that says which one it
corrects. What follows from it is told in `recounting`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.errors import PermanentError
from gateway.jobs import receipts, recounting
from gateway.jobs.context import Context
from gateway.store import database, events, received, returns
from gateway.store.received import HeldReceipt


class NotCorrectableError(PermanentError):
    """The receipt cannot be corrected as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a SKU really came to."""

    good: int
    second: int = 0


def correct(ctx: Context, *, receipt_id: int, counts: Mapping[str, Count] | None, actor: str, reason: str, dry_run: bool = False) -> str:
    """Take a receipt back and, with `counts`, enter it again as they say.

    One transaction. Raises NotCorrectableError, with what to do instead.
    """
    return _correct(ctx, receipt_id, lambda held: _entered(ctx, held, counts, actor) if counts is not None else None, actor, reason, dry_run)


def accept(ctx: Context, *, receipt_id: int, actor: str, reason: str, dry_run: bool = False) -> str:
    """Let a receipt that is held as a later version of a counted one take its place."""
    return _correct(ctx, receipt_id, _accepted, actor, reason, dry_run)


def _accepted(held: HeldReceipt) -> Receipt:
    if held.state != "held":
        raise NotCorrectableError(f"receipt {held.id} is {held.state}; only a later version that is held can be accepted")
    return held.document


def _correct(ctx: Context, receipt_id: int, enter: Callable[[HeldReceipt], Receipt | None], actor: str, reason: str, dry_run: bool) -> str:
    if not reason.strip():
        raise NotCorrectableError("say why the receipt is corrected; whoever looks at the return later reads it")
    with database.writing(ctx.engine) as connection:
        held = _correctable(connection, receipt_id)
        entered = enter(held)
        said = f"receipt {held.document.receipt_no} ({held.state}): {_told(held.document)} → {_told(entered) if entered else 'reversed'}"
        if dry_run:
            return f"would correct {said}"
        ra = held.ra or _earlier_ra(connection, held)
        for number in _to_reverse(connection, held, entered):
            received.set_receipt(connection, number, state="reversed", reason=f"corrected by {actor}: {reason}")
        if entered and ra:
            _enter(ctx, connection, held, entered, ra)
        facts = {"before": _told(held.document), "after": _told(entered) if entered else "", "reason": reason, "receipt": receipt_id}
        rma = _rma_of(connection, ra)
        events.note(
            connection, "receipt.corrected", f"{said} ({reason})", at=ctx.now(), rma=rma, ra=ra, file_id=held.file_id, actor=actor, facts=facts
        )
        for kind in ("receipt changed", "unmatched receipt"):
            subject = f"{held.document.partner} {held.document.receipt_no}"
            events.close_tasks(connection, kind=kind, subject=subject, because=f"corrected by {actor}", at=ctx.now())
        if ra:
            recounting.recount(ctx, connection, ra, because=f"receipt {held.document.receipt_no} corrected by {actor}: {reason}")
    return f"corrected {said}"


def detach(ctx: Context, *, receipt_id: int, actor: str, reason: str) -> str:
    """Take a receipt off the RA it was brought to; it is unmatched again (the undo of `actions.attach`)."""
    with database.writing(ctx.engine) as connection:
        held = received.load_receipt(connection, receipt_id)
        if held is None or held.state != "applied" or not held.ra:
            raise NotCorrectableError(f"receipt {receipt_id} is on no RA; there is nothing to undo")
        words = f"taken off {held.ra} by {actor}" + (f": {reason}" if reason else "")
        received.unmatch_receipt(connection, receipt_id, reason=words)
        said = f"receipt {held.document.receipt_no} {words}"
        rma = _rma_of(connection, held.ra)
        events.note(connection, "receipt.detached", said, at=ctx.now(), rma=rma, ra=held.ra, file_id=held.file_id, actor=actor)
        receipts.ask_for_match(ctx, connection, held.document, f"Receipt {held.document.receipt_no} from {held.document.partner} {words}")
        recounting.recount(ctx, connection, held.ra, because=said)
    return said


def _correctable(connection: Connection, receipt_id: int) -> HeldReceipt:
    held = received.load_receipt(connection, receipt_id)
    if held is None:
        raise NotCorrectableError(f"receipt {receipt_id} is not in the book; `gateway export --kind receipts` lists them")
    if held.state == "reversed":
        raise NotCorrectableError(f"receipt {receipt_id} does not count any more ({held.reason}); correct the one that took its place")
    return held


def _entered(ctx: Context, held: HeldReceipt, counts: Mapping[str, Count], actor: str) -> Receipt:
    """The receipt as it shall be."""
    for sku, count in counts.items():
        if sku not in ctx.places.catalogue.by_sku:
            raise NotCorrectableError(f"{sku} is not in mappings/items.csv; write our SKU")
        if count.good < 0 or count.second < 0:
            raise NotCorrectableError(f"{sku}: a count cannot be negative")
    before = {line.sku: line for line in held.document.lines}
    position = f"entered by {actor}"
    lines = tuple(
        replace(before[sku], good=count.good, second=count.second, missing=0, position=f"{before[sku].position}, {position}")
        if sku in before
        else ReceiptLine(stated=sku, sku=sku, good=count.good, second=count.second, position=position)
        for sku, count in counts.items()
    )
    return replace(held.document, lines=lines)


def _told(receipt: Receipt) -> str:
    return ", ".join(f"{line.sku or line.stated} {line.good} good" + (f" {line.second} second" if line.second else "") for line in receipt.lines)


def _earlier_ra(connection: Connection, held: HeldReceipt) -> str | None:
    """The RA of the receipt that a held one is another version of."""
    return next((r.ra for r in _namesakes(connection, held) if r.ra), None)


def _namesakes(connection: Connection, held: HeldReceipt) -> list[HeldReceipt]:
    same = received.receipts_numbered(connection, partner=held.document.partner, receipt_no=held.document.receipt_no)
    return [r for r in same if r.state == "applied" and r.document.ra_reference == held.document.ra_reference and r.id != held.id]


def _to_reverse(connection: Connection, held: HeldReceipt, entered: Receipt | None) -> list[int]:
    """The receipts that stop counting: this one, and for a held version the one it replaces."""
    replaced = [r.id for r in _namesakes(connection, held)] if held.state == "held" and entered else []
    return [held.id, *replaced]


def _enter(ctx: Context, connection: Connection, held: HeldReceipt, entered: Receipt, ra: str) -> None:
    received.add_receipt(
        connection,
        entered,
        content_key=receipts.content_key(entered, corrects=held.id),
        ra=ra,
        state="applied",
        reason=f"corrects receipt {held.id}",
        file_id=held.file_id,
        at=ctx.now(),
    )


def _rma_of(connection: Connection, ra: str | None) -> str | None:
    found = returns.load_authorization(connection, ra) if ra else None
    return found.document.rma if found else None
