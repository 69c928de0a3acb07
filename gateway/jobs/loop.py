"""Loop's returns in: new ones become RAs, changed ones change them.

What was imported is remembered by position, which is the newest change that Loop has shown, with an overlap, so that nothing is missed at the edges or while
our clock is wrong; what has not changed is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.clients.loop import LONGEST_WINDOW, BadReturn
from gateway.domain import authorizing, lifecycle
from gateway.domain.authorizing import Authorized
from gateway.domain.documents import Authorization, Return
from gateway.domain.lifecycle import RaState
from gateway.jobs import loop_effects
from gateway.jobs.context import Context, Tally
from gateway.jobs.making import IN_REVIEW, Making
from gateway.store import database, events, files, received, returns, workqueue
from gateway.store.returns import HeldAuthorization, HeldReturn, NewAuthorization, NewReturn

STATES: tuple[str | None, ...] = (None, "cancelled", "review")
POSITION = "loop.updated_at"


def import_return_authorizations(ctx: Context, *, rma: str | None = None, start: datetime | None = None, end: datetime | None = None) -> Tally:
    """Read new and changed returns and make their RAs: by position, for one RMA, or for a range (R-009, R-040)."""
    tally = Tally(scope=rma or (f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" if start and end else ""))
    if rma:
        _import_one(ctx, rma, tally)
        return tally
    until = end or ctx.now()
    since = start or _since(ctx)
    for begin, finish in windows(since, until):
        shown: list[datetime] = []
        for state in STATES:
            for page in ctx.loop.list_returns(start=begin, end=finish, state=state, field="created_at" if start else "updated_at"):
                _take_page(ctx, page, tally)
                shown += [entry.updated_at for entry in page if isinstance(entry, Return)]
        if start is None:
            with database.writing(ctx.engine) as connection:
                events.advance_position(connection, POSITION, max(shown, default=None))
    return tally


def _since(ctx: Context) -> datetime:
    with database.reading(ctx.engine) as connection:
        stored = events.position(connection, POSITION)
    if stored is None:
        return ctx.import_from
    return database.moment(stored) - timedelta(seconds=ctx.timing.import_overlap)


def windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A range cut into windows that Loop accepts (at most 120 days); the end is a second past, since ends may be exclusive."""
    begin = since
    while begin < until:
        finish = min(begin + LONGEST_WINDOW - timedelta(seconds=2), until + timedelta(seconds=1))
        yield begin, finish
        begin = finish


def _import_one(ctx: Context, rma: str, tally: Tally) -> None:
    """Import by number: the details tell when it was created, the list has all fields."""
    found = ctx.loop.return_details(rma)
    near = timedelta(seconds=2)
    for state in STATES:
        for page in ctx.loop.list_returns(start=found.created_at - near, end=found.created_at + near, state=state, field="created_at"):
            _take_page(ctx, [entry for entry in page if entry.rma == rma], tally, asked_for=True)
    if not tally.read:
        tally.fail(rma, "Loop has it, but its list does not show it; try again in a minute")


def _take_page(ctx: Context, page: Sequence[Return | BadReturn], tally: Tally, *, asked_for: bool = False) -> None:
    """One page in one transaction; a return that cannot be read stops only itself."""
    with database.writing(ctx.engine) as connection:
        for entry in page:
            tally.read += 1
            if isinstance(entry, BadReturn):
                tally.fail(entry.rma, entry.why)
                events.open_task(connection, "unreadable return", entry.rma, entry.why, at=ctx.now(), rma=entry.rma)
        take_returns(ctx, connection, [entry for entry in page if isinstance(entry, Return)], tally, asked_for=asked_for)


def take_returns(ctx: Context, connection: Connection, found: Sequence[Return], tally: Tally, *, asked_for: bool) -> None:
    """Take over returns as Loop shows them: made new, changed, or passed over with the reason. One that is listed twice is taken twice, in turn."""
    first: dict[str, Return] = {}
    again = []
    for rma in found:
        if rma.rma in first:
            again.append(rma)
        else:
            first[rma.rma] = rma
    _take_once(ctx, connection, list(first.values()), tally, asked_for=asked_for)
    if again:
        take_returns(ctx, connection, again, tally, asked_for=asked_for)


