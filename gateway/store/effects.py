"""The record of effects outside: intended, in doubt, confirmed or failed (DESIGN: intent committed, effect, outcome committed).

An effect is unique by kind, target and version, so that the same business fact cannot ask for it twice. It becomes *in doubt* in a commit before the
call leaves, and stays so until an answer or a read-back settles it; what a crash leaves behind is therefore always in doubt, never forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from gateway.store import database, workqueue
from gateway.store.schema import effects

CALLS = ("loop.process", "loop.flag", "loop.remove")
WITHDRAWN = "withdrawn: "


# Made once: making a statement costs as much as running it.
BY_ID = select(effects).where(effects.c.id == bindparam("asked_id"))
CHANGE = update(effects).where(effects.c.id == bindparam("asked_id"))
MOVE = CHANGE.where(effects.c.state == bindparam("state_was"), effects.c.attempts == bindparam("attempts_were"))


class EffectState(StrEnum):
    """Where an effect stands."""

    INTENDED = "intended"
    IN_DOUBT = "in_doubt"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One effect outside."""

    id: int
    kind: str
    target: str
    version: str
    state: EffectState
    attempts: int
    payload: dict[str, Any]
    evidence: dict[str, Any]
    cause: str
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What shall be done outside, once per kind, target and version."""

    kind: str
    target: str
    version: str
    payload: Mapping[str, Any]

    @property
    def job(self) -> str:
        """The work that carries it out."""
        return f"effect.{self.kind.partition('.')[0]}"


def intend(connection: Connection, *, kind: str, target: str, version: str, payload: dict[str, Any], now: datetime) -> int | None:
    """Record an intent and queue it; None when it was intended before."""
    intent = Intent(kind=kind, target=target, version=version, payload=payload)
    effect_id = database.insert_new(connection, effects, _row(intent, now))
    if effect_id is not None:
        workqueue.enqueue(connection, intent.job, effect_id, due_at=now)
    return effect_id


def intend_all(connection: Connection, intents: Sequence[Intent], *, now: datetime) -> list[int | None]:
    """Record intents in few statements; the number of each, None for one that was intended before. Whoever asks queues them."""
    rows = [_row(intent, now) for intent in intents]
    found = database.insert_all_new(connection, effects, rows, returning=("kind", "target", "version", "id"))
    new = {(kind, target, version): number for kind, target, version, number in found}
    return [new.pop((intent.kind, intent.target, intent.version), None) for intent in intents]


def _row(intent: Intent, now: datetime) -> dict[str, Any]:
    return {
        "kind": intent.kind,
        "target": intent.target,
        "version": intent.version,
        "state": EffectState.INTENDED.value,
        "payload": database.pack(intent.payload),
        "created_at": database.instant(now),
    }


def _effect(row: dict[str, Any]) -> Effect:
    return Effect(
        id=row["id"],
        kind=row["kind"],
        target=row["target"],
        version=row["version"],
        state=EffectState(row["state"]),
        attempts=row["attempts"],
        payload=json.loads(row["payload"]),
        evidence=json.loads(row["evidence"]),
        cause=row["cause"],
        created_at=database.moment(row["created_at"]),
        sent_at=database.moment(row["sent_at"]) if row["sent_at"] else None,
    )


def load(connection: Connection, effect_id: int) -> Effect | None:
    """An effect by its number."""
    found = connection.execute(database.lock_row(connection, BY_ID), {"asked_id": effect_id}).mappings().first()
    return _effect(dict(found)) if found else None


def of_target(connection: Connection, target: str) -> list[Effect]:
    """Every effect on a target, in order."""
    return [_effect(row) for row in database.rows(connection, select(effects).where(effects.c.target == target).order_by(effects.c.id))]


def withdrawn_calls(connection: Connection, rma: str) -> int:
    """How many decisions on a return were taken back before Loop was called."""
    return sum(1 for effect in of_target(connection, rma) if effect.kind in CALLS and effect.cause.startswith(WITHDRAWN))


def list_effects(connection: Connection, *, after: int = 0) -> list[Effect]:
    """Every effect, or those written after one, in order."""
    return [_effect(row) for row in database.rows(connection, select(effects).where(effects.c.id > after).order_by(effects.c.id))]


def last_effect(connection: Connection) -> int:
    """The newest effect's number; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(effects.c.id), 0))).scalar_one())


def send(connection: Connection, effect: Effect, *, evidence: dict[str, Any], now: datetime) -> bool:
    """Note in doubt before the call leaves; False when another worker has moved it meanwhile."""
    mine = {"asked_id": effect.id, "state_was": effect.state.value, "attempts_were": effect.attempts}
    values = {
        "state": EffectState.IN_DOUBT.value,
        "attempts": effect.attempts + 1,
        "sent_at": database.instant(now),
        "evidence": database.pack(evidence),
    }
    return connection.execute(MOVE, mine | values).rowcount == 1


def settle(connection: Connection, effect_id: int, *, state: EffectState, cause: str, now: datetime) -> None:
    """Write what an effect came to."""
    values: dict[str, Any] = {"asked_id": effect_id, "state": state.value, "cause": cause}
    if state in (EffectState.CONFIRMED, EffectState.FAILED):
        values["settled_at"] = database.instant(now)
    connection.execute(CHANGE, values)


# Several at once, of those that nobody has tried before.
AMONG = effects.c.id.in_(bindparam("asked_ids", expanding=True))
SOME = select(effects).where(AMONG)
SEND_FIRST = (
    update(effects)
    .where(AMONG, effects.c.state == EffectState.INTENDED.value, effects.c.attempts == 0)
    .values(state=EffectState.IN_DOUBT.value, attempts=1, sent_at=bindparam("now"))
    .returning(effects.c.id)
)
TAKE_BACK = (
    update(effects)
    .where(AMONG, effects.c.state == EffectState.IN_DOUBT.value, effects.c.attempts == 1)
    .values(state=EffectState.INTENDED.value, attempts=0, sent_at=None)
)


def load_some(connection: Connection, numbers: Sequence[int]) -> dict[int, Effect]:
    """Effects by their numbers."""
    return {row["id"]: _effect(dict(row)) for row in connection.execute(SOME, {"asked_ids": list(numbers)}).mappings()}


def send_first(connection: Connection, numbers: Sequence[int], *, now: datetime) -> set[int]:
    """Note first tries in doubt before their calls leave; those that nobody has moved meanwhile."""
    return set(connection.execute(SEND_FIRST, {"asked_ids": list(numbers), "now": database.instant(now)}).scalars())


def take_back(connection: Connection, numbers: Sequence[int]) -> None:
    """First tries whose calls surely never left are as if nobody had tried."""
    if numbers:
        connection.execute(TAKE_BACK, {"asked_ids": list(numbers)})


def confirm_all(connection: Connection, causes: Mapping[int, str], *, now: datetime) -> None:
    """Effects, by number, that happened, each with what shows it."""
    same = {"state": EffectState.CONFIRMED.value, "settled_at": database.instant(now)}
    if causes:
        connection.execute(CHANGE, [{"asked_id": number, "cause": cause, **same} for number, cause in causes.items()])
