"""Telling people: the daily recap, and what is wrong, grouped, not repeated, and once more when it is over (requirements R-132, R-154 to R-156).

A message is an effect like any other: written with its key in one transaction, sent from the outbox, settled by what the server said. A mail server that
is dead loses nothing: its messages wait, and that is itself a problem that `gateway status` shows. A message of which it is not known whether the
server took it is not sent again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from gateway.clients.mail import Letter
from gateway.clients.session import Kind, Outcome
from gateway.domain.telling import Cause, News, find_news
from gateway.errors import PermanentError, TemporaryError
from gateway.jobs import watching
from gateway.jobs.context import Context, Tally
from gateway.mapping import letters
from gateway.store import database, events, messages, overview
from gateway.store.messages import Message
from gateway.views import recap

CANNOT_TELL = "cannot tell"
DOUBTFUL = "message in doubt"
NOT_TOLD = frozenset({CANNOT_TELL})  # telling of this would wait behind what it tells of
RECAP = "recap"


class NobodyToTellError(PermanentError):
    """Nobody is to be told: set tell.recap_to (and tell.smtp_host, tell.sender) in gateway.toml."""


def tell_people(ctx: Context) -> Tally:
    """Watch, then tell what is new, what lasts and what is over, in one message for each receiver."""
    watching.watch(ctx)
    tally = Tally()
    telling = ctx.telling
    with database.writing(ctx.engine) as connection:
        causes = [cause for cause in current_causes(ctx, connection) if cause.kind not in NOT_TOLD]
        repeat, group = timedelta(hours=telling.repeat_hours), timedelta(seconds=telling.group_seconds)
        news = find_news(causes, messages.told(connection), now=ctx.now(), repeat=repeat, group=group)
        tally.read = len(causes)
        if not news:
            return tally
        channels = (*(f"mail:{address}" for address in telling.alert_to), *telling.channels)
        facts = {"merchant": telling.merchant, "news": news, "day": ctx.local(ctx.now())}
        body = letters.render(ctx.template("alert.txt.j2"), facts, html=False)
        subject = f"{telling.merchant} returns: {news.subject}"
        key = f"alert:{database.instant(ctx.now())}"
        tally.done = _post(ctx, connection, key=key, kind="alert", channels=channels, words=(subject, body, ""))
        _remember(ctx, connection, news)
    return tally


def current_causes(ctx: Context, connection: Connection) -> list[Cause]:
    """Everything wrong now that is told at once: open alerts, and tasks of the kinds that do not wait for the recap."""
    found = [
        Cause(kind=a["kind"], subject=a["subject"], text=a["text"], since=database.moment(a["last_at"]))
        for a in sorted(overview.open_alerts(connection, limit=None), key=lambda alert: int(alert["id"]))
    ]
    found += [
        Cause(kind=t["kind"], subject=t["subject"], text=t["text"], since=database.moment(t["opened_at"]), advice=t["advice"])
        for t in events.open_tasks(connection)
        if t["kind"] in ctx.telling.tasks
    ]
    return found


def _remember(ctx: Context, connection: Connection, news: News) -> None:
    for cause in news.new:
        messages.remember(connection, cause, times=1, at=ctx.now())
    for cause in news.again:
        messages.remember(connection, cause, times=news.repeated[cause.key], at=ctx.now())
    messages.forget(connection, news.resolved)


def daily_recap(ctx: Context, *, now: bool = False) -> Tally:
    """Send the recap of the day once its hour has come, or at once when asked; also when all is well (R-154)."""
    tally = Tally()
    local = ctx.local(ctx.now())
    day = f"{local:%Y-%m-%d}"
    with database.reading(ctx.engine) as connection:
        made = events.position(connection, RECAP)
    if not now and (made == day or local.time() < ctx.telling.recap_at):
        return tally
    if not ctx.telling.recap_to:
        if now:
            raise NobodyToTellError
        return tally
    with database.reading(ctx.engine) as connection:  # it takes a while, and nobody has to wait for it
        facts = gather_recap(ctx, connection)
    words = write_recap(ctx, facts)
    with database.writing(ctx.engine) as connection:
        events.set_position(connection, recap.DIFFERING, facts.differing.dump())
        key = f"recap:{database.instant(ctx.now())}" if now else f"recap:{day}"
        tally.done = _post(ctx, connection, key=key, kind=RECAP, channels=[f"mail:{address}" for address in ctx.telling.recap_to], words=words)
        if not now:
            events.set_position(connection, RECAP, day)
    return tally


def gather_recap(ctx: Context, connection: Connection) -> recap.Recap:
    """The facts of the last 24 hours."""
    calendars = {name: profile.calendar.business for name, profile in ctx.profiles.items()}
    return recap.gather(connection, calendars=calendars, limits=ctx.limits, since=ctx.now() - timedelta(days=1), now=ctx.now())


def write_recap(ctx: Context, found: recap.Recap) -> tuple[str, str, str]:
    """Subject, text and HTML of a recap."""
    local = ctx.local(found.now)
    subject = f"{ctx.telling.merchant} returns, {local:%a %d %b %Y}: {found.headline}"
    facts = {"merchant": ctx.telling.merchant, "recap": found, "day": local, "local": ctx.local, "subject": subject}
    text = letters.render(ctx.template("recap.txt.j2"), facts, html=False)
    return subject, text, letters.render(ctx.template("recap.html.j2"), facts, html=True)


def _post(ctx: Context, connection: Connection, *, key: str, kind: str, channels: Sequence[str], words: tuple[str, str, str]) -> int:
    """Put a message for each receiver into the outbox; how many are new."""
    made = [messages.add(connection, key=f"{key} {to}", kind=kind, channel=to, words=words, at=ctx.now()) for to in channels]
    return sum(1 for number in made if number is not None)


def deliver_message(ctx: Context, key: str) -> None:
    """Send one message of the outbox; raises TemporaryError while the server cannot be reached."""
    with database.writing(ctx.engine) as connection:
        message = messages.load(connection, int(key))
        if message is None or message.state in ("sent", "failed", "in doubt"):
            return
        if message.state == "sending":  # a process was killed while it left
            _settle(ctx, connection, message, Outcome(kind=Kind.UNCLEAR, text="the gateway was stopped while it was being sent"))
            return
        if not messages.begin(connection, message):
            return
    letter = Letter(key=message.key, channel=message.channel, subject=message.subject, body=message.body, html=message.html, at=message.created_at)
    outcome = ctx.telling.post(letter)
    with database.writing(ctx.engine) as connection:
        _settle(ctx, connection, message, outcome)
    if outcome.kind in (Kind.NOT_DONE, Kind.DENIED):
        delay = ctx.timing.longest_retry if outcome.kind == Kind.DENIED else None
        raise TemporaryError(f"message {message.id} to {message.channel}: {outcome.text}", delay=delay)


STATES = {Kind.ACCEPTED: "sent", Kind.REFUSED: "failed", Kind.UNCLEAR: "in doubt", Kind.NOT_DONE: "pending", Kind.DENIED: "pending"}


def _settle(ctx: Context, connection: Connection, message: Message, outcome: Outcome) -> None:
    state = STATES[outcome.kind]
    messages.settle(connection, message.id, state=state, cause=outcome.text, at=ctx.now())
    text = f"Message {message.id} ({message.subject}) to {message.channel}: {outcome.text}"
    if state == "sent":
        events.note(connection, "message.sent", text, at=ctx.now(), facts={"message": message.id})
        for kind in (CANNOT_TELL, DOUBTFUL):
            subject = message.channel if kind == CANNOT_TELL else f"message {message.id}"
            events.resolve_alert(connection, kind, subject, at=ctx.now())
    elif state == "pending":
        waiting = f"{message.channel} cannot be told: {outcome.text}. Its messages wait and go out when it answers"
        events.raise_alert(connection, CANNOT_TELL, message.channel, waiting, at=ctx.now())
    elif state == "failed":
        advice = f"correct the address in gateway.toml ([tell]), then `gateway retry message:{message.id}`"
        events.open_task(connection, "message refused", f"message {message.id}", text, at=ctx.now(), advice=advice)
    else:
        doubt = f"{text}. It may have arrived and is not sent again by itself; `gateway retry message:{message.id}` sends it again"
        events.raise_alert(connection, DOUBTFUL, f"message {message.id}", doubt, at=ctx.now())
