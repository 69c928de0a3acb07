"""Loop Returns, API 2026-07 (docs.loopreturns.com): one function per endpoint used.

Loop answers 200 with an error in the body, so success of an action is the literal `true` and nothing else. `process` only queues; the return's closing
is its result. Ids come as strings or numbers and are kept as strings; `"N/A"`, `""` and null all mean absent. Lists are asked for with our own
parameters on every page: of Loop's next address only the cursor is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.clients.session import AccessDeniedError, Answer, Kind, Outcome, Session, judge_read, judge_write
from gateway.domain import money
from gateway.domain.documents import ZERO, Exchange, Label, Return, ReturnUnit
from gateway.errors import PermanentError

LONGEST_WINDOW = timedelta(days=120)
LONGEST_NOTE = 254
PAGE_SIZE = 250


class MissingFieldError(PermanentError):
    """Loop's answer lacks a field the gateway needs."""


class UnknownReturnError(PermanentError):
    """Loop knows no return with this number."""


class RepeatedCursorError(PermanentError):
    """Loop's paging gave the same cursor twice; the import stops here instead of going round for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadReturn:
    """A list entry that could not be read: its number as far as known, and why."""

    rma: str
    why: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Loop for one API key."""

    session: Session

    def list_returns(self, *, start: datetime, end: datetime, state: str | None, field: str = "updated_at") -> Iterator[list[Return | BadReturn]]:
        """Pages of returns changed in a window of at most 120 days; default states (open, closed, expired) when `state` is None."""
        query = {"from": _ask(start), "to": _ask(end), "filter": field, "paginate": "true", "pageSize": str(PAGE_SIZE)}
        if state:
            query["state"] = state
        seen: set[str] = set()
        while True:
            answer = self.session.read("GET", "/warehouse/return/list", query=query)
            body = answer.body
            if not isinstance(body, dict) or not isinstance(body.get("returns"), list):
                raise MissingFieldError(f"Loop's list of returns has no `returns` (status {answer.status}): {answer.text[:120]!r}")
            yield [read_entry(entry) for entry in body["returns"]]
            cursor = _cursor(body.get("nextPageUrl"))
            if cursor is None:
                return
            if cursor in seen:
                raise RepeatedCursorError
            seen.add(cursor)
            query["cursor"] = cursor

    def return_details(self, rma: str) -> Return:
        """One return by its number, with its refunds."""
        answer = self.session.read("GET", "/warehouse/return/details", query={"return_id": rma})
        if not isinstance(answer.body, dict) or "error" in answer.body:
            raise UnknownReturnError(f"Loop knows no return {rma}: {_words(answer.body) or answer.text[:120]}")
        return read_return(answer.body)

    def list_notes(self, rma: str) -> list[str]:
        """The notes on a return's timeline."""
        answer = self.session.read("GET", f"/warehouse/return/{rma}/notes")
        body = answer.body.get("notes", []) if isinstance(answer.body, dict) else answer.body
        return [str(note.get("content", "")) for note in body] if isinstance(body, list) else []

    def add_note(self, rma: str, content: str) -> Outcome:
        """Put a note of at most 254 characters on a return's timeline; Loop does not recognise repeats."""
        return self._act(rma, "note", body={"content": content[:LONGEST_NOTE]})

    def process_return(self, rma: str, details: dict[str, str]) -> Outcome:
        """Queue a return's outcomes; `details` are shown on its timeline and on an exchange order."""
        return self._act(rma, "process", body=details)

    def flag_return(self, rma: str) -> Outcome:
        """Put a return into manual review."""
        return self._act(rma, "flag")

    def remove_units(self, rma: str, line_item_ids: tuple[str, ...]) -> Outcome:
        """Drop units from a return and process the rest at once."""
        return self._act(rma, "remove", query={"line_item_id": ",".join(line_item_ids)})

    def grade_units(self, items: list[dict[str, Any]]) -> Outcome:
        """Store a grade for at most 30 units; Loop echoes them. From 2026-10 on the category is an object of unknown shape, and is left out."""
        if not self.session.base_url.endswith(("/2026-07", "/v1")):
            items = [{name: value for name, value in item.items() if name != "condition_category"} for item in items]
        return self._store("/dispositioning/grade", items)

    def assess_units(self, items: list[dict[str, Any]]) -> Outcome:
        """Store a disposition for at most 30 units; Loop echoes them."""
        return self._store("/dispositioning/assess", items)

    def _store(self, path: str, items: list[dict[str, Any]]) -> Outcome:
        judged = judge_write("Loop", self.session.send("POST", path, body={"items": items}))
        if isinstance(judged, Outcome):
            return judged
        stored = judged.status < 300 and isinstance(judged.body, list) and len(judged.body) == len(items)
        return Outcome(kind=Kind.ACCEPTED, text=f"{len(items)} unit(s) stored by Loop") if stored else read_outcome(judged)

    def list_destinations(self) -> list[dict[str, Any]]:
        """The destinations of the shop."""
        answer = self.session.read("GET", "/destinations")
        return list(answer.body.get("destinations", [])) if isinstance(answer.body, dict) else []

    def check_access(self) -> None:
        """Try the key with the cheapest read, and tell a wrong key from a missing scope: Loop answers 401 to both, but a right key opens something (R-031)."""
        answer = self.session.send("GET", "/warehouse/return/list", query={"paginate": "true", "pageSize": "1"})
        if isinstance(answer, Answer) and answer.status in (401, 403):
            other = self.session.send("GET", "/destinations")
            if isinstance(other, Answer) and other.status == 200:
                raise AccessDeniedError("Loop accepts the key, but it lacks the scope Returns; add it under Tools & integrations > Developer Tools")
        read = judge_read("Loop", answer)
        if not isinstance(read.body, dict) or "returns" not in read.body:
            raise MissingFieldError(f"the address of Loop does not answer as Loop does: {read.text[:120]!r}; check loop.base_url")

    def _act(self, rma: str, verb: str, *, query: dict[str, str] | None = None, body: Any = None) -> Outcome:
        judged = judge_write("Loop", self.session.send("POST", f"/warehouse/return/{rma}/{verb}", query=query, body=body))
        if isinstance(judged, Outcome):
            return judged
        return read_outcome(judged)


