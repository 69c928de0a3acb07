"""Where an RA stands, in the words people see (requirements R-200), and which step may follow which.

`TRANSITIONS` is the whole life. A step that is not in it is a defect of ours and raises; a step to the state already held is allowed and changes
nothing, since every step may be repeated after a crash. A new state needs a word here, a row below, and a sentence in `docs/words.md`.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.errors import PermanentError


class RaState(StrEnum):
    """The life of an RA."""

    IMPORTED = "imported"
    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PARTLY_RECEIVED = "partly received"
    RECEIVED = "received in full"
    PROCESS_REQUESTED = "process requested"
    PROCESSED = "processed"
    FLAGGED = "flagged"
    REFUND_IMPORTED = "refund imported"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NO_PHYSICAL_RETURN = "no physical return"


S = RaState
_BEFORE_RECEIPT = frozenset({S.IMPORTED, S.HELD, S.QUEUED, S.SENT, S.ACKNOWLEDGED})
_RECEIVED = frozenset({S.PARTLY_RECEIVED, S.RECEIVED})
_ENDED_EARLY = frozenset({S.CANCELLED, S.EXPIRED})
_DECIDED = frozenset({S.PROCESS_REQUESTED, S.PROCESSED, S.FLAGGED})

TRANSITIONS: dict[RaState, frozenset[RaState]] = {
    S.IMPORTED: frozenset({S.HELD, S.QUEUED, S.PROCESSED, S.NO_PHYSICAL_RETURN}) | _RECEIVED | _ENDED_EARLY,
    S.HELD: frozenset({S.IMPORTED, S.QUEUED, S.PROCESSED}) | _RECEIVED | _ENDED_EARLY,
    S.QUEUED: frozenset({S.HELD, S.SENT, S.ACKNOWLEDGED, S.PROCESSED}) | _RECEIVED | _ENDED_EARLY,
    S.SENT: frozenset({S.QUEUED, S.ACKNOWLEDGED, S.PROCESSED}) | _RECEIVED | _ENDED_EARLY,
    S.ACKNOWLEDGED: frozenset({S.QUEUED, S.PROCESSED}) | _RECEIVED | _ENDED_EARLY,
    S.PARTLY_RECEIVED: frozenset({S.RECEIVED, S.SENT}) | _DECIDED | _ENDED_EARLY,
    S.RECEIVED: frozenset({S.PARTLY_RECEIVED, S.SENT}) | _DECIDED | _ENDED_EARLY,
    S.PROCESS_REQUESTED: frozenset({S.PROCESSED, S.FLAGGED, S.REFUND_IMPORTED}) | _ENDED_EARLY,
    S.FLAGGED: frozenset({S.PROCESSED, S.REFUND_IMPORTED}) | _ENDED_EARLY,
    S.PROCESSED: frozenset({S.REFUND_IMPORTED, S.CLOSED}),
    S.REFUND_IMPORTED: frozenset({S.CLOSED, S.PROCESSED}),
    S.CLOSED: frozenset({S.REFUND_IMPORTED}),
    S.CANCELLED: frozenset({S.CLOSED}),
    S.EXPIRED: frozenset({S.PROCESSED, S.CLOSED, S.CANCELLED}) | _RECEIVED,
    S.NO_PHYSICAL_RETURN: frozenset({S.PROCESSED, S.CLOSED}),
}

DECIDED = _DECIDED | {S.REFUND_IMPORTED, S.CLOSED}
ENDED = _ENDED_EARLY | {S.CLOSED, S.NO_PHYSICAL_RETURN}
TRANSMITTED = frozenset({S.SENT, S.ACKNOWLEDGED}) | _RECEIVED | DECIDED
BEFORE_RECEIPT = _BEFORE_RECEIPT
WAITING_FOR_GOODS = _BEFORE_RECEIPT | {S.PARTLY_RECEIVED}


class WrongStepError(PermanentError):
    """A step was asked for that cannot follow the state the RA is in."""


def step(current: RaState, wanted: RaState) -> RaState:
    """Return `wanted`, or raise when it may not follow `current`."""
    if wanted == current or wanted in TRANSITIONS[current]:
        return wanted
    raise WrongStepError(f"an RA that is {current.value} cannot become {wanted.value}")


def may(current: RaState, wanted: RaState) -> bool:
    """Whether `wanted` may follow `current` (or is it)."""
    return wanted == current or wanted in TRANSITIONS[current]
