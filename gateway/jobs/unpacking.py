"""Packed and encrypted files: what is inside becomes files of their own; the packed file is archived untouched.

All of it is unpacked and checked before any of it is used. Each file inside then gets its row as if it had been claimed, under a name that follows from
the packed file's own, so that after a crash nothing is received twice. A file that is not packed goes straight on to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.folders import packing
from gateway.folders.packing import Opened
from gateway.folders.unpacking import PackedError
from gateway.jobs import intake, reading_large
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading, StopFileError
from gateway.store import database, files
from gateway.store.files import File

SHARE_SECONDS = 0.5  # how long one transaction takes files in; others that write wait for it


def translate_together(ctx: Context, keys: Sequence[str]) -> list[str]:
    """Read files that are not packed one after the other, with one commit for all; those that were read. Any trouble undoes all of them."""
    done: list[str] = []
    began = ctx.monotonic()
    with database.shared(ctx.engine) as engine:
        with database.reading(engine) as connection:
            found = files.load_all(connection, map(int, keys))
        for key in keys:
            if _may_share(ctx, found.get(int(key))):
                intake.translate_file(replace(ctx, engine=engine), key)
                done.append(key)
            if ctx.monotonic() - began > SHARE_SECONDS:
                break
    return done


def _may_share(ctx: Context, file: File | None) -> bool:
    if file is not None and file.size >= reading_large.LARGE:
        return False
    return file is None or file.state != "taken" or not packing.may_be_packed(ctx.folders[file.partner], file.place)


def translate(ctx: Context, key: str) -> None:
    """Read a taken file, or, where it is packed, take what is inside."""
    with database.reading(ctx.engine) as connection:
        file = files.load(connection, int(key))
        seen = file is not None and files.same_content(connection, partner=file.partner, sha256=file.sha256, before=file.id) is not None
    if file is None or file.state != "taken" or seen:
        intake.translate_file(ctx, key)
        return
    try:
        opened = packing.open_packed(ctx.folders[file.partner], file.place, name=file.name, number=file.id)
    except PackedError as fault:
        intake.stop_file(ctx, key, StopFileError("quarantine", _refused(file, fault)))
        return
    if opened is None:
        intake.translate_file(ctx, key)
        return
    _take_inside(ctx, file, opened)


def _take_inside(ctx: Context, file: File, opened: Opened) -> None:
    folder, taken = ctx.folders[file.partner], []
    with database.reading(ctx.engine) as connection:
        known = files.claimed_as(connection, partner=file.partner, places=[claimed.place for claimed in opened.files])
    for claimed in opened.files:
        if claimed.place not in known:
            packing.put_inside(folder, opened, claimed)
            intake.receive_file(ctx, file.partner, claimed)
        taken.append(claimed.name)
    packing.tidy(folder, opened)
    reading = Reading(file=file, profile=ctx.profiles[file.partner], applied=len(taken))
    reading.remarks.append(f"{opened.how}: {', '.join(taken[:20])}" + (f" and {len(taken) - 20} more" if len(taken) > 20 else ""))
    intake.settle_file(ctx, reading, "applied")


def _refused(file: File, fault: PackedError) -> Problem:
    return Problem(
        document="The whole file",
        message=f"{file.name} was not unpacked: {fault.message}.",
        where="the packed file",
        remedy="send it packed once, whole and within the limits; dropping a right one is enough",
    )
