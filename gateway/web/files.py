"""Files in and out: the list, one file three ways, download, replay, resend, and dropping a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from flask import Response, request

from gateway.errors import PermanentError
from gateway.folders import FolderTroubleError, GoneError
from gateway.jobs import actions, desk
from gateway.jobs.actions import Prospect
from gateway.store import files, listing
from gateway.store.files import File
from gateway.views import documents
from gateway.views.cases import NothingFoundError
from gateway.web.guard import Answer, Visit
from gateway.web.returns import more_of
from gateway.web.uploads import Upload

OUTCOMES = ("applied", "partial", "duplicate", "held", "error", "quarantine")
TRIED = 1_000_000  # bytes that are tried before they are dropped; while it is tried nothing else is written


def listed(visit: Visit) -> Answer:
    """Files, newest first."""
    wanted = {key: request.args.get(key) or None for key in ("direction", "partner", "outcome")}
    with visit.desk.reading() as connection:
        page = listing.list_files(connection, **wanted, after=request.args.get("after", ""))
    arriving = [(partner, name, incomplete) for partner, folder in visit.desk.ctx.folders.items() for name, incomplete in folder.waiting()]
    facts = {"partners": list(visit.desk.ctx.profiles), "outcomes": OUTCOMES, "arriving": arriving[:50]}
    return visit.show("files.html", page=page, chosen=wanted, more=more_of(page.after), **facts)


def one(visit: Visit, file_id: int) -> Answer:
    """A file raw, annotated and in business words, side by side."""
    with visit.desk.reading() as connection:
        file = _load(files.load(connection, file_id), file_id)
        found = documents.business(connection, file)
    profile = visit.desk.ctx.profiles.get(file.partner)
    receipt = profile.receive.csv_receipt if profile else None
    shown, lost = None, ""
    try:
        shown = documents.show(_bytes(visit, file), delimiter=receipt.delimiter if receipt else ",")
    except (GoneError, FolderTroubleError) as error:
        lost = error.message
    return visit.show("file.html", file=file, shown=shown, lost=lost, **found)


def _load(file: File | None, file_id: int) -> File:
    if file is None:
        raise NothingFoundError(f"there is no file {file_id} in the book")
    return file


def _bytes(visit: Visit, file: File) -> Iterable[bytes]:
    if file.content is not None:
        return [file.content]
    folder = visit.desk.ctx.folders.get(file.partner)
    if folder is None:
        raise GoneError(f"{file.name}: {file.partner} is no partner any more, its folders are not known")
    return folder.read(file.place)


def download(visit: Visit, file_id: int) -> Answer:
    """The bytes as they are, to keep; never shown by the browser."""
    with visit.desk.reading() as connection:
        file = _load(files.load(connection, file_id), file_id)
    response = Response(_bytes(visit, file), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name)}"
    return response


def replay(visit: Visit, file_id: int) -> Answer:
    """Try a replay without effect, or do it."""
    dry = request.form.get("dry_run") == "yes"
    accept = request.form.get("accept_control") == "yes"
    prospect = actions.replay(visit.desk.ctx, file_id=file_id, dry_run=dry, accept_control=accept, actor=visit.user)
    if dry:
        return visit.show("prospect.html", prospect=prospect, file_id=file_id, accept=accept)
    return visit.back(f"/files/{file_id}", f"{prospect.name} is handled again. An effect that has happened is not repeated.")


def drop(visit: Visit) -> Answer:
    """What an uploaded file is and would cause; it is kept in memory until somebody says that it is meant."""
    sent, ctx = request.files.get("file"), visit.desk.ctx
    if sent is None or not sent.filename:
        return visit.back("/files", "No file was chosen.")
    name = sent.filename.replace("\\", "/").rpartition("/")[2]
    upload = Upload(partner=request.form.get("partner", ""), name=name, content=sent.read(), test=request.form.get("test") == "yes")
    if not upload.content:
        return visit.back("/files", f"{name} is empty; choose another file.")
    prospect = _tried(visit, upload) if len(upload.content) <= TRIED else None
    visit.desk.uploads.keep(visit.session.form_key, upload, now=ctx.monotonic())
    return visit.show("drop.html", upload=upload, prospect=prospect)


def _tried(visit: Visit, upload: Upload) -> Prospect:
    """What an upload would cause; it lies in a folder of its own while it is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / upload.name
        try:
            path.write_bytes(upload.content)
        except (OSError, ValueError) as fault:
            raise PermanentError(f"{upload.name!r} is no name that a file can have here; rename it first") from fault
        return actions.preview(visit.desk.ctx, partner=upload.partner, path=path, content=upload.content)


def take(visit: Visit) -> Answer:
    """Put the file that was looked at into the partner's inbox."""
    ctx = visit.desk.ctx
    upload = visit.desk.uploads.take(visit.session.form_key, now=ctx.monotonic())
    if upload is None:
        return visit.back("/files", "That file is not waiting any more; choose it again.")
    name = desk.drop_file(ctx, partner=upload.partner, name=upload.name, content=upload.content, test=upload.test, actor=visit.user)
    return visit.back("/files", f"{name} lies in the inbox and is taken when it has settled.")
