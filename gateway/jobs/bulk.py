"""One action on many things: each on its own, with a result for each, so that one that cannot be done stops none of the others (R-144)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.errors import GatewayError, PermanentError
from gateway.jobs import actions
from gateway.jobs.context import Context


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
