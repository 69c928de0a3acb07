"""What Loop answers to readers: the returns list with its windows and cursors, the details, the ASN report, the destinations.

The list's windows include their start and, with `inclusive_end`, their end (Loop does not say). Its cursor is base64 JSON of the last row's `created_at`, as in
Loop's own example; with `tie_safe_cursor` it also holds the return's id. Without, rows that share the second at a page's edge come
again on the next page.
Source: https://docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list ,
https://docs.loopreturns.com/api-reference/pagination
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from gateway.simulator import loop_model, loop_views
from gateway.simulator.returns import Returns
from gateway.simulator.web import Answer

LONGEST_WINDOW = timedelta(days=120)
DEFAULT_STATES = ("open", "closed", "expired")
STATES = (*DEFAULT_STATES, "cancelled", "review")
PAGE_SIZES = (1, 750)
DEFAULT_PAGE_SIZE = 100


class BadQuery(ValueError):
    """A query parameter that Loop refuses; carries the field and the message."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def answer(self) -> Answer:
        errors = {self.field: [str(self)]}
        return Answer(422, {"message": "The given data was invalid.", "errors": errors}, accepted=False)


@dataclass
class LoopRules:
    """Keys with their scopes, how many calls a minute one key has, and what Loop leaves open about its list."""

    keys: dict[str, Collection[str]] = field(default_factory=dict)
    calls_per_minute: int = 300
    retry_after: bool = False
    tie_safe_cursor: bool = True
    inclusive_end: bool = True


def returns(world: Returns, query: Mapping[str, str], host: str, rules: LoopRules) -> Answer:
    """The detailed returns list: a bare array, or a page when asked to paginate (a cursor alone also pages)."""
    try:
        rows = _matching(world, query, rules.inclusive_end)
        paging = _truth(query.get("paginate")) or "cursor" in query
        if not paging:
            return Answer(200, [loop_views.in_list(world, ret) for ret in rows])
        size = _page_size(query)
        rest = _after(rows, query.get("cursor"))
    except BadQuery as refusal:
        return refusal.answer()
    page = rest[:size]
    more = len(rest) > size
    body = {
        "returns": [loop_views.in_list(world, ret) for ret in page],
        "nextPageUrl": _next_url(query, host, page[-1], rules.tie_safe_cursor) if more else None,
        "previousPageUrl": None,
    }
    return Answer(200, body)


def details(world: Returns, query: Mapping[str, str], version: str) -> Answer:
    """One return by `return_id`, the provider's `order_id`, or `order_name`; nothing found is a 200 with an error."""
    ret = _find(world, query)
    if ret is None:
        return Answer(200, {"error": {"message": "No return found with this ID."}}, accepted=False)
    return Answer(200, loop_views.in_details(world, ret))


def report(world: Returns, query: Mapping[str, str], version: str) -> Answer:
    """The ASN report over `created_at`; an unreadable date silently means 1970."""
    now = world.clock.now()
    start = _loose(query.get("from"), now - timedelta(days=7))
    end = _loose(query.get("to"), now + timedelta(days=1))
    if version >= "2026-10" and end - start > LONGEST_WINDOW:
        return BadQuery("to", "The date range must not exceed 120 days.").answer()
    found = [ret for ret in world.returns.values() if start <= ret.created_at < end]
    return Answer(200, [row for ret in found for row in loop_views.in_report(world, ret)])


def destinations(world: Returns, query: Mapping[str, str], version: str) -> Answer:
    """All destinations, or the one whose number stands in the path."""
    number = query.get("destination")
    if number is None:
        return Answer(200, {"destinations": [_destination(one) for one in world.destinations.values()]})
    found = world.destinations.get(int(number))
    if found is None:
        refusal = {"code": "NOT_FOUND", "message": "The destination could not be found."}
        return Answer(404, refusal, accepted=False)
    return Answer(200, _destination(found))