def read_outcome(answer: Answer) -> Outcome:
    """Success is the literal `true` (docs also show it as text); everything else is a refusal with Loop's words."""
    if answer.status < 300 and answer.body in (True, "true"):
        return Outcome(kind=Kind.ACCEPTED, text="accepted by Loop")
    errors = answer.body.get("errors") if isinstance(answer.body, dict) else None
    code = str(errors.get("code", "")) if isinstance(errors, dict) else ""
    if code == "UNEXPECTED_ERROR":
        return Outcome(kind=Kind.UNCLEAR, text="Loop reports an unexpected error of its own", code=code)
    words = _words(answer.body) or f"status {answer.status}: {answer.text[:120]!r}"
    return Outcome(kind=Kind.REFUSED, text=f"Loop refused: {words}", code=code)


def _words(body: Any) -> str:
    """The message of any of Loop's error shapes."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(_words(entry) for entry in body)
    if not isinstance(body, dict):
        return ""
    return next((_words(body[name]) for name in ("errors", "error", "message", "content") if body.get(name)), "")


def _ask(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cursor(address: Any) -> str | None:
    if not address:
        return None
    found = parse_qs(urlsplit(str(address)).query).get("cursor")
    return found[0] if found else None


def read_entry(entry: Any) -> Return | BadReturn:
    """One list entry; a fault in it stops this return only (R-042)."""
    try:
        return read_return(entry)
    except (MissingFieldError, TypeError, AttributeError) as error:
        rma = str(entry.get("id", "?")) if isinstance(entry, dict) else "?"
        return BadReturn(rma=rma, why=str(error))


def read_return(entry: dict[str, Any]) -> Return:
    """A return from Loop's JSON, list or details."""
    return Return(
        rma=_text(entry, "id", needed=True),
        state=_text(entry, "state", needed=True),
        outcomes=frozenset(_text(entry, "outcome").split("+")) - {""},
        order_id=_text(entry, "provider_order_id", needed=True),
        order_name=_text(entry, "order_name", needed=True),
        currency=_text(entry, "currency") or "USD",
        created_at=_instant(entry, "created_at"),
        updated_at=_instant(entry, "updated_at"),
        edited_at=_instant(entry, "edited_at") if _present(entry.get("edited_at")) else None,
        destination_id=_text(entry, "destination_id") or None,
        units=tuple(_unit(unit) for unit in _list(entry, "line_items")),
        exchanges=tuple(_exchange(exchange) for exchange in _list(entry, "exchanges")),
        labels=_labels(entry),
        shopper=_text(entry, "customer"),
        bag_barcode=_bag_barcode(entry),
        refund_ids=tuple(_text(refund, "provider_refund_id") for refund in entry.get("refunds") or [] if refund.get("provider_refund_id")),
        **{name: _money(entry, name) for name in ("return_total", "exchange_total", "refund", "gift_card", "handling_fee", "upsell")},
    )


