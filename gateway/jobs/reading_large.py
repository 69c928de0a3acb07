"""A very large X12 file, whose receipts are recorded in pieces, each with a commit of its own, so that nobody waits for the book until all of it is read.

It is read once with nothing written: where an envelope has a fault (what is in it would have to be undone) or it holds anything but receipts, it goes the usual way,
in one transaction. Otherwise its receipts are recorded piece by piece, and the usual transaction that follows finds that done and writes the rest: answers, what is
wrong, the file's end. A file that is broken off in between is read from its start again, and what it recorded itself counts as applied, not as a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.edi import x12
from gateway.edi.syntax import Severity
from gateway.jobs import receipts, rehearsing
from gateway.jobs.context import Context
from gateway.jobs.envelopes import Claim, check_claim
from gateway.jobs.reading import AREAS, Reading, StopFileError
from gateway.mapping import readers
from gateway.mapping.profiles import Profile
from gateway.store import database, events, files, received
from gateway.store.files import File

LARGE = 4 * 1024 * 1024  # bytes; smaller files take a few seconds at most
PIECE = 1000  # sets whose receipts share a commit


def record(ctx: Context, file: File, profile: Profile) -> Reading | None:
    """Record the receipts of a large file; what they came to, or None when it is to be read the usual way."""
    large = file.state == "taken" and file.size >= LARGE and not rehearsing.is_rehearsal(ctx, file)
    if not large or not _holds_only_receipts(ctx, file, profile):
        return None
    recorded = Reading(file=file, profile=profile, broken_off_at=_broken_off_at(ctx, file))
    piece: list[x12.TransactionSet] = []
    for document in _sets(ctx, file, profile):
        piece.append(document)
        if len(piece) == PIECE:
            _record(ctx, recorded, piece)
            piece = []
    _record(ctx, recorded, piece)
    return recorded


def _broken_off_at(ctx: Context, file: File) -> int:
    """The newest receipt there is, where a reading of this file may have been broken off; 0 where one has come to its end, and this is a replay."""
    with database.reading(ctx.engine) as connection:
        ended = events.happened(connection, file.id, *(f"file.{outcome}" for outcome in AREAS))
        return 0 if ended else received.last_receipt(connection)


def _holds_only_receipts(ctx: Context, file: File, profile: Profile) -> bool:
    """Whether all of a file will be kept: it is from whom it should be, is new, its envelopes are right, and there are only receipts in it."""
    if x12.sniff(next(ctx.folders[file.partner].read(file.place), b"")) != "x12" or not profile.x12:
        return False
    with database.reading(ctx.engine) as connection:
        begun = received.has_receipts(connection, file.id)  # it was found to be new before it was broken off
        claims = Reading(file=file, profile=profile, accept_control=begun)
        known = None if begun else files.same_content(connection, partner=file.partner, sha256=file.sha256, before=file.id)
        return known is None and all(_fits(ctx, connection, claims, event) for event in _events(ctx, file, profile))


def _fits(ctx: Context, connection: Connection, claims: Reading, event: object) -> bool:
    match event:
        case x12.TransactionSet(set_id=set_id):
            return set_id in claims.profile.receive.x12
        case x12.InterchangeStart(header=header):
            try:
                check_claim(ctx, connection, claims, Claim.of_x12(header))
            except StopFileError:
                return False
            return True
        case x12.GroupEnd(findings=findings):
            return all(finding.severity is not Severity.ERROR for finding in findings)
        case x12.InterchangeEnd(accepted=accepted):
            return accepted
        case _:
            return isinstance(event, x12.GroupStart)


def _events(ctx: Context, file: File, profile: Profile) -> Iterator[object]:
    return iter(x12.read_sets(ctx.folders[file.partner].read(file.place), strictness=readers.strictness_of(profile)))


def _sets(ctx: Context, file: File, profile: Profile) -> Iterator[x12.TransactionSet]:
    return (event for event in _events(ctx, file, profile) if isinstance(event, x12.TransactionSet) and event.accepted)


def _record(ctx: Context, recorded: Reading, piece: list[x12.TransactionSet]) -> None:
    with database.writing(ctx.engine) as connection:
        if files.load_taken(connection, recorded.file.id) is None:
            return
        for document in piece:
            found = readers.X12_RECEIPTS[document.set_id](document, profile=recorded.profile, catalogue=ctx.places.catalogue)
            if found.receipt:
                receipts.take_receipt(ctx, connection, recorded, found.receipt, listed_only=found.listed_only)
            else:
                recorded.unread.add(document.offset)
        receipts.record_pending(ctx, connection, recorded)
