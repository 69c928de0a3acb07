"""How any effect outside is carried out once: intent committed, effect, outcome committed (DESIGN section 4).

The steps are the same for every kind; what differs is a `Way`: a look before acting, the act, a look afterwards when the outcome is in doubt, and
what follows once it is settled. An effect in doubt is never sent again before the settle time is over *and* a look shows that it did not happen.
A look that cannot tell leaves it in doubt and asks a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from gateway.clients.session import AccessDeniedError, Kind, Outcome
from gateway.errors import PermanentError, TemporaryError
from gateway.jobs.context import Context
from gateway.store import database, effects, events, returns
from gateway.store.effects import Effect, EffectState

__all__ = ["Effect", "EffectState", "Look", "Sight", "Way", "intend", "load", "may_ask", "perform"]

DENIED = "access denied"
SETTLED = {Kind.ACCEPTED: EffectState.CONFIRMED, Kind.REFUSED: EffectState.FAILED}
LONGEST_HESITATION = 60.0  # seconds between the commit of "in doubt" and the call; far less than a lease and the settle time together


class Sight(StrEnum):
    """What a look shows."""

    CLEAR = "clear to act"
    HAPPENED = "it happened"
    NOT_HAPPENED = "it did not happen"
    CANNOT = "it cannot be done"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at the other side, with what was seen (kept as evidence) and in words."""

    sight: Sight
    words: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one kind of effect is done."""

    label: str
    before: Callable[[Context, Effect], Look]
    act: Callable[[Context, Effect], Outcome]
    after: Callable[[Context, Effect], Look]
    settled: Callable[[Context, Connection, Effect, EffectState, str], None]
    is_free: Callable[[Context], bool] | None = None  # whether a call would leave at once; None where also a first try needs a look before it


class InDoubtError(TemporaryError):
    """The outcome of a call is not known; it is looked up before anything is repeated."""


def perform(ctx: Context, effect: Effect, way: Way) -> None:
    """Bring one effect a step further; raises TemporaryError, or HeldError for a refused key, when it must be taken up again later."""
    try:
        _step(ctx, effect, way)
    except AccessDeniedError as error:
        with database.writing(ctx.engine) as connection:
            events.raise_alert(connection, DENIED, _service(effect), error.message, at=ctx.now())
        raise


def _service(effect: Effect) -> str:
    return effect.kind.partition(".")[0]


def _step(ctx: Context, effect: Effect, way: Way) -> None:
    if effect.state in (EffectState.CONFIRMED, EffectState.FAILED):
        return
    if effect.state == EffectState.IN_DOUBT:
        look = _look_up(ctx, effect, way)
        if look.sight != Sight.NOT_HAPPENED:
            return
    look = way.before(ctx, effect)
    if look.sight == Sight.HAPPENED:
        _settle(ctx, effect, way, EffectState.CONFIRMED, look.words)
        return
    if look.sight == Sight.CANNOT:
        _settle(ctx, effect, way, EffectState.FAILED, look.words)
        return
    began = ctx.monotonic()
    with database.writing(ctx.engine) as connection:
        if not effects.send(connection, effect, evidence=look.evidence, now=ctx.now()):
            return
    if ctx.monotonic() - began > LONGEST_HESITATION:  # this process stood still: another may have taken the work over and be looking
        raise InDoubtError(f"{way.label}: not sent, the process stood still for {ctx.monotonic() - began:.0f} s")
    _judge(ctx, effect, way, way.act(ctx, effect))


def _look_up(ctx: Context, effect: Effect, way: Way) -> Look:
    """Settle an effect in doubt by looking; asks a person when the look cannot tell."""
    settle_at = (effect.sent_at or ctx.now()) + timedelta(seconds=ctx.timing.doubt_settle)
    rest = (settle_at - ctx.now()).total_seconds()
    if rest > 0:
        raise InDoubtError(f"{way.label}: the outcome is in doubt; looked up in {rest:.0f} s", delay=rest)
    look = way.after(ctx, effect)
    if look.sight == Sight.HAPPENED:
        _settle(ctx, effect, way, EffectState.CONFIRMED, look.words)
    elif look.sight == Sight.CANNOT:
        _settle(ctx, effect, way, EffectState.FAILED, look.words)
    elif look.sight == Sight.UNKNOWN:
        with database.writing(ctx.engine) as connection:
            text = f"{way.label} for {effect.target}: it is not known whether it happened ({look.words}). It is not repeated by itself"
            advice = f"look at {effect.target} in the service's admin; then `gateway retry {effect.id}` (did not happen) or close this"
            events.open_task(connection, "in doubt", f"effect {effect.id}", text, at=ctx.now(), rma=effect.payload.get("rma"), advice=advice)
        raise InDoubtError(f"{way.label}: {look.words}", delay=ctx.timing.longest_retry)
    else:
        with database.writing(ctx.engine) as connection:
            _tell(ctx, connection, effect, "effect.not-happened", f"{way.label}: looked up, it did not happen ({look.words}); sent again")
    return look


def _judge(ctx: Context, effect: Effect, way: Way, outcome: Outcome) -> None:
    with database.writing(ctx.engine) as connection:
        error = write_outcome(ctx, connection, effect, way, outcome)
        if outcome.kind == Kind.ACCEPTED:
            resolve_denied(ctx, connection, effect)
    if outcome.kind == Kind.ACCEPTED:
        log_confirmed(ctx, effect)
    if error:
        raise error


def write_outcome(ctx: Context, connection: Connection, effect: Effect, way: Way, outcome: Outcome) -> TemporaryError | None:
    """Write what a call came to, and what follows; the error that says when the effect must be taken up again, None when it is settled."""
    attempt = effect.attempts + 1
    if outcome.kind in SETTLED:
        _write_settled(ctx, connection, effect, way, SETTLED[outcome.kind], (outcome.text, f", attempt {attempt}"))
        return None
    doubtful = outcome.kind == Kind.UNCLEAR
    state = EffectState.IN_DOUBT if doubtful else EffectState.INTENDED
    effects.settle(connection, effect.id, state=state, cause=outcome.text, now=ctx.now())
    words = "in doubt" if doubtful else "not done, tried again"
    _tell(ctx, connection, effect, "effect.attempt", f"{way.label}, attempt {attempt}: {outcome.text}; {words}")
    if outcome.kind == Kind.DENIED:
        events.raise_alert(connection, DENIED, _service(effect), outcome.text, at=ctx.now())
    if doubtful:
        return InDoubtError(outcome.text, delay=ctx.timing.doubt_settle)
    return TemporaryError(outcome.text, delay=ctx.timing.longest_retry if outcome.kind == Kind.DENIED else outcome.delay)


def resolve_denied(ctx: Context, connection: Connection, effect: Effect) -> None:
    """Note that the service of an effect takes our key."""
    events.resolve_alert(connection, DENIED, _service(effect), at=ctx.now())


def log_confirmed(ctx: Context, effect: Effect) -> None:
    """Log an effect that happened, once that is committed."""
    ctx.log.info("effect.confirmed", extra={"kind": effect.kind, "target": effect.target})


def _settle(ctx: Context, effect: Effect, way: Way, state: EffectState, cause: str) -> None:
    """Settle an effect by a look."""
    with database.writing(ctx.engine) as connection:
        _write_settled(ctx, connection, effect, way, state, (cause, ""))
        if state == EffectState.CONFIRMED:
            resolve_denied(ctx, connection, effect)
    if state == EffectState.CONFIRMED:
        log_confirmed(ctx, effect)


def _write_settled(ctx: Context, connection: Connection, effect: Effect, way: Way, state: EffectState, told: tuple[str, str]) -> None:
    """Write what an effect came to and what follows; `told` is the cause, and which attempt settled it."""
    effects.settle(connection, effect.id, state=state, cause=told[0], now=ctx.now())
    follow_up(ctx, connection, effect, way, state, told)


def follow_up(ctx: Context, connection: Connection, effect: Effect, way: Way, state: EffectState, told: tuple[str, str]) -> None:
    """Write what follows once an effect is settled."""
    cause, attempt = told
    _tell(ctx, connection, effect, f"effect.{state.value}", f"{way.label}{attempt}: {cause}")
    way.settled(ctx, connection, effect, state, cause)
    if effect.attempts:  # a first try has never been asked about
        events.close_tasks(connection, subject=f"effect {effect.id}", because=cause, at=ctx.now())


def _tell(ctx: Context, connection: Connection, effect: Effect, word: str, text: str) -> None:
    facts = {"effect": effect.id, "kind": effect.kind}
    events.note(connection, word, text, at=ctx.now(), rma=effect.payload.get("rma"), ra=effect.payload.get("ra"), facts=facts)


def intend(ctx: Context, connection: Connection, kind: str, rma: str, version: str, payload: dict[str, object]) -> None:
    """Write an intent on a return into the caller's transaction, and queue it; once per kind, return and version."""
    partners = [ra.document.partner for ra in returns.authorizations_of(connection, rma)] if _trying(ctx) else []
    if may_ask(ctx, connection, kind, rma, partners=partners):
        effects.intend(connection, kind=kind, target=rma, version=version, payload={**payload, "rma": rma}, now=ctx.now())


def may_ask(ctx: Context, connection: Connection, kind: str, rma: str, *, partners: Sequence[str]) -> bool:
    """Whether anything is asked of anyone about a return: not when one of the partners that are to receive it is not live yet (A-130), which is noted."""
    trying = _trying(ctx)
    tried = next((partner for partner in partners if partner in trying), "")
    if tried:
        text = f"{kind.replace('loop.', '')} left out: {tried} is in testing"
        events.note_once(connection, "test.effect", text, at=ctx.now(), rma=rma)
    return not tried


def _trying(ctx: Context) -> set[str]:
    return {name for name, profile in ctx.profiles.items() if not profile.is_live}


def load(ctx: Context, key: str) -> Effect:
    """The effect that a queued key names."""
    with database.reading(ctx.engine) as connection:
        found = effects.load(connection, int(key))
    if found is None:
        raise PermanentError(f"effect {key} is not in the book")
    return found
