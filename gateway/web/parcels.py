"""Unknown parcels: each with the RAs it may belong to, attached one by one or many at once, with the count first (R-094, R-144)."""

from __future__ import annotations

from flask import request

from gateway.errors import GatewayError, PermanentError
from gateway.jobs import actions
from gateway.jobs.bulk import Done
from gateway.store import listing, received
from gateway.web.guard import Answer, Visit
from gateway.web.returns import more_of

LONGEST_NUMBER = 18


def listed(visit: Visit) -> Answer:
    """Parcels whose return is not known, each with the ones that may be meant and why."""
    with visit.desk.reading() as connection:
        page = listing.list_waiting_receipts(connection, after=request.args.get("after", ""))
        held = [found for found in (received.load_receipt(connection, row["id"]) for row in page.rows) if found]
    shown = [(receipt, actions.candidates(visit.desk.ctx, receipt_id=receipt.id)) for receipt in held]
    return visit.show("parcels.html", parcels=shown, more=more_of(page.after))


def attach(visit: Visit, receipt_id: int) -> Answer:
    """Bring a parcel to a return."""
    ra = request.form.get("ra", "").strip()
    actions.attach(visit.desk.ctx, receipt_id=receipt_id, ra=ra, actor=visit.user)
    return visit.back("/parcels", f"The parcel belongs to {ra} now and follows the normal path.")


def ask_many(visit: Visit) -> Answer:
    """The count first: each parcel that was ticked, with the RA that was shown as its best."""
    with visit.desk.reading() as connection:
        chosen = [(held, ra) for number, ra in _pairs() if (held := received.load_receipt(connection, number))]
    if not chosen:
        raise PermanentError("no parcel was chosen; go back and tick the ones that are meant")
    return visit.show("parcels_bulk.html", chosen=chosen)


def attach_many(visit: Visit) -> Answer:
    """Attach the parcels that were shown, each on its own."""
    results = [_one(visit, number, ra) for number, ra in _pairs()]
    return visit.show("ras_done.html", results=results, well=sum(done.ok for done in results))


def _one(visit: Visit, number: int, ra: str) -> Done:
    try:
        return Done(subject=ra, ok=True, said=actions.attach(visit.desk.ctx, receipt_id=number, ra=ra, actor=visit.user))
    except GatewayError as error:
        return Done(subject=ra, ok=False, said=error.message)


def _pairs() -> list[tuple[int, str]]:
    """What was ticked: a receipt's number in the book and an RA, each receipt once."""
    asked = dict(text.split(" ", 1) for text in request.form.getlist("parcel") if " " in text)
    return [(int(number), ra) for number, ra in asked.items() if number.isdecimal() and len(number) <= LONGEST_NUMBER]
