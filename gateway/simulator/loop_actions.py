"""What Loop answers to actions on a return: `true`, or one of its refusals, which come with status 200.

| verb | refused when | body |
|---|---|---|
| process | cancelled, review | {"message"} |
| | closed | {"errors": {"message", "code": "UNPROCESSABLE_RETURN"}} |
| | flagged and the shop does not allow it | the same with UNPROCESSABLE_FLAGGED_RETURN |
| flag, close, cancel | closed or cancelled | {"errors"} or {"message"} |
| cancel | expired, flagged | {"content"} |
| remove | see `remove` | 403 and 422 |

Source: https://docs.loopreturns.com/api-reference/latest/return-actions/process-return and its neighbours.
"""

from collections.abc import Callable, Mapping

from gateway.simulator import loop_model
from gateway.simulator.returns import Returns
from gateway.simulator.web import Answer

LONGEST_NOTE = 254
NOTE_REFUSAL = "Content is required and must be less than 255 characters."


def act(world: Returns, verb: str, rma: int, query: Mapping[str, str], body: object) -> Answer:
    """Carry out one verb on one return."""
    ret = world.returns.get(rma)
    if ret is None:
        return _unknown(verb)
    if verb == "remove":
        return remove(world, ret, query.get("line_item_id", ""))
    return _WITH_BODY[verb](world, ret, body)


def process(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """Queue a return; its outcome shows later."""
    refusal = _no_process(ret, world.settings.allow_flagged)
    if refusal is not None:
        return Answer(200, refusal, accepted=False)
    details = body if isinstance(body, dict) else {}
    if ret.processing is None:
        world.queue(ret, details)
    return Answer(200, True, effect=True)


def remove(world: Returns, ret: loop_model.LoopReturn, wanted: str) -> Answer:
    """Drop units and process the rest; only units whose outcome is a refund or store credit may go."""
    ids = {int(part) for part in wanted.split(",") if part.strip().isdigit()}
    if not ids:
        return Answer(422, {"error": {"message": "The line item id field is required."}}, accepted=False)
    if ret.state not in ("open", "expired") or ret.flagged or ret.processing is not None:
        return Answer(422, {"message": "Return cannot be modified."}, accepted=False)
    free = {unit.line_item_id for unit in ret.units if _may_go(ret, unit)}
    if not ids & free:
        return Answer(422, {"message": "There are no line items that qualify for removal"}, accepted=False)
    if not ids <= free:
        return Answer(422, {"message": "Not all line items qualify for removal"}, accepted=False)
    world.drop_units(ret, ids)
    if ret.units:
        world.queue(ret, {})
    return Answer(200, True, effect=True)


def note(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """Add to the timeline; notes are not de-duplicated."""
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(content, str) or not content.strip() or len(content) > LONGEST_NOTE:
        return Answer(422, {"errors": {"message": NOTE_REFUSAL}}, accepted=False)
    world.note(ret.id, content)
    return Answer(200, True, effect=True)


def notes(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """The timeline's notes; without any, 422 with `false`."""
    if not ret.notes:
        return Answer(422, False)
    rows = [{"id": n.id, "content": n.content, "created_at": f"{n.created_at:%Y-%m-%d %H:%M:%S}"} for n in ret.notes]
    return Answer(200, rows)


def flag(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """Put into review; a body is ignored, since Loop takes none."""
    if ret.state in ("closed", "cancelled"):
        return Answer(200, _coded(ret.state), accepted=False)
    world.flag(ret)
    return Answer(200, True, effect=True)


def close(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """Archive without outcomes."""
    if ret.state in ("closed", "cancelled"):
        return Answer(200, _coded("closed") if ret.state == "closed" else _plain("cancelled"), accepted=False)
    world.close(ret.id)
    return Answer(200, True, effect=True)


def cancel(world: Returns, ret: loop_model.LoopReturn, body: object) -> Answer:
    """Make void; the shopper may return the goods again."""
    refusal = _no_cancel(ret)
    if refusal is not None:
        return Answer(200, refusal, accepted=False)
    world.cancel(ret.id)
    return Answer(200, True, effect=True)


def _unknown(verb: str) -> Answer:
    if verb == "remove":
        return Answer(403, {"errors": [{"message": "This action is unauthorized."}]}, accepted=False)
    return Answer(404, {"errors": {"message": "Return not found.", "code": "NOT_FOUND"}}, accepted=False)


def _coded(state: str, code: str = "UNPROCESSABLE_RETURN") -> object:
    return {"errors": {"message": f"Return is {state} and therefore cannot be processed.", "code": code}}


def _plain(state: str) -> object:
    return {"message": f"Return is {state} and therefore cannot be processed."}


def _no_process(ret: loop_model.LoopReturn, allow_flagged: bool) -> object | None:
    if ret.state == "closed":
        return _coded("closed")
    if ret.state == "cancelled":
        return _plain("cancelled")
    if allow_flagged:
        return None
    if ret.state == "review":
        return _plain("review")
    return _coded(ret.state, "UNPROCESSABLE_FLAGGED_RETURN") if ret.flagged else None


def _no_cancel(ret: loop_model.LoopReturn) -> object | None:
    if ret.state in ("closed", "cancelled"):
        return _coded(ret.state)
    if ret.state == "expired":
        return {"content": "Return is expired and cannot be processed."}
    return {"content": "Return is flagged and cannot be processed."} if ret.flagged else None


def _may_go(ret: loop_model.LoopReturn, unit: loop_model.Unit) -> bool:
    if unit.outcome != "default":
        return unit.outcome in ("refund", "credit", "keep")
    return not {"exchange", "upsell"} & set(ret.outcome.split("+"))


_WITH_BODY: dict[str, Callable[[Returns, loop_model.LoopReturn, object], Answer]] = {
    "process": process,
    "note": note,
    "notes": notes,
    "flag": flag,
    "close": close,
    "cancel": cancel,
}
VERBS = ("remove", *_WITH_BODY)
