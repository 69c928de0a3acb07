"""Shopify Admin GraphQL, version 2026-10 (shopify.dev): one function per operation used; REST is not used.

Errors come in four layers: HTTP status, top-level `errors` (with status 200), `userErrors` in a mutation, and plain nulls. Every call waits for
its cost: the answer's `throttleStatus` says what is in the bucket and how fast it refills. Every inner connection is read to its last page.
Inventory is set absolutely, with the quantity we compared against and an idempotency key, so that a repeat is harmless.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.clients import shopify_queries as queries
from gateway.clients.session import (
    AccessDeniedError,
    Answer,
    BusyError,
    Kind,
    Outcome,
    Session,
    Silence,
    UnreadableAnswerError,
    denied_words,
    judge_read,
    judge_write,
)
from gateway.clients.shopify_reading import disposition, instant, number, read_order, read_refund
from gateway.domain.documents import Disposition, Order, Refund
from gateway.errors import PermanentError

NEEDED_SCOPES = frozenset({"read_orders", "read_returns", "read_inventory", "write_inventory", "read_locations", "read_products"})


class RejectedQueryError(PermanentError):
    """Shopify refuses a query of ours."""


class NotVisibleError(PermanentError):
    """Shopify shows nothing under this id (deleted, or an order older than 60 days without the scope read_all_orders)."""


class MissingScopeError(PermanentError):
    """The Shopify app lacks a scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedRefund:
    """A refund of a touched order."""

    refund_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedOrder:
    """An order changed in a window, with its refunds in the order in which they were made."""

    order_id: str
    name: str
    updated_at: datetime
    refunds: tuple[TouchedRefund, ...]
    tags: tuple[str, ...] = ()
    test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The available quantity of one item at one location, as Shopify has it."""

    sku: str
    item_id: str
    available: int | None
    tracked: bool
    duplicates: int


@dataclass(slots=True)
class Bucket:
    """What is left of the cost bucket, as the last answer told."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    available: float = 1000.0
    rate: float = 50.0
    told_at: float = 0.0
    costs: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, operation: str) -> None:
        """Wait until the operation's last seen cost is there."""
        with self._lock:
            need = self.costs.get(operation, 50.0)
            there = self.available + self.rate * (self.monotonic() - self.told_at) if self.told_at else need
            pause = max(0.0, (need - there) / self.rate)
        if pause:
            self.sleep(pause)

    def told(self, operation: str, body: Any) -> None:
        """Remember what an answer says of cost and bucket."""
        cost = (body.get("extensions") or {}).get("cost") if isinstance(body, dict) else None
        if not cost:
            return
        status = cost.get("throttleStatus") or {}
        with self._lock:
            self.costs[operation] = float(cost.get("requestedQueryCost") or 0)
            self.available = float(status.get("currentlyAvailable", self.available))
            self.rate = float(status.get("restoreRate") or self.rate)
            self.told_at = self.monotonic()


