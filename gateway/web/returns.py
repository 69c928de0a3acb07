"""Returns: find by any identifier, the lists behind each stage, and the page of one return."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, redirect, request

from gateway.domain.lifecycle import RaState
from gateway.store import listing
from gateway.views import bundles, cases, lineage, story
from gateway.views.today import STAGE, STAGES
from gateway.web.guard import MONEY, Answer, Visit

OPEN = tuple(state.value for stage in STAGES for state in map(RaState, stage.states))


def find(visit: Visit) -> Answer:
    """One box: what names exactly one thing leads straight to its page."""
    text = request.args.get("q", "").strip()
    with visit.desk.reading() as connection:
        hits = cases.find(connection, text)
    pages = {link_of(hit) for hit in hits}
    if len(pages) == 1 and (page := pages.pop()):
        return redirect(page, code=303)
    return visit.show("found.html", text=text, hits=[hit | {"link": link_of(hit)} for hit in hits])


def link_of(hit: dict[str, str]) -> str:
    """The page of what was found."""
    if hit.get("rma"):
        return f"/returns/{hit['rma']}"
    if hit["kind"] == "file":
        return f"/files/{hit['id']}"
    if hit["kind"] == "receipt":
        return f"/returns/{hit['ra']}" if hit.get("ra") else "/parcels"
    return f"/refunds?{urlencode({'refund': hit['refund_id']})}" if hit["kind"] == "refund" else ""


def listed(visit: Visit) -> Answer:
    """RAs at a stage of the flow or in one state, oldest first."""
    stage, state = request.args.get("stage", ""), request.args.get("state", "")
    states = states_of(stage, state)
    partner = request.args.get("partner") or None
    with visit.desk.reading() as connection:
        page = listing.list_authorizations(connection, states=states, partner=partner, after=request.args.get("after", ""))
    facts = {"stages": STAGES, "states": [s.value for s in RaState], "partners": list(visit.desk.ctx.profiles)}
    chosen = {"stage": stage, "state": state, "partner": partner or ""}
    return visit.show("returns.html", page=page, chosen=chosen, more=more_of(page.after), **facts)


def states_of(stage: str, state: str) -> tuple[str, ...]:
    """The states that a list is about: one, those of a stage, or all on their way."""
    known = {s.value for s in RaState}
    return (state,) if state in known else tuple(STAGE[stage].states) if stage in STAGE else OPEN


def held(visit: Visit) -> Answer:
    """Returns that wait for a mapping."""
    with visit.desk.reading() as connection:
        page = listing.list_held(connection, after=request.args.get("after", ""))
    return visit.show("held.html", page=page, more=more_of(page.after))


def one(visit: Visit, number: str) -> Answer:
    """A return by its RMA, or by one of its RAs."""
    with visit.desk.reading() as connection:
        rma = story.rma_of(connection, number)
        if rma != number:
            return redirect(f"/returns/{rma}", code=303)
        found = story.tell(connection, rma)
    return visit.show("return.html", **found)


def bundle(visit: Visit, number: str) -> Answer:
    """The whole case as one archive to hand on; personal data is masked."""
    with visit.desk.reading() as connection:
        rma = cases.rma_of(connection, number)
        content = bundles.bundle(connection, rma, visit.desk.ctx.folders, visit.desk.ctx.profiles)
    answer = Response(content, mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="{rma}.zip"'
    return answer


def where_from(visit: Visit, number: str) -> Answer:
    """Where every figure of a return comes from, to the element of a file or the field of an answer."""
    with visit.desk.reading() as connection:
        rma = cases.rma_of(connection, number)
        figures = lineage.of_return(connection, rma)
    told = [line for figure in figures if (line := lineage.in_words(figure)) and (visit.may(MONEY) or "invoice" not in figure)]
    return visit.show("where_from.html", rma=rma, lines=[line.partition(" ← ") for line in told])


def more_of(after: str, *, name: str = "after") -> str:
    """The query of the next page, empty at the end."""
    if not after:
        return ""
    kept = {key: value for key, value in request.args.items() if key != name and value}
    return urlencode(kept | {name: after})
