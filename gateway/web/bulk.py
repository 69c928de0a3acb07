"""One action on many RAs of a list or a search: who it reaches and who not is shown and counted first, then each has its own result (R-144)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from gateway.domain import lifecycle
from gateway.domain.lifecycle import RaState
from gateway.errors import PermanentError
from gateway.jobs import bulk
from gateway.store import listing, returns
from gateway.store.returns import HeldAuthorization
from gateway.web.guard import Answer, Visit
from gateway.web.returns import states_of

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """What can be done to many RAs: its words, which RAs it reaches, and whether a reason is kept."""

    says: str
    means: str
    reaches: Callable[[HeldAuthorization], bool]
    reason: bool = False


VERBS: dict[str, Verb] = {
    "resend": Verb(
        says="Send again",
        means="The newest document of each goes to its partner again: the same bytes under a new name.",
        reaches=lambda held: held.sent_at is not None and held.state not in lifecycle.ENDED,
    ),
    "hold": Verb(
        says="Hold",
        means="Each is kept from being sent; one that was sent is kept from being decided.",
        reaches=lambda held: not (held.hold or held.state in lifecycle.DECIDED or held.state in lifecycle.ENDED or held.state == RaState.HELD),
        reason=True,
    ),
    "release": Verb(says="Release", means="Each goes on from where it stands.", reaches=lambda held: bool(held.hold) or held.state == RaState.HELD),
    "close": Verb(
        says="Close",
        means="What has not come counts as not returned. Loop is not called.",
        reaches=lambda held: held.state not in lifecycle.ENDED,
        reason=True,
    ),
}


def ask(visit: Visit) -> Answer:
    """The count first: the RAs that it would be done to, and those that it cannot be done to."""
    verb = _verb()
    chosen, more = _chosen(visit)
    if not chosen:
        raise PermanentError("no RA was chosen; go back and tick the ones that are meant")
    reached = [held for held in chosen if VERBS[verb].reaches(held)]
    beyond = [held for held in chosen if not VERBS[verb].reaches(held)]
    return visit.show("ras_bulk.html", verb=verb, about=VERBS[verb], reached=reached, beyond=beyond, more=more, most=MOST)


def do(visit: Visit) -> Answer:
    """Do it to the RAs that were shown, and to no others."""
    verb, reason = _verb(), request.form.get("reason", "").strip()[:2000]
    if VERBS[verb].reason and not reason:
        raise PermanentError("say why; the reason is kept in the audit log")
    results = bulk.act(visit.desk.ctx, verb=verb, subjects=request.form.getlist("ra")[:MOST], actor=visit.user, reason=reason)
    return visit.show("ras_done.html", results=results, well=sum(done.ok for done in results))


def _verb() -> str:
    verb = request.form.get("verb", "")
    if verb not in VERBS:
        raise PermanentError(f"{verb!r} cannot be done to many at once; these can: {', '.join(VERBS)}")
    return verb


def _chosen(visit: Visit) -> tuple[list[HeldAuthorization], bool]:
    """The ticked RAs, or the whole list from its beginning; and whether there are more than are taken at once."""
    with visit.desk.reading() as connection:
        numbers, after = list(dict.fromkeys(request.form.getlist("ra"))), ""
        if request.form.get("all"):
            numbers, states, partner = (
                [],
                states_of(request.form.get("stage", ""), request.form.get("state", "")),
                request.form.get("partner") or None,
            )
            while len(numbers) <= MOST:
                page = listing.list_authorizations(connection, states=states, partner=partner, after=after)
                numbers += [row["ra"] for row in page.rows]
                after = page.after
                if not after:
                    break
        found = [returns.load_authorization(connection, number) for number in numbers[:MOST]]
    return [held for held in found if held], len(numbers) > MOST
