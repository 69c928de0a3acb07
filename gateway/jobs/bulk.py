"""One action on many things: each on its own, with a result for each, so that one that cannot be done stops none of the others (R-144)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.lifecycle import RaState
from gateway.errors import GatewayError, PermanentError
from gateway.jobs import actions
from gateway.jobs.context import Context
from gateway.store import database, events, files, received, returns, searching


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one item came to: `said` is what was done, or why it was not."""

    subject: str
    ok: bool
    said: str


def _resend(ctx: Context, *, subject: str, actor: str, reason: str) -> str:
    del reason  # the copy is the same document; its count and actor are what is kept
    chosen = actions.find_resendable(ctx, ra=subject, partner=None, since=None)
    if not chosen:
        raise PermanentError(f"nothing was sent for {subject} yet")
    return "sent again as " + ", ".join(actions.resend(ctx, chosen=chosen, actor=actor))


VERBS: dict[str, Callable[..., str]] = {
    "hold": lambda ctx, *, subject, actor, reason: actions.hold(ctx, ra=subject, actor=actor, reason=reason),
    "release": lambda ctx, *, subject, actor, reason: actions.release(ctx, ra=subject, actor=actor, reason=reason),
    "close": lambda ctx, *, subject, actor, reason: actions.close(ctx, ra=subject, actor=actor, reason=reason),
    "retry": lambda ctx, *, subject, actor, reason: actions.retry(ctx, step=subject, actor=actor, reason=reason),
    "resend": _resend,
}


def act(ctx: Context, *, verb: str, subjects: Iterable[str], actor: str, reason: str) -> list[Done]:
    """Do one of `VERBS` to each subject: an RA, or for `retry` a step."""
    if verb not in VERBS:
        raise PermanentError(f"{verb!r} cannot be done to many at once; these can: {', '.join(VERBS)}")
    return [_one(ctx, VERBS[verb], subject, actor=actor, reason=reason) for subject in dict.fromkeys(subjects)]


def _one(ctx: Context, do: Callable[..., str], subject: str, *, actor: str, reason: str) -> Done:
    try:
        return Done(subject=subject, ok=True, said=do(ctx, subject=subject, actor=actor, reason=reason))
    except GatewayError as error:
        return Done(subject=subject, ok=False, said=error.message)


def find_authorizations(ctx: Context, *, text: str | None, state: str | None, partner: str | None) -> list[str]:
    """The RAs that a search means: everything it finds, or all in a state; of one partner when one is given."""
    wanted = [RaState(state)] if state in {known.value for known in RaState} else []
    if state and not wanted:
        raise PermanentError(f"{state!r} is no state of an RA; the states are {', '.join(known.value for known in RaState)}")
    with database.reading(ctx.engine) as connection:
        hits = searching.find(connection, text) if text else []
        ras, rmas = {hit.get("ra", "") for hit in hits}, {hit.get("rma", "") for hit in hits if "ra" not in hit}
        return returns.authorization_numbers(connection, states=wanted or list(RaState), partner=partner, of=(ras, rmas) if text else None)


def find_steps(ctx: Context, *, kind: str) -> list[str]:
    """The steps on the work list of a kind that can be tried again, as `retry` names them."""
    with database.reading(ctx.engine) as connection:
        subjects = [task["subject"] for task in events.open_tasks(connection, kind=kind)]
    return [subject.removeprefix("effect ").replace(" ", ":", 1) for subject in subjects]


def find_files(ctx: Context, *, ra: str | None, partner: str | None, start: datetime | None, end: datetime | None) -> list[int]:
    """The inbound files that brought something for an RA, or that came from a partner or in a range, oldest first."""
    if not (ra or partner or start or end):
        raise PermanentError("say which files: by number, by RA, by partner, or by a range of days")
    with database.reading(ctx.engine) as connection:
        if ra:
            return sorted({held.file_id for held in received.receipts_of(connection, ra) if held.file_id})
        return files.received_between(connection, partner=partner, start=start, end=end)