def _take_once(ctx: Context, connection: Connection, found: Sequence[Return], tally: Tally, *, asked_for: bool) -> None:
    """Returns of which each has its own number: those never seen are put in together, and so are the RAs of all."""
    known = returns.load_returns(connection, [rma.rma for rma in found])
    unknown = [rma for rma in found if rma.rma not in known]
    refused = {rma.rma: why for rma in unknown if (why := _not_imported(ctx, rma, asked_for=asked_for))}
    wanted = [rma for rma in unknown if rma.rma not in refused]
    new = _put_in(ctx, connection, wanted)
    known |= returns.load_returns(connection, [rma.rma for rma in wanted if rma.rma not in new])  # another process has just put them in
    making = Making(ctx, connection, ctx.now())
    for rma in found:
        if rma.rma in refused:
            tally.skip(rma.rma, refused[rma.rma])
        elif rma.rma in new:
            events.note(connection, "return.created", f"Created in Loop for order {rma.order_name}", at=rma.created_at, rma=rma.rma, actor="Loop")
            _take_up(ctx, making, rma, new[rma.rma], tally)
        else:
            _take_known(ctx, making, known[rma.rma], rma, tally)
    making.write()


def _put_in(ctx: Context, connection: Connection, wanted: Sequence[Return]) -> dict[str, Authorized]:
    """Put in returns that the book did not hold; what becomes of each, by RMA number."""
    made = {rma.rma: authorizing.authorize(rma, places=ctx.places, policy=ctx.policy, version=1, at=ctx.now()) for rma in wanted}
    put_in = returns.insert_returns(connection, [_new_return(rma, made[rma.rma]) for rma in wanted], at=ctx.now())
    return {rma: what for rma, what in made.items() if rma in put_in}


def _new_return(rma: Return, made: Authorized) -> NewReturn:
    return NewReturn(document=rma, hold=(made.hold, made.hold_key), none_because=made.none_because, exchange_state=_early(rma, made))


def _early(rma: Return, made: Authorized) -> str:
    """Where the exchange of a return stands whose goods are only about to come; empty when it has gone nowhere."""
    early = next((exchange.order_name or exchange.order_id for exchange in rma.exchanges if exchange.order_id), None)
    return f"instant exchange: order {early} went out before the goods came" if early and made.authorizations else ""


def _take_known(ctx: Context, making: Making, known: HeldReturn, rma: Return, tally: Tally) -> None:
    """Take over what Loop shows of a return that we hold."""
    rma = replace(rma, refund_ids=rma.refund_ids or known.document.refund_ids)
    if rma == known.document:
        tally.skip(rma.rma, "unchanged")
        return
    unmade = not returns.authorizations_of(making.connection, rma.rma)
    if unmade and (known.hold or known.none_because) and rma.state in ("open", "review"):
        _authorize(ctx, making, rma, tally)
    else:
        _follow(ctx, making.connection, known, rma, tally)


def _not_imported(ctx: Context, rma: Return, *, asked_for: bool) -> str:
    if rma.state in ("cancelled", "closed", "expired"):
        return f"{rma.state} in Loop before it was imported"
    if rma.created_at < ctx.import_from and not asked_for:
        return f"created before {ctx.import_from:%Y-%m-%d} (merchant.import_from); `gateway job LoopImportReturnAuthorizations --rma` imports it"
    return ""


def _authorize(ctx: Context, making: Making, rma: Return, tally: Tally) -> None:
    """Try once more to make the RAs of a return that was held or had nothing to come."""
    connection = making.connection
    made = authorizing.authorize(rma, places=ctx.places, policy=ctx.policy, version=1, at=ctx.now())
    returns.save_return(connection, rma, at=ctx.now(), hold=(made.hold, made.hold_key), none_because=made.none_because)
    if not made.hold:
        events.close_tasks(connection, kind="held return", subject=rma.rma, because="mapped", at=ctx.now())
    if early := _early(rma, made):
        returns.set_exchange_state(connection, rma.rma, early)
    _take_up(ctx, making, rma, made, tally)


