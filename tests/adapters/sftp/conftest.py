"""Fixtures: a server, a wire to it, and a partner whose profile names it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.jobs.carrying import Sync
from gateway.jobs.context import Tally
from gateway.jobs.sync import sync_partner
from tests.adapters.sftp.server import SSHD, Server, Wire
from tests.stage import Stage

SFTP = """
[sftp]
host = "127.0.0.1"
port = {port}
user = "{user}"
key = "file:{key}"
host_key = "{pin}"
remote_in = "{to_us}"
remote_out = "{to_them}"
settle_seconds = 0
answer_seconds = 20
{more}

[receive]
"""


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start OpenSSH servers; every one is stopped at the end."""
    if SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail("sshd is not installed (package openssh-server), and this is CI")
        pytest.skip("no sshd: install the package openssh-server")
    made: list[Server] = []

    def make(**options: str) -> Server:
        server = Server(tmp_path / f"server{len(made)}", **options)  # type: ignore[arg-type]  # options by name
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """A server as most partners have one."""
    return make_server()


@dataclass
class Exchange:
    """ATLAS with a server: what it puts there and finds there, and the gateway's passes."""

    stage: Stage
    server: Server
    sync: Sync
    passes: list[Tally] = field(default_factory=list)

    @property
    def to_us(self) -> Path:
        """Where the partner puts files."""
        return self.server.home / "to_us"

    @property
    def to_them(self) -> Path:
        """Where the partner finds ours."""
        return self.server.home / "to_them"

    @property
    def inbox(self) -> Path:
        """Our inbox."""
        return self.stage.folder / "inbox" / "ATLAS"

    @property
    def outbox(self) -> Path:
        """Our outbox."""
        return self.stage.folder / "outbox" / "ATLAS"

    def pass_(self) -> Tally:
        """One pass."""
        self.passes.append(sync_partner(self.sync))
        return self.passes[-1]

    def other(self, owner: str = "other") -> Sync:
        """The same partner in the hands of another process."""
        return Sync(ctx=self.stage.ctx, partner="ATLAS", owner=owner)


def names(folder: Path) -> list[str]:
    """The files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.fixture
def make_exchange(make_stage: Callable[..., Stage]) -> Iterator[Callable[..., Exchange]]:
    """Stages whose ATLAS has a server, reached directly or over a wire."""
    made: list[Exchange] = []

    def make(server: Server, *, wire: Wire | None = None, pin: str | None = None, **settings: object) -> Exchange:
        more = "\n".join(f"{key} = {value}" for key, value in settings.items())
        text = SFTP.format(
            port=wire.port if wire else server.port,
            user=os.environ.get("USER") or __import__("pwd").getpwuid(os.geteuid()).pw_name,
            key=server.user_key,
            pin=server.pin if pin is None else pin,
            to_us=server.path("to_us"),
            to_them=server.path("to_them"),
            more=more,
        )
        stage = make_stage(edits=(("mappings/atlas.toml", "\n[receive]\n", text),))
        exchange = Exchange(stage, server, Sync(ctx=stage.ctx, partner="ATLAS", owner="test"))
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        exchange.sync.close()


@pytest.fixture
def exchange(server: Server, make_exchange: Callable[..., Exchange]) -> Exchange:
    """The usual one."""
    return make_exchange(server)


@pytest.fixture
def make_wire() -> Iterator[Callable[..., Wire]]:
    """Relays; every one is closed at the end."""
    made: list[Wire] = []

    def make(server: Server, **options: object) -> Wire:
        made.append(Wire(server.port, **options))  # type: ignore[arg-type]  # options by name
        return made[-1]

    yield make
    for wire in made:
        wire.close()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every connection is closed: no thread of a transport goes on."""
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith("sftp")]
    assert left == []
