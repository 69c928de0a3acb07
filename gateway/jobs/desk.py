"""What people do at the desk beside the verbs of `actions`: take a work item over, note something, close it by hand, drop a file.

Everything says who did it and why, in the same events that the jobs write.
"""

from __future__ import annotations

from gateway.errors import PermanentError
from gateway.jobs.context import Context
from gateway.store import database, events, listing


class NoSuchItemError(PermanentError):
    """The work item is not open any more; somebody or something closed it meanwhile."""


def assign(ctx: Context, *, task_id: int, owner: str, note: str, actor: str) -> str:
    """Say who looks after a work item, and what was found so far."""
    with database.writing(ctx.engine) as connection:
        task = events.change_task(connection, task_id, owner=owner, note=note)
        if task is None:
            raise NoSuchItemError
        facts = {"before": {"owner": task["owner"], "note": task["note"]}, "after": {"owner": owner, "note": note}}
        text = f"{task['kind']} {task['subject']}: owner {owner or 'nobody'}" + (f", note: {note}" if note else "")
        events.note(connection, "task.changed", text, at=ctx.now(), rma=task["rma"], actor=actor, facts=facts)
    return text


def resolve(ctx: Context, *, task_id: int, reason: str, actor: str) -> str:
    """Close a work item by hand; nothing else changes. A cause that is still there opens it again."""
    if not reason.strip():
        raise PermanentError("say why the item is closed; the next person reads it")
    with database.writing(ctx.engine) as connection:
        task = listing.load_task(connection, task_id)
        if task is None or not task["open"]:
            raise NoSuchItemError
        because = f"closed by {actor}: {reason}"
        events.close_tasks(connection, kind=task["kind"], subject=task["subject"], because=because, at=ctx.now())
        text = f"{task['kind']} {task['subject']} {because}"
        events.note(connection, "task.closed", text, at=ctx.now(), rma=task["rma"], actor=actor)
    return text


def drop_file(ctx: Context, *, partner: str, name: str, content: bytes, test: bool, actor: str) -> str:
    """Put an uploaded file into a partner's inbox, where it is taken like any other; the name it got."""
    folders = ctx.folders.get(partner)
    if folders is None:
        raise PermanentError(f"there is no partner {partner}; known: {', '.join(ctx.folders)}")
    if not content:
        raise PermanentError("the file is empty; choose another one")
    if folders.is_temporary(name):
        raise PermanentError(f"{partner} treats names like {name} as unfinished files; rename it first")
    dropped = folders.drop(name, content, kind="test" if test else "production")
    with database.writing(ctx.engine) as connection:
        text = f"{dropped} ({len(content)} bytes) put into the inbox of {partner}{' (test)' if test else ''}"
        events.note(connection, "file.dropped", text, at=ctx.now(), partner=partner, actor=actor)
    return dropped
