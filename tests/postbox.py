"""A real SMTP server on loopback that keeps what it took and can be told to misbehave."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class Postbox:
    """What the server took, and how it behaves: `refuse` is what it says to a letter, `hang_up` drops the line after taking it."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""
    hang_up: str = ""
    port: int = 0

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        """Refuse a receiver when told to."""
        if self.refuse.startswith("5"):
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a letter."""
        if self.hang_up == "before":
            server.transport.abort()
            return ""
        if self.refuse:
            return self.refuse
        self.letters.append(message_from_bytes(envelope.content or b"", policy=policy.default))  # type: ignore[arg-type]  # bytes, as decode_data is off
        if self.hang_up == "after":
            server.transport.abort()
            return ""
        return "250 taken"

    @property
    def subjects(self) -> list[str]:
        """The subjects of what was taken."""
        return [str(letter["Subject"]) for letter in self.letters]

    def text(self, number: int = -1) -> str:
        """The plain words of a letter."""
        part = self.letters[number].get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    def html(self, number: int = -1) -> str:
        """The HTML of a letter."""
        part = self.letters[number].get_body(("html",))
        assert part is not None
        return str(part.get_content())


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(box: Postbox, *, port: int = 0, certificate: ssl.SSLContext | None = None, user: str = "") -> Iterator[Postbox]:
    """The server, as long as it is needed; with a certificate it wants STARTTLS, with a user also a password (`secret`)."""

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(handled=False, success=(data.login, data.password) == (user.encode(), b"secret"))

    options: dict[str, Any] = {"tls_context": certificate, "require_starttls": True} if certificate else {}
    if user:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": bool(certificate)}
    box.port = port or box.port or free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
