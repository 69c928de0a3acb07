"""Grading and disposition of returned units: recorded on the return, with no effect on its state.

Source: https://docs.loopreturns.com/api-reference/latest/item-grading-and-disposition/grade-items
"""

from collections.abc import Mapping

from gateway.simulator import loop_model
from gateway.simulator.returns import Returns
from gateway.simulator.web import Answer

MOST_ITEMS = 30
CONDITIONS = ("grade_a", "grade_b", "grade_c", "grade_d", "incorrect_item", "missing", "junk")
OUTCOMES = ("back_to_stock", "resale_hold", "recycle", "donate", "missing")
KEPT = {
    "grade": ("description", "condition_category", "return_processor", "note", "inspected_at", "images"),
    "assess": ("disposition_outcome", "return_processor", "note", "inspected_at"),
}


def grade(world: Returns, verb: str, body: object, objects: bool) -> Answer:
    """Store a grade or a disposition per unit; `objects` as from 2026-10, where the condition is an object."""
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        return _refuse("items", "The items field is required.")
    if len(items) > MOST_ITEMS:
        return _refuse("items", f"The items must not have more than {MOST_ITEMS} items.")
    units = {unit.line_item_id: unit for ret in world.returns.values() for unit in ret.units}
    for place, item in enumerate(items):
        fault = _fault(verb, item, units, objects)
        if fault is not None:
            return _refuse(f"items.{place}.{fault}", f"The items.{place}.{fault} field is invalid.")
    for item in items:
        kept = {name: item.get(name) for name in KEPT[verb]}
        unit = units[int(str(item["line_item_id"]))]
        if verb == "grade":
            unit.condition = kept
        else:
            unit.disposition = kept
    return Answer(200, items, effect=True)


def _fault(verb: str, item: object, units: Mapping[int, loop_model.Unit], objects: bool) -> str | None:
    """The name of the first field that Loop would refuse."""
    if not isinstance(item, dict) or not str(item.get("line_item_id", "")).isdigit():
        return "line_item_id"
    if int(str(item["line_item_id"])) not in units:
        return "line_item_id"
    if verb == "assess":
        return None if item.get("disposition_outcome") in OUTCOMES else "disposition_outcome"
    if not isinstance(item.get("description"), str) or not 0 < len(item["description"]) <= 255:
        return "description"
    category = item.get("condition_category")
    if category is None:
        return None
    fits = isinstance(category, dict) if objects else category in CONDITIONS
    return None if fits else "condition_category"


def _refuse(field: str, message: str) -> Answer:
    return Answer(422, {"message": "The given data was invalid.", "errors": {field: [message]}}, accepted=False)
