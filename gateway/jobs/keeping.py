"""How long things are kept, and what goes on a person's request (requirements R-176).

What goes is what tells about people and what takes space: bytes of files, words, free text. What stays is what stops a thing from being done twice and
what adds up: numbers, hashes, quantities, amounts, states, the chain of the audit log. Nothing goes that is still open. A file on disk goes after the
commit that lets it go, and is found again when a crash came between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import ENDED
from gateway.errors import PermanentError
from gateway.jobs.context import Context, Tally
from gateway.store import audit, database, events, files, keeping, returns

EMPTIED = "emptied"
SHORTEST = 4


class NotFinishedError(PermanentError):
    """A return is still open; its data is needed until it is closed."""


class TooShortError(PermanentError):
    """What is to be forgotten is too short: it would be found inside other words. Give at least four characters."""


def purge(ctx: Context, *, dry_run: bool = False) -> Tally:
    """Let go of what is older than `[retention]` says and finished; the counts by kind are in the reasons."""
    kept = ctx.retention
    counts: dict[str, int] = {}
    if kept.files:
        counts["files"] = _purge_files(ctx, timedelta(days=kept.files), dry_run=dry_run)
    if kept.records:
        counts["returns"] = _purge_returns(ctx, timedelta(days=kept.records), dry_run=dry_run)
    for kind, days in (("runs", kept.runs), ("messages", kept.messages), ("alerts", kept.records)):
        if days:
            with database.writing(ctx.engine) as connection:
                counts[kind] = keeping.delete_old(connection, kind, ctx.now() - timedelta(days=days), count_only=dry_run)
    tally = Tally(done=sum(counts.values()), reasons=[f"{kind}: {count}" for kind, count in counts.items()])
    if tally.done and not dry_run:
        with database.writing(ctx.engine) as connection:
            text = "Purged: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
            events.note(connection, "records.purged", text, at=ctx.now(), facts=counts)
    return tally


def _purge_files(ctx: Context, age: timedelta, *, dry_run: bool) -> int:
    before = ctx.now() - age
    with database.writing(ctx.engine) as connection:
        inbound = [row for row in keeping.old_files_in(connection, before) if row["partner"] in ctx.folders]
        outbound = keeping.old_files_out(connection, before)
        if not dry_run:
            keeping.drop_content(connection, outbound)
            keeping.change_files(connection, [row["id"] for row in inbound], state="purging")
    if not dry_run:
        for row in inbound:
            ctx.folders[row["partner"]].discard(row["place"])
        with database.writing(ctx.engine) as connection:
            keeping.change_files(connection, [row["id"] for row in inbound], state="purged", place="", side_text="")
    return len(inbound) + len(outbound)


def _purge_returns(ctx: Context, age: timedelta, *, dry_run: bool) -> int:
    with database.reading(ctx.engine) as connection:
        numbers = keeping.old_returns(connection, ctx.now() - age)
    for start in range(0, 0 if dry_run else len(numbers), keeping.BATCH):
        part = numbers[start : start + keeping.BATCH]
        with database.writing(ctx.engine) as connection:
            keeping.empty_returns(connection, part, at=ctx.now())
            rows = [row | {"word": EMPTIED, "text": "", "facts": "{}"} for row in keeping.events_of(connection, part, empty_word=EMPTIED)]
            audit.replace(connection, rows, at=ctx.now(), actor="gateway", because=f"older than {age.days} days")
    return len(numbers)


def forget(ctx: Context, *, order: str | None, terms: Sequence[str], actor: str, dry_run: bool = False) -> dict[str, int]:
    """Take a person's data out of the book, the kept files and the archive: everything personal of an order's returns, and given words anywhere.

    Totals, hashes and the audit chain stay valid. Returns how many rows, events and files had something of it.
    """
    if any(len(term) < SHORTEST for term in terms):
        raise TooShortError
    counts = {"rows": 0, "events": 0, "files": 0}
    with database.writing(ctx.engine) as connection:
        numbers = _finished(connection, order) if order else []
    if order:
        with database.reading(ctx.engine) as connection:
            own = sorted({text for document in keeping.documents_of(connection, numbers) for text in keeping.personal_texts(document)})
        _forget_words(ctx, [word for word in own if len(word) >= SHORTEST], numbers, counts, actor=actor, dry_run=dry_run)
        if not dry_run:
            with database.writing(ctx.engine) as connection:
                keeping.empty_returns(connection, numbers, at=ctx.now())
    _forget_words(ctx, terms, None, counts, actor=actor, dry_run=dry_run)
    if not dry_run:
        with database.writing(ctx.engine) as connection:
            text = f"A person's data was removed on request ({len(numbers)} return(s), {len(terms)} word(s) given)"
            events.note(connection, "person.forgotten", text, at=ctx.now(), actor=actor, facts=counts | {"returns": numbers})
        keeping.scrub(ctx.engine)
    return counts


def _finished(connection: Connection, order: str) -> list[str]:
    """The RMAs of an order, all of them finished."""
    found = [row["rma"] for row in keeping.returns_of_order(connection, order)]
    if not found:
        raise PermanentError(f"no return in the book is on order {order}; give a name or mail address with --name or --email to look everywhere")
    for rma in found:
        if any(ra.state not in ENDED for ra in returns.authorizations_of(connection, rma)):
            raise NotFinishedError(f"RMA {rma} of order {order} is still open; its data is needed until it is closed (or `gateway close` it first)")
    return found


def _forget_words(
    ctx: Context, terms: Sequence[str], within: Sequence[str] | None, counts: dict[str, int], *, actor: str, dry_run: bool
) -> None:  # fmt: skip
    if not terms:
        return
    with database.reading(ctx.engine) as connection:
        numbers = keeping.all_file_ids(connection) if within is None else keeping.files_of(connection, within)
    for number in numbers:
        counts["files"] += _mask_file(ctx, number, terms, dry_run=dry_run)
    try:
        with database.writing(ctx.engine) as connection:
            counts["rows"] += keeping.mask_tables(connection, terms, within=within)
            counts["events"] += audit.replace(
                connection, _masked(keeping.events_with(connection, terms, within=within), terms), at=ctx.now(), actor=actor, because="on request"
            )
            if dry_run:
                raise _OnlyLookedError
    except _OnlyLookedError:
        return


class _OnlyLookedError(Exception):
    """A dry run ends here and takes everything back."""


def _masked(rows: Iterable[dict[str, Any]], terms: Sequence[str]) -> Iterable[dict[str, Any]]:
    for row in rows:
        changed = row | {name: keeping.mask_words(row[name], terms) for name in ("text", "facts")}
        if changed != row:
            yield changed


def _mask_file(ctx: Context, number: int, terms: Sequence[str], *, dry_run: bool) -> int:
    """Write the terms over in one file, in the book or on disk; its first hash stays, so that it is still known as a duplicate."""
    with database.writing(ctx.engine) as connection:
        file = files.load(connection, number)
        folder = ctx.folders.get(file.partner) if file else None
        if file is None or (file.content is None and (folder is None or not file.place or not folder.resolve(file.place).is_file())):
            return 0
        content = file.content if file.content is not None else b"".join(folder.read(file.place) if folder else ())
        masked = keeping.mask_bytes(content, terms)
        if masked == content or dry_run:
            return int(masked != content)
        digest = hashlib.sha256(masked).hexdigest()
        files.change(connection, number, masked_sha256=digest, **({"content": masked} if file.content is not None else {}))
    if file.content is None and folder is not None:
        folder.rewrite(file.place, masked)
    return 1
