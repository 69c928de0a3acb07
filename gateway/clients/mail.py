"""Mail out over SMTP, one letter to one receiver, judged by the server's own words.

The moment that counts is the answer after the final dot: 250 and the letter is the server's. What fails before the dot has surely not been taken and may
be sent again; a connection that dies between the dot and the answer leaves it in doubt. The message id comes from the letter's key, so that a letter
that is sent twice on a person's word is recognised as the same one.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from gateway.clients.session import Kind, Outcome

MAIL = "mail:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message for one receiver; `channel` is `mail:ADDRESS` or the name of another channel."""

    key: str
    channel: str
    subject: str
    body: str
    html: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """A mail server and how it is spoken to; `security` is `starttls`, `ssl` or `none`."""

    host: str
    port: int
    security: str
    sender: str
    user: str = ""
    password: str = ""
    authorities: str | None = None
    timeout: float = 30.0

    def send(self, letter: Letter) -> Outcome:
        """Send one letter; never raises for what a server or network does."""
        address = letter.channel.removeprefix(MAIL)
        server: smtplib.SMTP | None = None
        try:
            server = self._connect()
            return self._hand_over(server, address, self.write(letter, address))
        except smtplib.SMTPAuthenticationError as fault:
            return Outcome(kind=Kind.DENIED, text=f"{self.host} refuses our user name and password ({_words(fault.smtp_error)})")
        except smtplib.SMTPNotSupportedError as fault:
            return Outcome(kind=Kind.DENIED, text=f"{self.host}: {fault}; set tell.smtp_security to what the server offers")
        except (OSError, smtplib.SMTPException) as fault:
            return Outcome(kind=Kind.NOT_DONE, text=f"{self.host}:{self.port} cannot be used ({_brief(fault)})")
        finally:
            if server is not None:
                server.close()

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.authorities)
        if self.security == "ssl":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
                server.ehlo()
            if self.user:
                server.login(self.user, self.password)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _hand_over(self, server: smtplib.SMTP, address: str, content: bytes) -> Outcome:
        steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
            lambda: server.mail(_bare(self.sender)),
            lambda: server.rcpt(address),
            lambda: server.docmd("DATA"),
        )
        for step in steps:
            code, said = step()
            if code >= 400:
                return _judge(code, said)
        server.send(content + b".\r\n")  # a fault here: the dot, its last bytes, has not left
        try:
            code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as fault:
            return Outcome(kind=Kind.UNCLEAR, text=f"{self.host} took the message and gave no answer ({_brief(fault)})")
        return _judge(code, said)

    def write(self, letter: Letter, address: str) -> bytes:
        """The letter as it travels, dots at the beginning of lines doubled (RFC 5321, 4.5.2)."""
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = address
        message["Subject"] = " ".join(letter.subject.split())
        message["Date"] = format_datetime(letter.at)
        message["Message-ID"] = f"<{hashlib.sha256(letter.key.encode()).hexdigest()[:32]}@{_bare(self.sender).rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.body)
        if letter.html:
            message.add_alternative(letter.html, subtype="html")
        content = message.as_bytes(policy=policy.SMTP.clone(max_line_length=500))
        return re.sub(rb"(?m)^\.", b"..", content if content.endswith(b"\r\n") else content + b"\r\n")


def _judge(code: int, said: bytes) -> Outcome:
    kind = Kind.ACCEPTED if code < 400 else Kind.NOT_DONE if code < 500 else Kind.REFUSED
    return Outcome(kind=kind, text=f"{code} {_words(said)}", code=str(code))


def _bare(address: str) -> str:
    return address.rpartition("<")[2].rstrip("> ") or address


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]


def _brief(fault: Exception) -> str:
    return (fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault))[:200] or type(fault).__name__
