"""The test world, running: Loop and Shopify on loopback, and short ways to ask them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from gateway.simulator.clock import SimClock
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine, open_known_return


@dataclass
class Ask:
    """Requests to a running simulator, with the right key and token unless others are given."""

    simulator: Simulator
    session: requests.Session

    def loop(self, method: str, path: str, *, key: str | None = None, **more: object) -> requests.Response:
        headers = {"X-Authorization": self.simulator.loop_key if key is None else key}
        return self.session.request(method, self.simulator.loop_url + path, headers=headers, timeout=5, **more)

    def act(self, rma: int, verb: str, **more: object) -> requests.Response:
        return self.loop("POST", f"/warehouse/return/{rma}/{verb}", **more)

    def details(self, rma: int) -> dict:
        return self.loop("GET", "/warehouse/return/details", params={"return_id": rma}).json()

    def list(self, **params: object) -> requests.Response:
        return self.loop("GET", "/warehouse/return/list", params=params)

    def shopify(self, document: str, /, *, token: str | None = None, version: str = "2026-10", **variables: object) -> requests.Response:
        headers = {"X-Shopify-Access-Token": self.simulator.shopify_token if token is None else token}
        url = f"{self.simulator.shopify_url}/admin/api/{version}/graphql.json"
        return self.session.post(url, json={"query": document, "variables": variables}, headers=headers, timeout=5)

    def control(self, action: str, **args: object) -> requests.Response:
        return self.session.post(f"{self.simulator.control_url}/do", json={"action": action, "args": args}, timeout=5)


@pytest.fixture
def world() -> World:
    return harbor_and_pine(World(SimClock()))


@pytest.fixture
def returns(world: World) -> World:
    """The world with its four returns open."""
    for rma in (77000001, 77000002, 77000003, 77000004):
        open_known_return(world, rma)
    return world


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world) as running:
        yield running


@pytest.fixture
def ask(simulator: Simulator) -> Iterator[Ask]:
    with requests.Session() as session:
        yield Ask(simulator, session)