def _matching(world: Returns, query: Mapping[str, str], inclusive: bool) -> list[loop_model.LoopReturn]:
    start, end = _window(query, world.clock.now())
    name = query.get("filter", "created_at")
    if name not in ("created_at", "updated_at"):
        raise BadQuery("filter", "The selected filter is invalid.")
    state = query.get("state")
    if state is not None and state not in STATES:
        raise BadQuery("state", "The selected state is invalid.")
    states = (state,) if state else DEFAULT_STATES
    end += timedelta(microseconds=1 if inclusive else 0)
    found = [ret for ret in world.returns.values() if ret.state in states and start <= getattr(ret, name) < end]
    return sorted(found, key=lambda ret: (ret.created_at, ret.id))


def _window(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    """`from` alone means the 24 hours after it; `to` alone is ignored; a cursor carries its own start."""
    start = _date(query, "from")
    end = _date(query, "to")
    if start is None:
        carried = _cursor(query.get("cursor")).get("from")
        start = datetime.fromisoformat(str(carried)) if carried else now - timedelta(days=1)
        end = end if carried else now + timedelta(seconds=1)
    end = end or start + timedelta(days=1)
    if end - start > LONGEST_WINDOW:
        raise BadQuery("to", "The date range must not exceed 120 days.")
    return start, end


def _date(query: Mapping[str, str], name: str) -> datetime | None:
    if not query.get(name):
        return None
    try:
        found = datetime.fromisoformat(query[name])
    except ValueError:
        raise BadQuery(name, f"The {name} is not a valid date.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _loose(text: str | None, default: datetime) -> datetime:
    if not text:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _page_size(query: Mapping[str, str]) -> int:
    text = query.get("pageSize", str(DEFAULT_PAGE_SIZE))
    if not text.isdigit() or not PAGE_SIZES[0] <= int(text) <= PAGE_SIZES[1]:
        raise BadQuery("pageSize", "The page size must be between 1 and 750.")
    return int(text)


def _after(rows: list[loop_model.LoopReturn], text: str | None) -> list[loop_model.LoopReturn]:
    cursor = _cursor(text)
    if not cursor:
        return rows
    at = datetime.fromisoformat(str(cursor["created_at"]))
    if "id" in cursor:
        return [ret for ret in rows if (ret.created_at, ret.id) > (at, int(str(cursor["id"])))]
    return [ret for ret in rows if ret.created_at >= at]


def _cursor(text: str | None) -> Mapping[str, object]:
    if not text:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        raise BadQuery("cursor", "The cursor is invalid.") from None
    if not isinstance(found, dict) or "created_at" not in found:
        raise BadQuery("cursor", "The cursor is invalid.")
    return found


def _next_url(query: Mapping[str, str], host: str, last: loop_model.LoopReturn, tie_safe: bool) -> str:
    """The next page's address: without `paginate`, `from` and `state`, as Loop prints it."""
    cursor: dict[str, object] = {"created_at": last.created_at.isoformat()}
    if tie_safe:
        cursor["id"] = last.id
    if query.get("from"):
        cursor["from"] = query["from"]
    encoded = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")
    kept = {name: query[name] for name in ("to", "filter", "pageSize") if name in query}
    return f"http://{host}/api/2026-07/warehouse/return/list?{urlencode({**kept, 'cursor': encoded})}"


def _find(world: Returns, query: Mapping[str, str]) -> loop_model.LoopReturn | None:
    rma, order_id, name = query.get("return_id", ""), query.get("order_id", ""), query.get("order_name", "")
    if rma:
        return world.returns.get(int(rma)) if rma.isdigit() else None
    latest = sorted(world.returns.values(), key=lambda ret: ret.created_at, reverse=True)
    for ret in latest:
        order = world.orders[ret.order_id]
        if order_id == str(order.id) or (name and name.lstrip("#") == order.name.lstrip("#")):
            return ret
    return None


def _destination(found: loop_model.Destination) -> dict[str, object]:
    return {
        "id": found.id,
        "type": found.type,
        "name": found.name,
        "enabled": found.enabled,
        "provider_location_id": found.location_id,
        "address": found.address,
    }


def _truth(text: str | None) -> bool:
    return (text or "").lower() in ("true", "1")
