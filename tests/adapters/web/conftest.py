"""A filled world behind Flask's own client, signed in by role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.cli.pages import make_desk
from gateway.web.app import make_app
from gateway.web.desk import Desk
from tests.browser import scene
from tests.stage import Stage

SignIn = Callable[[str], FlaskClient]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The filled world that tests share which only look."""
    with Stage(tmp_path_factory.mktemp("world") / "stage") as stage:
        scene.fill(stage)
        yield stage


@pytest.fixture(scope="session")
def visit(world: Stage) -> SignIn:
    """Someone looking at the shared world."""
    return _door(make_app(make_desk(world.workspace, world.ctx)))


@pytest.fixture
def filled(stage: Stage) -> Stage:
    """The world with something on every page."""
    scene.fill(stage)
    return stage


@pytest.fixture
def peopled(stage: Stage) -> Stage:
    """An empty world that four people may look at."""
    scene.let_in(stage)
    return stage


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """What the pages are handed."""
    return make_desk(stage.workspace, stage.ctx)


@pytest.fixture
def app(desk: Desk) -> Flask:
    """The application."""
    return make_app(desk)


@pytest.fixture
def sign_in(app: Flask) -> SignIn:
    """Sign someone in; a client with the session's cookie."""
    return _door(app)


def _door(app: Flask) -> SignIn:
    @cache
    def enter(name: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/sign-in", data={"name": name, "password": scene.PASSWORD, "next": "/"})
        assert answer.status_code == 303, answer.text
        return client

    return enter
