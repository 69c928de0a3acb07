"""Telling systemd how we are: ready, alive, stopping (sd_notify, a datagram on the socket it names). Elsewhere nothing listens and nothing is sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

LOOK_SECONDS = 10.0


def tell(words: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send words like `READY=1`; False when nobody listens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(words.encode())
    except OSError:
        return False
    return True


def interval(environment: Mapping[str, str] = os.environ) -> float:
    """Seconds between two signs of life: a third of what the watchdog allows."""
    allowed = environment.get("WATCHDOG_USEC", "")
    return int(allowed) / 1_000_000 / 3 if allowed.isdigit() and int(allowed) else LOOK_SECONDS
