"""Several effects that share their commits where calls are quick: in doubt together before their calls, what they came to together after them.

Each is still in doubt, by a commit that its claim fences, before its call leaves; and no call leaves later after that commit than one alone may. So a crash
leaves what it always left: effects in doubt, each looked up before it is repeated, only several instead of one. Those whose turn did not come in this living
process are as if nobody had tried them.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from gateway.clients.session import Kind, Outcome
from gateway.errors import TemporaryError
from gateway.jobs import effecting
from gateway.jobs.context import Context
from gateway.jobs.effecting import Effect, EffectState, Way
from gateway.store import database, effects

SHARED_SECONDS = 0.2  # from the commit of "in doubt" to the last call
Called = Sequence[tuple[Effect, Outcome]]


def perform_some(ctx: Context, keys: Sequence[str], ways: Mapping[str, Way]) -> dict[str, TemporaryError | None]:
    """Carry out the first of these effects, as many as may share; what became of each: None when it is settled, else why it is taken up again.

    They may, from the first on, as long as they are first tries that need no look before them, a call leaves at once, and the one before was accepted. Empty
    when not even two may. What a call raises leaves its effect in doubt, and the outcomes of the others written.
    """
    taken = _first_tries(ctx, keys, ways)
    if len(taken) < 2:
        return {}
    began = ctx.monotonic()
    with database.writing(ctx.engine) as connection:
        sent = effects.send_first(connection, [effect.id for effect in taken], now=ctx.now())
    waiting = deque(effect for effect in taken if effect.id in sent)  # the others were moved by somebody meanwhile
    called: list[tuple[Effect, Outcome]] = []
    try:
        while waiting and _may_leave(ctx, ways[waiting[0].kind], called, ctx.monotonic() - began):
            effect = waiting.popleft()
            called.append((effect, ways[effect.kind].act(ctx, effect)))
    finally:
        came_to = _write(ctx, called, waiting, ways)
    return {str(effect.id): None for effect in taken if effect.id not in sent} | came_to


def _first_tries(ctx: Context, keys: Sequence[str], ways: Mapping[str, Way]) -> list[Effect]:
    with database.reading(ctx.engine) as connection:
        found = effects.load_some(connection, [int(key) for key in keys])
    ordered = (found[int(key)] for key in keys if int(key) in found)
    return list(itertools.takewhile(lambda effect: _may_share(ctx, effect, ways[effect.kind]), ordered))


def _may_share(ctx: Context, effect: Effect, way: Way) -> bool:
    return effect.state == EffectState.INTENDED and not effect.attempts and way.is_free is not None and way.is_free(ctx)


def _may_leave(ctx: Context, way: Way, called: Called, seconds: float) -> bool:
    """Whether the next call may leave, so long after the commit; anything that waits is done after the outcomes are written."""
    if not called:
        return seconds <= effecting.LONGEST_HESITATION
    return called[-1][1].kind == Kind.ACCEPTED and seconds <= SHARED_SECONDS and way.is_free is not None and way.is_free(ctx)


def _write(ctx: Context, called: Called, waiting: Iterable[Effect], ways: Mapping[str, Way]) -> dict[str, TemporaryError | None]:
    """Write what the calls came to: all but the last were accepted; and that those which wait were not called."""
    confirmed = [(effect, outcome.text) for effect, outcome in called if outcome.kind == Kind.ACCEPTED]
    rest = called[len(confirmed) :]
    with database.writing(ctx.engine) as connection:
        effects.take_back(connection, [effect.id for effect in waiting])
        effects.confirm_all(connection, {effect.id: text for effect, text in confirmed}, now=ctx.now())
        for effect, text in confirmed:
            effecting.follow_up(ctx, connection, effect, ways[effect.kind], EffectState.CONFIRMED, (text, ", attempt 1"))
        for effect, _ in confirmed[:1]:
            effecting.resolve_denied(ctx, connection, effect)
        came_to = {str(effect.id): effecting.write_outcome(ctx, connection, effect, ways[effect.kind], outcome) for effect, outcome in rest}
    for effect, _ in confirmed:
        effecting.log_confirmed(ctx, effect)
    return {str(effect.id): None for effect, _ in confirmed} | came_to