@dataclass(slots=True)
class Shopify:
    """Shopify for one shop and app. With `fetch_token` the access token is fetched (client credentials) and renewed once on a 401."""

    session: Session
    bucket: Bucket
    version: str = "2026-10"
    fetch_token: Callable[[], str] | None = None

    def check_access(self) -> dict[str, Any]:
        """Who we are and what we may; raises when a needed scope is missing (R-031)."""
        found = self._read("AppSelfCheck", {})
        scopes = {scope["handle"] for scope in found["currentAppInstallation"]["accessScopes"]}
        missing = sorted(scope for scope in NEEDED_SCOPES if scope not in scopes and scope.replace("read_", "write_") not in scopes)
        if missing:
            raise MissingScopeError(f"the Shopify app lacks the scopes {', '.join(missing)}; add them in the app's settings and install it again")
        return dict(found)

    def orders_touched(self, *, start: datetime, end: datetime) -> Iterator[list[TouchedOrder]]:
        """Pages of orders changed in [start, end), oldest change first."""
        search = f"updated_at:>='{_ask(start)}' updated_at:<'{_ask(end)}'"
        for page in self._pages("OrdersTouched", {"query": search, "first": 50}, lambda found: found["orders"]):
            yield [self._touched(node) for node in page]

    def find_orders(self, search: str) -> list[TouchedOrder]:
        """Orders that a search names (`name:'EXC-1002'`)."""
        pages = self._pages("OrdersTouched", {"query": search, "first": 50}, lambda found: found["orders"])
        return [self._touched(node) for page in pages for node in page]

    def _touched(self, node: dict[str, Any]) -> TouchedOrder:
        listed = node["refunds"]
        if len(listed) >= 15:
            listed = self._read("OrderRefundIds", {"id": node["id"]})["order"]["refunds"]
        return TouchedOrder(
            order_id=number(node["id"]),
            name=node["name"],
            updated_at=instant(node["updatedAt"]),
            refunds=tuple(sorted((_touched_refund(r) for r in listed), key=lambda r: (r.created_at, len(r.refund_id), r.refund_id))),
            tags=tuple(node.get("tags") or ()),
            test=bool(node.get("test")),
        )

    def refund(self, refund_id: str) -> Refund:
        """One refund, all its lines."""
        gid = f"gid://shopify/Refund/{refund_id}"
        found = self._read("RefundDetail", {"id": gid})["refund"]
        if found is None:
            raise NotVisibleError(f"Shopify shows no refund {refund_id}")
        for inner in ("refundShippingLines", "orderAdjustments", "transactions"):
            if found[inner]["pageInfo"]["hasNextPage"]:
                raise RejectedQueryError(f"refund {refund_id} has more {inner} than one page holds; it is not imported, so that none is dropped")
        lines = list(found["refundLineItems"]["nodes"])
        page = found["refundLineItems"]["pageInfo"]
        while page["hasNextPage"]:
            more = self._read("RefundLinesPage", {"id": gid, "after": page["endCursor"]})["refund"]["refundLineItems"]
            lines += more["nodes"]
            page = more["pageInfo"]
        undecided = found["return"] is not None and any(line["restockType"] == "NO_RESTOCK" for line in lines)
        return read_refund(found, lines, self._dispositions(found["return"]["id"]) if undecided else {})

    def _dispositions(self, gid: str) -> dict[str, tuple[Disposition, ...]]:
        """What became of the goods of a return in Shopify's own process, by order line (shopify-api 4.1)."""
        answer = self._read("ReturnGoods", {"id": gid})["return"]
        found: dict[str, list[Disposition]] = {}
        for reverse in answer["reverseFulfillmentOrders"]["nodes"] if answer else ():
            for pages in (answer["reverseFulfillmentOrders"], reverse["lineItems"]):
                if pages["pageInfo"]["hasNextPage"]:
                    raise RejectedQueryError(
                        f"return {number(gid)} has more lines than one page holds; its refund is not imported, so that none is dropped"
                    )
            for line in reverse["lineItems"]["nodes"]:
                if line["fulfillmentLineItem"]:
                    found.setdefault(number(line["fulfillmentLineItem"]["lineItem"]["id"]), []).extend(map(disposition, line["dispositions"]))
        return {key: tuple(rows) for key, rows in found.items()}

    def order(self, order_id: str) -> Order:
        """One order with what was shipped of it."""
        gid = f"gid://shopify/Order/{order_id}"
        found: dict[str, Any] | None = None
        lines: list[dict[str, Any]] = []
        for page in self._pages("OrderForImport", {"id": gid}, lambda answer: _line_items(answer, order_id)):
            lines += page
        found = self._read("OrderHead", {"id": gid})["order"]
        if found is None:
            raise NotVisibleError(f"Shopify shows no order {order_id} (deleted, or older than 60 days without the scope read_all_orders)")
        return read_order(found, lines, self._shipped(gid))

    def _shipped(self, gid: str) -> dict[str, int]:
        """Shipped units by order line, over the order's fulfilments with status SUCCESS (shopify-api 4.2)."""
        found = self._read("OrderShipped", {"id": gid})["order"]
        listed = found["fulfillments"]
        if found["fulfillmentsCount"]["count"] > len(listed):
            listed = self._read("OrderFulfillments", {"id": gid})["order"]["fulfillments"]
        shipped: dict[str, int] = {}
        for fulfilment in listed:
            if fulfilment["status"] != "SUCCESS":
                continue
            for line in self._fulfilled(fulfilment):
                key = number(line["lineItem"]["id"])
                shipped[key] = shipped.get(key, 0) + line["quantity"]
        return shipped

    def _fulfilled(self, fulfilment: dict[str, Any]) -> list[dict[str, Any]]:
        first = fulfilment.get("fulfillmentLineItems") or {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
        lines = list(first["nodes"])
        page = first["pageInfo"]
        while page["hasNextPage"]:
            answer = self._read("FulfillmentLinesPage", {"id": fulfilment["id"], "after": page["endCursor"]})
            lines += answer["fulfillment"]["fulfillmentLineItems"]["nodes"]
            page = answer["fulfillment"]["fulfillmentLineItems"]["pageInfo"]
        return lines

    def levels(self, skus: list[str], *, location_id: str) -> dict[str, Level]:
        """What Shopify has of SKUs at a location."""
        gid = f"gid://shopify/Location/{location_id}"
        found: dict[str, Level] = {}
        for start in range(0, len(skus), 25):
            search = " OR ".join(f"sku:'{_quoted(sku)}'" for sku in skus[start : start + 25])
            for page in self._pages("ItemsBySku", {"query": search, "locationId": gid}, lambda answer: answer["inventoryItems"]):
                found |= {node["sku"]: _level(node) for node in page if node["sku"] in skus}
        return found

    def set_quantities(self, *, location_id: str, quantities: list[tuple[str, int, int | None]], reference: str, key: str) -> Outcome:
        """Set absolute available quantities: (item id, quantity, quantity compared against) at one location; a repeat with the same key is harmless."""
        entries = [
            {
                "inventoryItemId": item,
                "locationId": f"gid://shopify/Location/{location_id}",
                "quantity": quantity,
                "changeFromQuantity": before,
            }
            for item, quantity, before in quantities
        ]
        variables = {"key": key, "input": {"name": "available", "reason": "correction", "referenceDocumentUri": reference, "quantities": entries}}
        self.bucket.wait("SetQuantities")
        judged = judge_write("Shopify", self._post("SetQuantities", variables))
        if isinstance(judged, Outcome):
            return judged
        self.bucket.told("SetQuantities", judged.body)
        return _judge_mutation(judged, "inventorySetQuantities")

    def _pages(
        self, operation: str, variables: dict[str, Any], connection: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Iterator[list[dict[str, Any]]]:
        after = None
        while True:
            found = connection(self._read(operation, {**variables, "after": after}))
            yield found["nodes"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    def _read(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        self.bucket.wait(operation)
        answer = self._post(operation, variables)
        if isinstance(answer, Answer) and answer.status == 401 and self._renew():
            answer = self._post(operation, variables)
        judged = judge_read("Shopify", answer)
        self.bucket.told(operation, judged.body)
        return judge_data(operation, judged)

    def _renew(self) -> bool:
        if self.fetch_token is None:
            return False
        self.session.headers["X-Shopify-Access-Token"] = self.fetch_token()
        return True

    def _post(self, operation: str, variables: dict[str, Any]) -> Any:
        if self.fetch_token and "X-Shopify-Access-Token" not in self.session.headers:
            self._renew()
        body = {"query": queries.DOCUMENTS[operation], "operationName": operation, "variables": variables}
        return self.session.send("POST", f"/admin/api/{self.version}/graphql.json", body=body)


def fetch_access_token(session: Session, *, client_id: str, client_secret: str) -> str:
    """A token by the client credentials grant, valid for 24 hours (shopify-api 1.3)."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    answer = session.send("POST", "/admin/oauth/access_token", form=form)
    if isinstance(answer, Silence) or not isinstance(answer.body, dict):
        answer = judge_read("Shopify", answer)
    token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
    if not token:
        said = answer.body.get("error", answer.text[:120]) if isinstance(answer.body, dict) else answer.text[:120]
        words = {
            "shop_not_permitted": "the app and the store belong to different organizations",
            "app_not_installed": "the app is not installed in this store",
            "invalid_client": "client id or client secret is wrong",
        }.get(str(said), str(said))
        raise AccessDeniedError(f"Shopify gives no token: {words}")
    return str(token)


def judge_data(operation: str, answer: Answer) -> dict[str, Any]:
    """The data of an answer without errors; partial data is never used (shopify-api 2.2)."""
    body = answer.body if isinstance(answer.body, dict) else {}
    errors = body.get("errors")
    if not errors and isinstance(body.get("data"), dict):
        return dict(body["data"])
    listed: list[Any] = errors if isinstance(errors, list) else [{"message": str(errors)}]
    codes: set[str] = {str((e.get("extensions") or {}).get("code", "")) for e in listed if isinstance(e, dict)}
    words = "; ".join(str(e.get("message", e) if isinstance(e, dict) else e) for e in listed)
    if "THROTTLED" in codes:
        raise BusyError("Shopify asks to wait (THROTTLED)", delay=1.0)
    if codes & {"ACCESS_DENIED", "SHOP_INACTIVE"} or answer.status in (402, 403, 423):
        raise AccessDeniedError(f"Shopify denies {operation}: {words}. {denied_words('Shopify', answer.status)}")
    if "INTERNAL_SERVER_ERROR" in codes or not errors:
        raise UnreadableAnswerError(f"Shopify could not answer {operation}: {words}")
    raise RejectedQueryError(f"Shopify refuses {operation}: {words}")


def _judge_mutation(answer: Answer, name: str) -> Outcome:
    try:
        data = judge_data(name, answer)
    except BusyError as error:
        return Outcome(kind=Kind.NOT_DONE, text=error.message, delay=error.delay)
    except AccessDeniedError as error:
        return Outcome(kind=Kind.DENIED, text=error.message)
    except UnreadableAnswerError as error:
        return Outcome(kind=Kind.UNCLEAR, text=error.message)
    except RejectedQueryError as error:
        return Outcome(kind=Kind.REFUSED, text=error.message)
    faults = (data.get(name) or {}).get("userErrors") or []
    if not faults:
        return Outcome(kind=Kind.ACCEPTED, text="accepted by Shopify", body=data[name])
    codes = [str(fault.get("code")) for fault in faults]
    words = "; ".join(str(fault.get("message")) for fault in faults)
    kind = Kind.UNCLEAR if "IDEMPOTENCY_CONCURRENT_REQUEST" in codes else Kind.REFUSED
    return Outcome(kind=kind, text=f"Shopify refused: {words}", code=",".join(codes))


def _touched_refund(node: dict[str, Any]) -> TouchedRefund:
    updated = instant(node["updatedAt"])
    return TouchedRefund(refund_id=number(node["id"]), created_at=instant(node["createdAt"]) if node["createdAt"] else updated, updated_at=updated)


def _ask(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _line_items(answer: dict[str, Any], order_id: str) -> dict[str, Any]:
    if answer["order"] is None:
        raise NotVisibleError(f"Shopify shows no order {order_id} (deleted, or older than 60 days without the scope read_all_orders)")
    return dict(answer["order"]["lineItems"])


def _level(node: dict[str, Any]) -> Level:
    level = node.get("inventoryLevel")
    available = next((q["quantity"] for q in level["quantities"] if q["name"] == "available"), None) if level else None
    return Level(
        sku=node["sku"],
        item_id=node["id"],
        available=available,
        tracked=bool(node["tracked"]),
        duplicates=int(node.get("duplicateSkuCount") or 0),
    )
