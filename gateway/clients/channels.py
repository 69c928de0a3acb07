"""Alerts to Slack, Teams and others through Apprise, an optional extra.

Apprise says only yes or no; a no is taken as not done and tried again. A channel is named in the settings by the reference of its secret address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.clients.mail import MAIL, Letter, Mailer
from gateway.clients.session import Kind, Outcome

LONGEST = 3500


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Everything a letter can go to: a mail server, and Apprise addresses by channel name."""

    mailer: Mailer | None
    addresses: Mapping[str, str]

    def send(self, letter: Letter) -> Outcome:
        """Send a letter to its channel."""
        if not letter.channel.startswith(MAIL):
            return notify(self.addresses.get(letter.channel, ""), letter)
        if self.mailer is None:
            return Outcome(kind=Kind.DENIED, text="tell.smtp_host is not set in gateway.toml")
        return self.mailer.send(letter)


def notify(address: str, letter: Letter) -> Outcome:
    """Send a letter through Apprise."""
    if not address:
        return Outcome(kind=Kind.DENIED, text=f"the secret {letter.channel} is not set")
    try:
        import apprise
    except ImportError:
        return Outcome(kind=Kind.DENIED, text="this channel needs the extra `alerts`: pip install 'returns-gateway[alerts]'")
    target = apprise.Apprise()
    if not target.add(address):
        return Outcome(kind=Kind.DENIED, text=f"the address behind {letter.channel} is none that Apprise knows")
    sent = target.notify(title=letter.subject, body=letter.body[:LONGEST])
    return Outcome(kind=Kind.ACCEPTED, text="taken") if sent else Outcome(kind=Kind.NOT_DONE, text="the channel did not take it")
