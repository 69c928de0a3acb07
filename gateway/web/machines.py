"""What machines ask: health, metrics, and the webhooks of Loop and Shopify.

A webhook is checked over the raw bytes, in constant time, seen once, and then only wakes a poll: nothing in it is believed (R-176). A delivery seen before
is answered 200 and does nothing, so that the sender stops.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from gateway.jobs import wakeups
from gateway.store import database, people
from gateway.views import metrics
from gateway.web.desk import Desk

REMEMBER = timedelta(days=7)
LONGEST_WEBHOOK = 5_000_000
OF_LOOP = {"return": ("LoopImportReturnAuthorizations",)}
OF_SHOPIFY = {
    "refunds": ("ShopifyImportRefunds",),
    "order_transactions": ("ShopifyImportRefunds",),
    "orders": ("ShopifyImportOrders", "ShopifyImportRefunds"),
    "returns": ("LoopImportReturnAuthorizations", "ShopifyImportRefunds"),
    "inventory_levels": ("ShopifyExportInventory",),
}


def add(app: Flask, desk: Desk) -> None:
    """Add health and metrics."""

    @app.get("/health")
    def health() -> tuple[Response, int]:
        found = desk.status()
        return jsonify(found), 200 if found["ready"] else 503

    @app.get("/metrics")
    def measure() -> Response:
        with desk.reading() as connection:
            found = metrics.collect(connection, now=desk.ctx.now())
        return Response(_exposition(found), mimetype="text/plain; version=0.0.4")


def _exposition(found: list[metrics.Measure]) -> bytes:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for measure in found:
        gauge = Gauge(measure.name, measure.words, measure.labels, registry=registry)
        for values, value in measure.values:
            (gauge.labels(*values) if measure.labels else gauge).set(value)
    return generate_latest(registry)


def add_webhooks(app: Flask, desk: Desk) -> None:
    """Add the webhooks."""

    @app.post("/webhooks/loop")
    def loop() -> tuple[dict[str, Any], int]:
        body = _body()
        _check("Loop", body, desk.loop_secret, request.headers.get("X-Loop-Signature", ""))
        told = request.get_json(force=True, silent=True)
        topic = str(told.get("topic", "")) if isinstance(told, dict) else ""
        return _wake(desk, f"loop:{hashlib.sha256(body).hexdigest()}", "loop", OF_LOOP.get(topic, ()), topic)

    @app.post("/webhooks/shopify")
    def shopify() -> tuple[dict[str, Any], int]:
        body = _body()
        _check("Shopify", body, desk.shopify_secret, request.headers.get("X-Shopify-Hmac-Sha256", ""))
        shop = request.headers.get("X-Shopify-Shop-Domain", "")
        if desk.shop_domain and shop.lower() != desk.shop_domain:
            abort(401, f"the webhook is of the shop {shop!r}, not of {desk.shop_domain}")
        topic = request.headers.get("X-Shopify-Topic", "")
        key = f"shopify:{hashlib.sha256(topic.encode() + body).hexdigest()}"
        return _wake(desk, key, "shopify", OF_SHOPIFY.get(topic.partition("/")[0], ()), topic)


def _body() -> bytes:
    if (request.content_length or 0) > LONGEST_WEBHOOK:
        abort(413, "the webhook is longer than any that is sent")
    return request.get_data(cache=True)


def _check(who: str, body: bytes, secret: str, signature: str) -> None:
    if not secret:
        abort(503, f"no secret is set for {who}'s webhooks, so none can be believed; set GATEWAY_{who.upper()}_WEBHOOK_SECRET")
    digest = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    if not hmac.compare_digest(digest, signature.strip().encode("utf-8", "replace")):
        abort(401, "the signature does not match the body")


def _wake(desk: Desk, key: str, sender: str, jobs: tuple[str, ...], topic: str) -> tuple[dict[str, Any], int]:
    now = desk.ctx.now()
    with database.writing(desk.ctx.engine) as connection:
        new = people.see_webhook(connection, key, at=now, forget_before=now - REMEMBER)
    for job in jobs if new else ():
        wakeups.wake(desk.ctx, job, actor=sender, reason=f"webhook {topic}")
    return {"woken": list(jobs) if new else [], "seen_before": not new}, 200
