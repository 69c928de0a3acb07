"""What is done to a return from its page: hold, release, close, resend, retry. Each asks for confirmation on the page and for the reason where one is kept."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response as AnyResponse

from gateway.errors import PermanentError
from gateway.jobs import SCHEDULED, actions, corrections, wakeups
from gateway.web.guard import Answer, Visit


class ReasonMissingError(PermanentError):
    """Say why; the reason is kept in the audit log."""


def _reason() -> str:
    reason = request.form.get("reason", "").strip()[:2000]
    if not reason:
        raise ReasonMissingError
    return reason


def _back(visit: Visit, ra: str, said: str) -> AnyResponse:
    return visit.back(f"/returns/{ra}", said)


def hold(visit: Visit, ra: str) -> Answer:
    """Keep an RA from being sent."""
    actions.hold(visit.desk.ctx, ra=ra, reason=_reason(), actor=visit.user)
    return _back(visit, ra, f"{ra} is held.")


def release(visit: Visit, ra: str) -> Answer:
    """Let a held RA go on."""
    actions.release(visit.desk.ctx, ra=ra, actor=visit.user)
    return _back(visit, ra, f"{ra} goes on.")


def close(visit: Visit, ra: str) -> Answer:
    """Close an RA by hand."""
    actions.close(visit.desk.ctx, ra=ra, reason=_reason(), actor=visit.user)
    return _back(visit, ra, f"{ra} is closed. Loop was not called.")


def resend(visit: Visit, ra: str) -> Answer:
    """Send an RA's newest document again."""
    chosen = actions.find_resendable(visit.desk.ctx, ra=ra, partner=None, since=None)
    if not chosen:
        return _back(visit, ra, f"No document of {ra} was sent yet, so none can be sent again.")
    names = actions.resend(visit.desk.ctx, chosen=chosen, actor=visit.user)
    return _back(visit, ra, f"Sent again under a new name: {', '.join(names)}")


def correct(visit: Visit, receipt_id: int) -> Answer:
    """Take a receipt back and enter it again as counted; or only take it back, or off its RA."""
    ctx, rma = visit.desk.ctx, request.form.get("rma", "")
    if request.form.get("detach"):
        return visit.back(f"/returns/{rma}", corrections.detach(ctx, receipt_id=receipt_id, actor=visit.user, reason=_reason()))
    counts = None if request.form.get("reverse") else _counts()
    said = corrections.correct(ctx, receipt_id=receipt_id, counts=counts, actor=visit.user, reason=_reason())
    return visit.back(f"/returns/{rma}", said)


def _counts() -> dict[str, corrections.Count]:
    """What each SKU really came to, from the form's rows."""
    rows = zip(request.form.getlist("sku"), request.form.getlist("good"), request.form.getlist("second"), strict=True)
    return {sku: corrections.Count(good=_whole(good), second=_whole(second)) for sku, good, second in rows}


def _whole(text: str) -> int:
    if not text.strip().isdecimal():
        raise PermanentError(f"{text!r} is no count; write a whole number like 0 or 2")
    return int(text)


def retry(visit: Visit, effect_id: int) -> Answer:
    """Repeat a failed call; one in doubt is looked up first."""
    said = actions.retry(visit.desk.ctx, step=f"effect:{effect_id}", actor=visit.user)
    return visit.back(f"/returns/{request.form.get('rma', '')}", said)


def run_job(visit: Visit, name: str) -> Answer:
    """Let a job run as soon as possible."""
    if name not in SCHEDULED:
        raise PermanentError(f"there is no job {name}; known: {', '.join(SCHEDULED)}")
    wakeups.wake(visit.desk.ctx, name, actor=visit.user, reason="asked for on the page")
    return visit.back("/jobs", f"{name} runs as soon as the service looks.")