def _unit(unit: dict[str, Any]) -> ReturnUnit:
    price, discount, tax = _money(unit, "price"), _money(unit, "discount"), _money(unit, "tax")
    return ReturnUnit(
        line_item_id=_text(unit, "line_item_id", needed=True),
        order_line_id=_text(unit, "provider_line_item_id"),
        sku=_text(unit, "sku"),
        barcode=_text(unit, "barcode"),
        title=_text(unit, "title"),
        price=price,
        discount=discount,
        tax=tax,
        value=_money(unit, "refund") if _present(unit.get("refund")) else price - discount + tax,
        reason=_text(unit, "return_reason") or _text(unit, "reason"),
        comment=_text(unit, "return_comment"),
        outcome=_text(unit, "outcome") or "default",
        destination_id=_text(unit, "consolidation_destination_id") or None,
        bag_barcode=_text(unit, "consolidation_tracking"),
    )


def _exchange(exchange: dict[str, Any]) -> Exchange:
    return Exchange(
        exchange_id=_text(exchange, "exchange_id"),
        order_id=_text(exchange, "exchange_order_id") or None,
        order_name=_text(exchange, "exchange_order_name") or None,
        sku=_text(exchange, "sku"),
        total=_money(exchange, "total"),
        out_of_stock=bool(exchange.get("out_of_stock")),
    )


def _labels(entry: dict[str, Any]) -> tuple[Label, ...]:
    """All labels; older answers have only the first one's fields on the return itself."""
    found = tuple(
        Label(
            carrier=_text(label, "carrier"),
            tracking_number=_text(label, "tracking_number"),
            status=_text(label, "status"),
            line_item_ids=tuple(str(i) for i in label.get("line_items") or []),
        )
        for label in entry.get("labels") or []
    )
    if found or not _text(entry, "tracking_number"):
        return found
    return (Label(carrier=_text(entry, "carrier"), tracking_number=_text(entry, "tracking_number"), status=_text(entry, "label_status")),)


def _bag_barcode(entry: dict[str, Any]) -> str:
    """What is scanned at a drop-off without a box (loop-api 4.7: `return_method.scannable_id`; older answers have a text or nothing there)."""
    method = entry.get("return_method")
    return _text(method, "scannable_id") if isinstance(method, dict) else ""


def _present(value: Any) -> bool:
    return value not in (None, "", "N/A")


def _text(entry: dict[str, Any], name: str, *, needed: bool = False) -> str:
    value = entry.get(name)
    if _present(value):
        return str(value).strip()
    if needed:
        raise MissingFieldError(f"Loop's return {entry.get('id', '?')} has no `{name}`; nothing of it was imported. Look at it in Loop Admin")
    return ""


def _list(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = entry.get(name)
    if name == "line_items" and not isinstance(value, list):
        raise MissingFieldError(f"Loop's return {entry.get('id', '?')} has no `{name}`; nothing of it was imported. Look at it in Loop Admin")
    return value or []


def _money(entry: dict[str, Any], name: str) -> Decimal:
    value = entry.get(name)
    if not _present(value):
        return ZERO
    try:
        return money.read(str(value))
    except InvalidOperation as error:
        raise MissingFieldError(f"Loop's return {entry.get('id', '?')}: `{name}` is {value!r}, not an amount") from error


def _instant(entry: dict[str, Any], name: str) -> datetime:
    text = _text(entry, name, needed=True)
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise MissingFieldError(f"Loop's return {entry.get('id', '?')}: `{name}` is {text!r}, not a time") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