def _take_up(ctx: Context, making: Making, rma: Return, made: Authorized, tally: Tally) -> None:
    """Make the RAs of a return, or say why it is held or has none."""
    connection = making.connection
    if made.hold:
        tally.skip(rma.rma, f"held: {made.hold}")
        events.open_task(connection, "held return", rma.rma, f"RMA {rma.rma} is held: {made.hold}", at=ctx.now(), rma=rma.rma)
        return
    if made.none_because:
        tally.skip(rma.rma, made.none_because)
        events.note_once(connection, "return.nothing-physical", made.none_because, at=ctx.now(), rma=rma.rma)
        return
    for text in made.notes:
        events.note_once(connection, "unit.left-out", text, at=ctx.now(), rma=rma.rma)
    tally.done += 1
    for ra in made.authorizations:
        making.add(ra, review=rma.state == "review", partners=[each.partner for each in made.authorizations])


def _follow(ctx: Context, connection: Connection, known: HeldReturn, rma: Return, tally: Tally) -> None:
    """Apply what changed in Loop to what we hold."""
    returns.save_return(connection, rma, at=ctx.now(), none_because=known.none_because)
    if known.hold:
        events.close_tasks(connection, kind="held return", subject=rma.rma, because=f"{rma.state} in Loop", at=ctx.now())
    tally.done += 1
    held = returns.authorizations_of(connection, rma.rma)
    if rma.state != known.document.state:
        events.note(
            connection,
            f"return.{rma.state}",
            f"Loop: {known.document.state} → {rma.state} ({ctx.local(rma.updated_at):%H:%M:%S})",
            at=ctx.now(),
            rma=rma.rma,
            actor="Loop",
        )
    if rma.state == "closed":
        workqueue.enqueue(connection, "confirm", rma.rma, due_at=ctx.now())
    elif rma.state in ("cancelled", "expired"):
        for ra in held:
            _end(ctx, connection, ra, RaState(rma.state))
        loop_effects.end_instant_exchange(ctx, connection, rma)
    else:
        _reopen(ctx, connection, held, rma)
        workqueue.enqueue(connection, "decide", rma.rma, due_at=ctx.now())
        if rma.units != known.document.units:
            _change(ctx, connection, held, rma)


def _reopen(ctx: Context, connection: Connection, held: list[HeldAuthorization], rma: Return) -> None:
    """Send what was only held because its return was in review."""
    for ra in held:
        if ra.state == RaState.HELD and rma.state == "open" and ra.hold.startswith(IN_REVIEW):
            returns.advance(connection, ra.document.ra, RaState.IMPORTED, hold="")
            workqueue.enqueue(connection, "transmit", ra.document.ra, due_at=ctx.now())


def _end(ctx: Context, connection: Connection, ra: HeldAuthorization, state: RaState) -> None:
    """End an RA that Loop cancelled or let expire; what was sent is cancelled once (R-052)."""
    if not lifecycle.may(ra.state, state) or ra.state == state:
        return
    returns.advance(connection, ra.document.ra, state)
    events.note(connection, f"ra.{state.value}", f"{ra.document.ra} {state.value} in Loop", at=ctx.now(), rma=ra.document.rma, ra=ra.document.ra)
    if files.documents_for(connection, ra.document.ra):
        workqueue.enqueue(connection, "cancel", ra.document.ra, due_at=ctx.now())


