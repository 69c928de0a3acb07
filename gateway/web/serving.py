"""Serving the applications: every listening socket in one loop that ends when the service stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from gateway.errors import PermanentError
from gateway.web.desk import Desk

LOOK_SECONDS = 0.2
THREADS = 6
LARGEST_BODY = 64 * 1024 * 1024


class AddressTakenError(PermanentError):
    """The address cannot be listened on."""


def serve(desk: Desk, *, pages: str, webhooks: str, stopping: threading.Event, ready: Callable[[list[str]], None] = lambda _addresses: None) -> None:
    """Serve until stopped; an address that is empty or `off` is not served. Webhooks without an address of their own are served with the pages."""
    from gateway.web.app import make_app, make_webhook_app

    wanted = [(address, make) for address, make in ((pages, make_app), (webhooks, make_webhook_app)) if address and address != "off"]
    sockets: dict[int, Any] = {}
    servers = [_listen(make(desk), address, sockets) for address, make in wanted]
    told = [f"{server.effective_host}:{server.effective_port}" for server in servers]
    if told:
        desk.ctx.log.info("pages.listening", extra={"addresses": told})
    ready(told)
    _run(servers, sockets, stopping)


def _run(servers: list[Any], sockets: dict[int, Any], stopping: threading.Event) -> None:
    from waitress import wasyncore

    try:
        while not stopping.is_set():
            if sockets:
                wasyncore.loop(timeout=LOOK_SECONDS, map=sockets, count=1)
            else:
                stopping.wait()
    finally:
        for server in servers:
            server.task_dispatcher.shutdown(timeout=2)
            server.close()
        wasyncore.close_all(sockets, ignore_all=True)


def _listen(app: Any, address: str, sockets: Mapping[int, Any]) -> Any:
    from waitress.server import create_server

    try:
        return create_server(app, listen=address, map=sockets, threads=THREADS, ident=None, max_request_body_size=LARGEST_BODY, channel_timeout=30)
    except (OSError, ValueError) as fault:
        raise AddressTakenError(
            f"{address} cannot be listened on ({fault}); give service.listen in gateway.toml (or GATEWAY_UI_LISTEN) another address, or `off`"
        ) from fault
