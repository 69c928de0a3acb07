"""Health, metrics and webhooks as machines ask for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import pytest
from flask import Flask

from gateway.cli.pages import make_desk, shop_domain
from gateway.daemon import lock
from gateway.store import database, events
from gateway.web.app import make_app, make_webhook_app
from tests.stage import Stage

SECRET = "not a real secret"
RETURN = json.dumps({"topic": "return", "trigger": "return.created", "id": "77000001", "order_name": "#1001 ü"}).encode()
JOBS = ("LoopImportReturnAuthorizations", "ShopifyImportRefunds", "ShopifyImportOrders")


@pytest.fixture
def hooked(stage: Stage) -> Flask:
    """The application with secrets for webhooks, and the jobs planned for tomorrow."""
    from dataclasses import replace

    stage.workspace = replace(
        stage.workspace,
        environment={**stage.workspace.environment, "GATEWAY_LOOP_WEBHOOK_SECRET": SECRET, "GATEWAY_SHOPIFY_WEBHOOK_SECRET": SECRET},
    )
    with database.writing(stage.ctx.engine) as connection:
        for job in JOBS:
            events.plan_job(connection, job, first_at=stage.ctx.soon(86400), next_at=stage.ctx.soon(86400))
    return make_app(replace(make_desk(stage.workspace, stage.ctx), shop_domain="harbor-and-pine.myshopify.com"))


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def due(stage: Stage) -> set[str]:
    with database.reading(stage.ctx.engine) as connection:
        return set(events.due_jobs(connection, now=stage.ctx.now()))


def shopify(body: bytes, topic: str = "refunds/create", shop: str = "harbor-and-pine.myshopify.com") -> Mapping[str, str]:
    return {"X-Shopify-Hmac-Sha256": sign(body), "X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": shop}


def test_a_webhook_of_loop_wakes_the_import_once(stage: Stage, hooked: Flask) -> None:
    client = hooked.test_client()
    assert due(stage) == set()
    answer = client.post("/webhooks/loop", data=RETURN, headers={"X-Loop-Signature": sign(RETURN)})
    assert (answer.status_code, answer.json) == (200, {"woken": [JOBS[0]], "seen_before": False})
    assert due(stage) == {JOBS[0]}
    with database.writing(stage.ctx.engine) as connection:
        events.take_slot(connection, JOBS[0], now=stage.ctx.now(), next_at=stage.ctx.soon(86400))
    again = client.post("/webhooks/loop", data=RETURN, headers={"X-Loop-Signature": sign(RETURN)})
    assert (again.status_code, again.json) == (200, {"woken": [], "seen_before": True})
    assert due(stage) == set()


@pytest.mark.parametrize(
    ("body", "signature"),
    [(RETURN, ""), (RETURN, sign(RETURN, "other")), (RETURN.replace(b"01", b"02"), sign(RETURN)), (RETURN + b"\n", sign(RETURN)), (RETURN, "ü" * 44)],
)
def test_a_forged_webhook_is_refused_and_wakes_nothing(stage: Stage, hooked: Flask, body: bytes, signature: str) -> None:
    answer = hooked.test_client().post("/webhooks/loop", data=body, headers={"X-Loop-Signature": signature.encode().decode("latin-1")})
    assert answer.status_code == 401
    assert due(stage) == set()


def test_a_webhook_of_shopify_wakes_by_topic(stage: Stage, hooked: Flask) -> None:
    body = b'{"id": 6100001}'
    answer = hooked.test_client().post("/webhooks/shopify", data=body, headers=shopify(body))
    assert (answer.status_code, due(stage)) == (200, {JOBS[1]})
    answer = hooked.test_client().post("/webhooks/shopify", data=body, headers=shopify(body, "orders/create"))
    assert due(stage) == {JOBS[1], JOBS[2]}


def test_a_webhook_of_another_shop_or_by_a_link_is_refused(stage: Stage, hooked: Flask) -> None:
    body = b"{}"
    assert hooked.test_client().post("/webhooks/shopify", data=body, headers=shopify(body, shop="other.myshopify.com")).status_code == 401
    assert hooked.test_client().get("/webhooks/shopify").status_code == 405
    assert due(stage) == set()


def test_what_is_no_json_or_of_an_unknown_topic_wakes_nothing(stage: Stage, hooked: Flask) -> None:
    for body in (b"\xff\xfe not json", b"[1]", b'{"topic": "label.request"}'):
        answer = hooked.test_client().post("/webhooks/loop", data=body, headers={"X-Loop-Signature": sign(body)})
        assert answer.status_code == 200
    assert due(stage) == set()


def test_without_a_secret_none_is_believed(app: Flask) -> None:
    answer = app.test_client().post("/webhooks/loop", data=RETURN, headers={"X-Loop-Signature": sign(RETURN, "")})
    assert answer.status_code == 503
    assert "GATEWAY_LOOP_WEBHOOK_SECRET" in answer.text


def test_the_webhooks_own_address_has_nothing_else(stage: Stage) -> None:
    client = make_webhook_app(make_desk(stage.workspace, stage.ctx)).test_client()
    assert client.post("/webhooks/loop", data=b"{}").status_code == 503
    assert [client.get(path).status_code for path in ("/", "/sign-in", "/health", "/returns")] == [404] * 4


def test_health_is_200_when_ready_and_503_when_not(filled: Stage, app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json
    assert answer.json["ready"] is False
    with lock.locked(filled.folder / "var", "test") as tell:
        tell(True)
        answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json
    assert set(answer.json) >= {"ready", "idle", "counts", "problems"}
    counts = answer.json["counts"]
    assert (counts["files"]["in.error"], counts["ras"]["flagged"]) == (1, 2)
    assert "in.applied" not in counts["files"], "what is done with is not counted at every look"
    assert "closed" not in counts["ras"]


def test_metrics_count_states_files_effects_and_work(filled: Stage, app: Flask) -> None:
    told = app.test_client().get("/metrics").text
    for line in ('gateway_ras{state="flagged"} 2.0', 'gateway_files{direction="in",outcome="error"} 1.0', 'gateway_tasks{kind="file error"} 1.0'):
        assert line in told, told
    assert 'gateway_effects{state="confirmed"}' in told
    assert "gateway_queue_oldest_seconds" in told


def test_only_a_real_shop_has_to_be_named() -> None:
    assert shop_domain("https://harbor-and-pine.myshopify.com") == "harbor-and-pine.myshopify.com"
    assert shop_domain("http://127.0.0.1:8602") == ""