def _change(ctx: Context, connection: Connection, held: list[HeldAuthorization], rma: Return) -> None:
    """Rebuild RAs whose lines changed: under the same number, one version higher (R-051). A warehouse keeps the RA number it has."""
    if not held or any(ra.state in lifecycle.DECIDED for ra in held):
        return
    version = max(ra.document.version for ra in held) + 1
    made = authorizing.authorize(rma, places=ctx.places, policy=ctx.policy, version=version, at=ctx.now())
    if made.hold:
        _hold_edit(ctx, connection, rma, made)
        return
    events.close_tasks(connection, kind="edited return", subject=rma.rma, because="mapped", at=ctx.now())
    returns.save_return(connection, rma, at=ctx.now(), none_because=made.none_because)
    living = {ra.document.warehouse: ra for ra in held if ra.state not in lifecycle.ENDED}
    wanted = {ra.warehouse: ra for ra in authorizing.numbered(made.authorizations, held=[ra.document for ra in held], policy=ctx.policy)}
    for warehouse, before in living.items():
        if warehouse in wanted:
            _rebuild(ctx, connection, before, wanted[warehouse])
        else:
            _drop(ctx, connection, before, made.none_because or "no unit of the return goes to this warehouse any more")
    partners = [ra.document.partner for ra in held] + [ra.partner for ra in wanted.values()]
    making = Making(ctx, connection, ctx.now())
    for warehouse, ra in wanted.items():
        if warehouse not in living:
            making.add(ra, review=rma.state == "review", partners=partners)
    making.write()


def end_with(ctx: Context, connection: Connection, rma: Return) -> None:
    """End what we still wait for of a return that Loop has ended."""
    if rma.state in ("cancelled", "expired"):
        for ra in returns.authorizations_of(connection, rma.rma):
            _end(ctx, connection, ra, RaState(rma.state))


def _hold_edit(ctx: Context, connection: Connection, rma: Return, made: Authorized) -> None:
    """An edit that cannot be placed waits for its mapping; the RAs stay as they are."""
    returns.save_return(connection, rma, at=ctx.now(), hold=(made.hold, made.hold_key))
    text = f"RMA {rma.rma} was edited in Loop, but the edit cannot be taken over: {made.hold}"
    advice = "map it, and the RAs are changed by themselves; until then the warehouse expects what it was told before"
    events.open_task(connection, "edited return", rma.rma, text, at=ctx.now(), rma=rma.rma, advice=advice)


def _rebuild(ctx: Context, connection: Connection, before: HeldAuthorization, ra: Authorization) -> None:
    """Give an RA its new lines."""
    if ra.lines == before.document.lines:
        return
    returns.save_authorization(connection, NewAuthorization(document=ra, state=before.state, hold=before.hold))
    events.note(connection, "ra.changed", f"{ra.ra} version {ra.version}: edited in Loop", at=ctx.now(), rma=ra.rma, ra=ra.ra)
    if before.state != RaState.HELD:
        workqueue.enqueue(connection, "transmit", ra.ra, due_at=ctx.now())
    workqueue.enqueue(connection, "decide", ra.rma, due_at=ctx.now())


def _drop(ctx: Context, connection: Connection, ra: HeldAuthorization, why: str) -> None:
    """End an RA that an edit left without units; goods that came for it already are for a person to sort out."""
    number, rma = ra.document.ra, ra.document.rma
    if received.receipts_of(connection, number):
        text = f"{number}: goods came for it, but RMA {rma} was edited in Loop so that {why}"
        events.open_task(
            connection, "edited return", rma, text, at=ctx.now(), rma=rma, advice="settle it with the shopper in Loop, then close the RA"
        )
        return
    events.note(connection, "ra.changed", f"{number}: {why}", at=ctx.now(), rma=rma, ra=number)
    _end(ctx, connection, ra, RaState.CANCELLED)


def retry_held(ctx: Context, tally: Tally) -> None:
    """Try again every return that waited for a mapping; a mapping added releases all that waited for it."""
    with database.writing(ctx.engine) as connection:
        making = Making(ctx, connection, ctx.now())
        for held in returns.held_returns(connection):
            made = returns.authorizations_of(connection, held.document.rma)
            if made:
                _change(ctx, connection, made, held.document)
            else:
                _authorize(ctx, making, held.document, tally)
        making.write()
