"""Who may see and do what (R-175): every route as every role, forms, hosts, sign-in."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.jobs import people
from gateway.store import database, events
from gateway.store import people as people_store
from gateway.web.desk import Desk
from gateway.web.guard import ACT, ADMINISTER, LOOK, MONEY, RIGHTS
from gateway.web.routes import ROUTES
from tests.adapters.web.conftest import SignIn
from tests.browser.scene import PASSWORD, PEOPLE
from tests.stage import Stage

PLACES = {"report": "month-end", "number": "77000003", "ra": "RA77000003", "name": "ATLAS"}


def address(path: str) -> str:
    """A route's path with something real in its places."""
    return re.sub(r"<(?:int:)?(\w+)>", lambda found: PLACES.get(found[1], "2"), path)


def form_key(client: FlaskClient) -> str:
    """The key that a page of this session carries in its forms."""
    found = re.search(r'name="form_key" value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]


@pytest.mark.parametrize(("name", "role"), PEOPLE.items())
def test_it_gives_each_role_its_routes_and_no_other(world: Stage, visit: SignIn, name: str, role: str) -> None:
    client = visit(name)
    for route in ROUTES:
        answer = client.open(address(route.path), method=route.method, data={} if route.method == "POST" else None)
        allowed = route.needs in RIGHTS[role] and route.method == "GET"
        assert (answer.status_code < 400) == allowed, (role, route.path, answer.status_code)
        assert allowed or answer.status_code == 403, (role, route.path, answer.status_code)


def test_a_viewer_cannot_act_even_with_a_good_form(world: Stage, visit: SignIn) -> None:
    for name in ("vera", "fina"):
        client = visit(name)
        answer = client.post("/ras/RA77000002/hold", data={"form_key": form_key(client), "reason": "no"})
        assert answer.status_code == 403
    assert world.ra("RA77000002").state.value != "held"


def test_rights_are_what_the_roles_are_for() -> None:
    assert {MONEY} == RIGHTS["finance"] - RIGHTS["viewer"]
    assert ACT not in RIGHTS["finance"]
    assert ADMINISTER not in RIGHTS["operator"]
    assert all(LOOK in rights for rights in RIGHTS.values())
    assert set(RIGHTS) == set(people.ROLES)


def test_it_asks_to_sign_in_and_leads_back(filled: Stage, app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/returns/77000003?x=1")
    assert answer.headers["Location"] == "/sign-in?next=%2Freturns%2F77000003%3Fx%3D1"
    entered = client.post("/sign-in", data={"name": "vera", "password": PASSWORD, "next": "/returns/77000003"})
    assert entered.headers["Location"] == "/returns/77000003"
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"])
def test_it_leads_nowhere_else(peopled: Stage, app: Flask, target: str) -> None:
    answer = app.test_client().post("/sign-in", data={"name": "vera", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/"


def test_no_write_is_reached_by_a_link(world: Stage, visit: SignIn) -> None:
    client = visit("anna")
    for route in ROUTES:
        if route.method == "POST" and not any(r.method == "GET" and r.path == route.path for r in ROUTES):
            assert client.get(address(route.path)).status_code in (404, 405), route.path


def test_a_form_without_its_key_or_from_elsewhere_changes_nothing(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    key = form_key(client)
    tried = [
        ({"reason": "x"}, {}),
        ({"reason": "x", "form_key": "guess"}, {}),
        ({"reason": "x", "form_key": key}, {"Origin": "https://evil.example"}),
    ]
    for data, headers in tried:
        assert client.post("/ras/RA77000002/close", data=data, headers=headers).status_code == 403
    assert filled.ra("RA77000002").state.value == "sent"
    assert client.post("/ras/RA77000002/close", data={"reason": "parcel lost", "form_key": key}).status_code == 303
    assert filled.ra("RA77000002").state.value == "closed"
    with database.reading(filled.ctx.engine) as connection:
        told = events.of_return(connection, "77000002")[-1]
    assert (told["word"], told["actor"], "parcel lost" in told["text"]) == ("ra.closed", "otto", True)


def test_it_answers_to_its_own_names_only(peopled: Stage, app: Flask) -> None:
    client = app.test_client()
    assert client.get("/sign-in", headers={"Host": "rebound.example:8484"}).status_code == 421
    assert client.get("/health", headers={"Host": "127.0.0.1:8484"}).status_code != 421
    assert client.get("/sign-in", headers={"Host": "[::1]:8484"}).status_code == 200


def test_five_wrong_passwords_lock_the_name_for_a_while(peopled: Stage, app: Flask) -> None:
    client = app.test_client()

    def enter(password: str) -> int:
        return client.post("/sign-in", data={"name": "vera", "password": password}).status_code

    assert [enter("wrong password") for _ in range(5)] == [403] * 5
    assert enter(PASSWORD) == 403
    assert "Too many" in client.post("/sign-in", data={"name": "vera", "password": PASSWORD}).text
    peopled.clock.advance(15 * 60 + 1)
    assert enter(PASSWORD) == 303


def test_a_session_ends_by_itself_by_signing_out_and_with_its_user(peopled: Stage, sign_in: SignIn) -> None:
    first, second, third = sign_in("vera"), sign_in("fina"), sign_in("otto")
    assert first.post("/sign-out", data={"form_key": form_key(first)}).status_code == 303
    people.remove_user(peopled.ctx, name="fina", actor="test")
    assert [client.get("/").status_code for client in (first, second, third)] == [303, 303, 200]
    peopled.clock.advance(people.SESSION_HOURS * 3600 + 1)
    assert third.get("/").status_code == 303


def test_it_keeps_neither_passwords_nor_tokens(peopled: Stage, sign_in: SignIn) -> None:
    client = sign_in("vera")
    cookie = client.get_cookie("gateway_session")
    assert cookie
    with database.reading(peopled.ctx.engine) as connection:
        user = people_store.load_user(connection, "vera")
        assert people_store.load_session(connection, cookie.value, now=peopled.ctx.now()) is None
    assert user
    assert PASSWORD not in user["password"]
    assert user["password"].startswith("scrypt:")


def test_the_first_visit_says_how_the_first_user_is_made(stage: Stage, app: Flask) -> None:
    page = app.test_client().get("/sign-in").text
    assert "gateway user add NAME --role administrator" in page
    assert 'type="password"' not in page


def test_users_have_good_names_and_passwords(stage: Stage) -> None:
    for name, role, password in (("", "viewer", PASSWORD), ("x\u202e", "viewer", PASSWORD), ("x", "king", PASSWORD), ("x", "viewer", "short")):
        with pytest.raises(people.UserError):
            people.add_user(stage.ctx, name=name, role=role, password=password, actor="test")


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(world: Stage, visit: SignIn) -> None:
    client = visit("anna")
    for route in ROUTES:
        if route.method != "GET" or "download" in route.path:
            continue
        answer = client.get(address(route.path))
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        if answer.mimetype == "application/zip":
            continue
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", answer.text), route.path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text), route.path


def test_an_unexpected_error_tells_a_number_and_no_more(peopled: Stage, desk: Desk, sign_in: SignIn) -> None:
    client = sign_in("anna")
    peopled.ctx.engine.dispose()
    (peopled.folder / "var" / "gateway.db").rename(peopled.folder / "var" / "away.db")
    answer = client.get("/desk")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "sqlalchemy" not in answer.text.lower()
