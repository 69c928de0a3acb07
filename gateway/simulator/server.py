"""The simulated services on loopback: Loop on one port, Shopify on another, both over one world.

    with Simulator(harbor_and_pine(World(SimClock()))) as simulator:
        ... simulator.loop_url, simulator.loop_key, simulator.shopify_url, simulator.shopify_token

The Loop port also answers under `/_sim/`, where a person steers the world with curl (see `control`).
"""

import threading
from types import TracebackType

from gateway.simulator.calls import CallLog
from gateway.simulator.control import WithControl
from gateway.simulator.faults import Faults
from gateway.simulator.loop_http import LoopService
from gateway.simulator.loop_reads import LoopRules
from gateway.simulator.partner import Partner
from gateway.simulator.shopify_http import ShopifyRules, ShopifyService
from gateway.simulator.web import Server, Surroundings
from gateway.simulator.world import World

LOOP_KEY = "loop-key-of-the-simulator"
LOOP_SCOPES = ("returns", "destinations:read")
SHOPIFY_TOKEN = "shpat_token_of_the_simulator"


class SimulatorDefect(Exception):
    """The simulator itself failed while it answered a request."""


class Simulator:
    """Loop and Shopify over HTTP on 127.0.0.1; port 0 takes any free one. Use it as a context manager, or start and stop it."""

    def __init__(
        self,
        world: World,
        *,
        loop_port: int = 0,
        shopify_port: int = 0,
        loop_key: str = LOOP_KEY,
        shopify_token: str = SHOPIFY_TOKEN,
    ) -> None:
        self.world = world
        self.loop_key = loop_key
        self.shopify_token = shopify_token
        self.faults = Faults(world.seed)
        self.calls = CallLog()
        self.loop_rules = LoopRules(keys={loop_key: LOOP_SCOPES})
        self.shopify_rules = ShopifyRules(tokens={shopify_token: None})
        around = Surroundings(world.clock, self.faults, self.calls)
        self._loop = Server(loop_port, WithControl(LoopService(world, self.loop_rules), self), around)
        self._shopify = Server(shopify_port, ShopifyService(world, self.shopify_rules), around)
        self.partners: list[Partner] = []
        self._threads: list[threading.Thread] = []

    @property
    def loop_url(self) -> str:
        """Loop's base address, with the version."""
        return f"{self._loop.url()}/api/2026-07"

    @property
    def control_url(self) -> str:
        """Where the world is steered."""
        return f"{self._loop.url()}/_sim"

    @property
    def shopify_url(self) -> str:
        """The shop's base address, without a path."""
        return self._shopify.url()

    def step_partners(self) -> list[str]:
        """Let every partner look into its folders once; returns what they did."""
        return [f"{partner.code} {done}" for partner in self.partners for done in partner.step()]

    def start(self) -> "Simulator":
        for server in (self._loop, self._shopify):
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True, name=server.service.name)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Stop both services; a defect met while answering is raised here, since the client only saw a closed connection."""
        for server in (self._loop, self._shopify):
            server.stop()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()
        defects = [*self._loop.defects, *self._shopify.defects]
        if defects:
            raise SimulatorDefect("\n".join(defects))

    def __enter__(self) -> "Simulator":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
