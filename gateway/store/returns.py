"""Returns, authorizations and decisions as rows.

What is loaded in a writing transaction stays locked until its commit (on PostgreSQL; SQLite has one writer): load first, then look, then decide, and no
other process can have decided the same meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, or_, select, union, update

from gateway.domain.documents import Authorization, AuthorizationLine, Return
from gateway.domain.lifecycle import ENDED, WAITING_FOR_GOODS, RaState, step
from gateway.domain.matching import squeeze
from gateway.domain.receiving import Decision, Standing
from gateway.store import database, documents, keeping
from gateway.store.schema import IS_HELD, authorization_lines, authorizations, decisions, returns, tracking_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReturn:
    """A return as the book holds it."""

    document: Return
    hold: str
    hold_key: str
    none_because: str
    exchange_state: str
    closed_at: datetime | None
    emptied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAuthorization:
    """An RA as the book holds it."""

    document: Authorization
    state: RaState
    hold: str
    sent_at: datetime | None
    first_receipt_at: datetime | None
    wait_until: datetime | None


def _when(text: str | None) -> datetime | None:
    return database.moment(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReturn:
    """A return that the book may not hold yet; `hold` is its reason and the key of what it waits for."""

    document: Return
    hold: tuple[str, str] = ("", "")
    none_because: str = ""
    exchange_state: str = ""


def insert_returns(connection: Connection, found: Sequence[NewReturn], *, at: datetime) -> set[str]:
    """Put in the returns that the book does not hold; the RMAs of those. The others are there, put in by another process a moment ago."""
    rows = [_row(new, document=documents.dump(new.document), closed_at=None, at=at) for new in sorted(found, key=lambda new: new.document.rma)]
    return {str(row[0]) for row in database.insert_all_new(connection, returns, rows, returning=("rma",))}


def save_return(connection: Connection, rma: Return, *, at: datetime, hold: tuple[str, str] = ("", ""), none_because: str = "") -> None:
    """Write a return as Loop shows it now; `hold` is its reason and the key of what it waits for."""
    known = load_return(connection, rma.rma)
    closed_at = known.closed_at if known else None
    if rma.state == "closed" and closed_at is None:
        closed_at = at
    new = NewReturn(document=rma, hold=hold, none_because=none_because, exchange_state=known.exchange_state if known else "")
    document = _without_person(rma) if known and known.emptied else documents.dump(rma)
    database.put(connection, returns, _row(new, document=document, closed_at=closed_at, at=at))


def _row(new: NewReturn, *, document: str, closed_at: datetime | None, at: datetime) -> dict[str, Any]:
    rma = new.document
    return {
        "rma": rma.rma,
        "state": rma.state,
        "order_id": rma.order_id,
        "order_name": rma.order_name,
        "updated_at": database.instant(rma.updated_at),
        "document": document,
        "hold": new.hold[0],
        "hold_key": new.hold[1],
        "none_because": new.none_because,
        "exchange_state": new.exchange_state,
        "closed_at": database.instant(closed_at) if closed_at else None,
        "imported_at": database.instant(at),
    }


def _without_person(rma: Return) -> str:
    """A return whose personal data was removed stays without it, whatever Loop still shows (R-176)."""
    return database.pack(keeping.without_person(json.loads(documents.dump(rma))))


def set_exchange_state(connection: Connection, rma: str, state: str) -> None:
    """Note where the exchange of a return stands."""
    connection.execute(update(returns).where(returns.c.rma == rma).values(exchange_state=state))


RETURN = select(returns).where(returns.c.rma == bindparam("asked_rma"))
AMONG = select(returns).where(returns.c.rma.in_(bindparam("asked_rmas", expanding=True))).order_by(returns.c.rma)
AUTHORIZATION = select(authorizations).where(authorizations.c.ra == bindparam("asked_ra"))


def load_return(connection: Connection, rma: str) -> HeldReturn | None:
    """A return by its RMA number."""
    found = connection.execute(database.lock_row(connection, RETURN), {"asked_rma": rma}).mappings().first()
    return _held_return(dict(found)) if found else None


def load_returns(connection: Connection, rmas: Sequence[str]) -> dict[str, HeldReturn]:
    """Those of these returns that the book holds, by RMA number."""
    if not rmas:
        return {}
    found = connection.execute(database.lock_row(connection, AMONG), {"asked_rmas": sorted(rmas)}).mappings()
    return {row["rma"]: _held_return(dict(row)) for row in found}


def _held_return(row: dict[str, Any]) -> HeldReturn:
    return HeldReturn(
        document=documents.load(Return, row["document"]),
        hold=row["hold"],
        hold_key=row["hold_key"],
        none_because=row["none_because"],
        exchange_state=row["exchange_state"],
        closed_at=_when(row["closed_at"]),
        emptied=row["emptied_at"] is not None,
    )


def list_returns(connection: Connection, *criteria: Any) -> list[HeldReturn]:
    """Returns that meet the criteria, oldest first."""
    return [_held_return(row) for row in database.rows(connection, select(returns).where(*criteria).order_by(returns.c.rma))]


def returns_of_order(connection: Connection, order_id: str) -> list[HeldReturn]:
    """Every return on a Shopify order."""
    return list_returns(connection, returns.c.order_id == order_id)


def held_returns(connection: Connection) -> list[HeldReturn]:
    """Returns that wait for a mapping."""
    return list_returns(connection, IS_HELD)


def returns_in_state(connection: Connection, states: Iterable[RaState]) -> list[HeldReturn]:
    """Returns with an RA in one of the states."""
    inside = select(authorizations.c.rma).where(authorizations.c.state.in_([s.value for s in states]))
    return list_returns(connection, returns.c.rma.in_(inside))


def open_returns(connection: Connection, *, since: datetime) -> list[HeldReturn]:
    """Returns that were open or in review in Loop when last seen, and that changed since an instant."""
    return list_returns(connection, returns.c.state.in_(["open", "review"]), returns.c.updated_at >= database.instant(since))


def closed_returns(connection: Connection, *, start: datetime | None = None, end: datetime | None = None) -> list[HeldReturn]:
    """Returns that Loop closed, all or within a time."""
    return list_returns(connection, returns.c.state == "closed", *database.within(returns.c.closed_at, start, end))


def waiting_for_exchange(connection: Connection) -> list[HeldReturn]:
    """Closed returns whose exchange order has not come yet."""
    return list_returns(connection, returns.c.exchange_state == "waiting for exchange order")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthorization:
    """An RA to be written, with the state it gets and what holds it."""

    document: Authorization
    state: RaState
    hold: str = ""


def save_authorization(connection: Connection, ra: NewAuthorization) -> None:
    """Write an RA that the book holds anew, with its lines; what was received for it stays."""
    connection.execute(update(authorizations).where(authorizations.c.ra == ra.document.ra).values(**_ra_row(ra)))
    connection.execute(authorization_lines.delete().where(authorization_lines.c.ra == ra.document.ra))
    _insert_parts(connection, [ra.document])


def insert_authorizations(connection: Connection, made: Sequence[NewAuthorization]) -> None:
    """Put in RAs with their lines, in few statements; one whose number is there already (a warehouse comes back to its return) is written anew."""
    rows = [{**_ra_row(ra), "created_at": database.instant(ra.document.created_at)} for ra in made]
    put_in = {row[0] for row in database.insert_all_new(connection, authorizations, rows, returning=("ra",))}
    _insert_parts(connection, [ra.document for ra in made if ra.document.ra in put_in])
    for ra in made:
        if ra.document.ra not in put_in:
            save_authorization(connection, ra)


def _ra_row(new: NewAuthorization) -> dict[str, Any]:
    ra = new.document
    return {
        "ra": ra.ra,
        "rma": ra.rma,
        "version": ra.version,
        "partner": ra.partner,
        "warehouse": ra.warehouse,
        "state": new.state.value,
        "hold": new.hold,
        "document": documents.dump(ra),
        "currency": ra.currency,
        "value_cents": int(ra.value * 100),
    }


def _insert_parts(connection: Connection, made: Sequence[Authorization]) -> None:
    """Put in the numbers and lines of RAs."""
    numbers = [{"number": number, "ra": ra.ra} for ra in made for number in {*ra.tracking_numbers, *filter(None, (ra.bag_barcode,))}]
    database.insert_all_new(connection, tracking_numbers, numbers)
    database.insert_all_new(connection, authorization_lines, [_line_row(ra, line) for ra in made for line in ra.lines])


def _line_row(ra: Authorization, line: AuthorizationLine) -> dict[str, Any]:
    return {
        "ra": ra.ra,
        "sku": line.sku,
        "line_no": line.line_no,
        "upc": line.upc,
        "expected": line.quantity,
        "unit_ids": database.pack(line.unit_ids),
    }


def load_authorization(connection: Connection, ra: str) -> HeldAuthorization | None:
    """An RA by its number."""
    found = connection.execute(database.lock_row(connection, AUTHORIZATION), {"asked_ra": ra}).mappings().first()
    return _held_authorization(dict(found)) if found else None


NAMED = (
    select(authorizations)
    .where(
        or_(authorizations.c.ra.in_(bindparam("written", expanding=True)), func.upper(authorizations.c.ra).in_(bindparam("plain", expanding=True)))
    )
    .order_by(authorizations.c.ra)
)


def _plain(text: str) -> str:
    return text.strip().lstrip("#").upper()


def find_authorization(connection: Connection, *, partner: str | None, references: Sequence[str]) -> HeldAuthorization | None:
    """The RA, of one partner or (None) of any, that one of the references names: as written, or without `#` and blanks and in capitals."""
    return named_by(references, authorizations_named(connection, references), partner=partner)


def authorizations_named(connection: Connection, references: Iterable[str]) -> dict[str, list[HeldAuthorization]]:
    """The RAs of any partner that references may name, by their numbers in capitals."""
    texts = [text for text in references if _plain(text)]
    found: dict[str, list[HeldAuthorization]] = {}
    if texts:
        asked = {"written": [text.strip() for text in texts], "plain": [_plain(text) for text in texts]}
        for row in connection.execute(database.lock_row(connection, NAMED), asked).mappings():
            found.setdefault(row["ra"].upper(), []).append(_held_authorization(dict(row)))
    return found


def named_by(references: Iterable[str], found: Mapping[str, Sequence[HeldAuthorization]], *, partner: str | None) -> HeldAuthorization | None:
    """The first that references name among those found, of one partner or (None) of any; as written before in capitals."""
    for text in references:
        written, mine = text.strip(), [ra for ra in found.get(_plain(text), ()) if partner in (None, ra.document.partner)]
        mine += [ra for ra in found.get(written.upper(), ()) if ra.document.ra == written and partner in (None, ra.document.partner)]
        if mine and _plain(text):
            return next((ra for ra in mine if ra.document.ra == written), mine[0])
    return None


STATES_OF = select(returns.c.rma, returns.c.state).where(returns.c.rma.in_(bindparam("asked", expanding=True))).order_by(returns.c.rma)
DECIDED = select(decisions.c.rma).where(decisions.c.rma.in_(bindparam("asked", expanding=True)))


def states_of(connection: Connection, rmas: Iterable[str]) -> dict[str, str]:
    """The state in Loop of each of the returns, as last seen."""
    found = connection.execute(database.lock_row(connection, STATES_OF), {"asked": list(rmas)})
    return {rma: state for rma, state in found}


def decided_of(connection: Connection, rmas: Iterable[str]) -> set[str]:
    """Those of the returns that have their decision."""
    return set(connection.execute(DECIDED, {"asked": list(rmas)}).scalars())


def _held_authorization(row: dict[str, Any]) -> HeldAuthorization:
    return HeldAuthorization(
        document=documents.load(Authorization, row["document"]),
        state=RaState(row["state"]),
        hold=row["hold"],
        sent_at=_when(row["sent_at"]),
        first_receipt_at=_when(row["first_receipt_at"]),
        wait_until=_when(row["wait_until"]),
    )


OF_RETURN = select(authorizations).where(authorizations.c.rma == bindparam("asked_rma")).order_by(authorizations.c.ra)


def authorizations_of(connection: Connection, rma: str) -> list[HeldAuthorization]:
    """Every RA of an RMA."""
    found = connection.execute(database.lock_row(connection, OF_RETURN), {"asked_rma": rma}).mappings()
    return [_held_authorization(dict(row)) for row in found]


def list_authorizations(connection: Connection, *, states: Iterable[RaState], partner: str | None = None) -> list[HeldAuthorization]:
    """RAs in one of the states, oldest first."""
    statement = select(authorizations).where(authorizations.c.state.in_([s.value for s in states])).order_by(authorizations.c.created_at)
    if partner:
        statement = statement.where(authorizations.c.partner == partner)
    return [_held_authorization(row) for row in database.rows(connection, statement)]


def authorization_numbers(
    connection: Connection, *, states: Iterable[RaState], partner: str | None = None, of: tuple[Iterable[str], Iterable[str]] | None = None
) -> list[str]:
    """The numbers of the RAs in one of the states, oldest first; `of`: only these RAs and those of these RMAs."""
    wanted: list[Any] = [authorizations.c.state.in_([state.value for state in states])]
    if partner:
        wanted.append(authorizations.c.partner == partner)
    if of:
        ras, rmas = (list(numbers) for numbers in of)
        wanted.append(or_(authorizations.c.ra.in_(ras), authorizations.c.rma.in_(rmas)))
    statement = select(authorizations.c.ra).where(*wanted).order_by(authorizations.c.created_at, authorizations.c.ra)
    return [str(row[0]) for row in connection.execute(statement)]


def open_resembling(connection: Connection, *, partner: str, texts: Sequence[str], skus: Sequence[str], limit: int = 200) -> list[Authorization]:
    """The RAs of a partner that still wait for goods: those that a text may name, and the newest with one of the SKUs, `limit` of each."""
    waiting = (authorizations.c.partner == partner, authorizations.c.state.in_([state.value for state in WAITING_FOR_GOODS]))
    lines = select(authorization_lines.c.ra).where(authorization_lines.c.ra == authorizations.c.ra, authorization_lines.c.sku.in_(skus))
    named = [str(row[0]) for row in connection.execute(_named_by(texts))]
    chosen: list[str] = []
    for wanted in ([authorizations.c.ra.in_(named)] if named else []) + ([lines.exists()] if skus else []):
        newest = select(authorizations.c.ra).where(*waiting, wanted).order_by(authorizations.c.created_at.desc()).limit(limit)
        chosen += [str(row[0]) for row in connection.execute(newest)]
    statement = select(authorizations).where(authorizations.c.ra.in_(chosen)).order_by(authorizations.c.created_at.desc())
    return [_held_authorization(row).document for row in database.rows(connection, statement)]


def _named_by(texts: Sequence[str]) -> Any:
    """RAs by tracking number, bag, own number, RMA or order as written, bare of the signs around it, or as the digits within: each from an index."""
    written = [text.strip() for text in texts if text.strip("# ")]
    plain = [squeeze(text) for text in written]
    orders = [name for text in written for name in (text, f"#{text.lstrip('#')}")]
    rmas = [*written, *plain, *(digits for text in plain for digits in re.findall(r"[0-9]{3,}", text))]
    ordered = select(authorizations.c.ra).join(returns, returns.c.rma == authorizations.c.rma).where(returns.c.order_name.in_(orders))
    return union(
        select(tracking_numbers.c.ra).where(tracking_numbers.c.number.in_(written)),
        *(select(authorizations.c.ra).where(wanted) for wanted in (authorizations.c.ra.in_(written), func.upper(authorizations.c.ra).in_(plain))),
        select(authorizations.c.ra).where(authorizations.c.rma.in_(rmas)),
        ordered,
    )


def every_authorization(connection: Connection) -> list[HeldAuthorization]:
    """Every RA, in the order they were made."""
    return [
        _held_authorization(row)
        for row in database.rows(connection, select(authorizations).order_by(authorizations.c.created_at, authorizations.c.ra))
    ]


def count_open_by_state(connection: Connection) -> dict[str, int]:
    """How many RAs are in each state that is no end: read from the index without those that have ended, which are most."""
    going = authorizations.c.state.in_([state.value for state in RaState if state not in ENDED])
    return {state: n for state, n in connection.execute(select(authorizations.c.state, func.count()).where(going).group_by(authorizations.c.state))}


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many RAs are in each state."""
    return {state: count for state, count in connection.execute(select(authorizations.c.state, func.count()).group_by(authorizations.c.state))}


def waited_out(connection: Connection, *, now: datetime, rma: str | None = None) -> list[str]:
    """RMAs (or only this one) of which something came and whose partial wait is over (R-091); an RA in full may wait for another RA of its RMA."""
    came = authorizations.c.state.in_([RaState.PARTLY_RECEIVED.value, RaState.RECEIVED.value])
    statement = select(authorizations.c.rma).where(came, authorizations.c.wait_until <= database.instant(now)).distinct()
    if rma is not None:
        statement = statement.where(authorizations.c.rma == rma)
    return [str(r[0]) for r in connection.execute(statement)]


def advance(connection: Connection, ra: str, wanted: RaState, **fields: Any) -> RaState:
    """Move an RA to a state it may take; returns the state it had."""
    row = database.row(connection, database.lock_row(connection, select(authorizations.c.state).where(authorizations.c.ra == ra)))
    before = RaState(row["state"]) if row else RaState.IMPORTED
    values = {name: database.instant(value) if isinstance(value, datetime) else value for name, value in fields.items()}
    connection.execute(update(authorizations).where(authorizations.c.ra == ra).values(state=step(before, wanted).value, **values))
    return before


def set_hold(connection: Connection, ra: str, hold: str) -> None:
    """Write or lift the hold of an RA without moving it."""
    connection.execute(update(authorizations).where(authorizations.c.ra == ra).values(hold=hold))


def force_closed(connection: Connection, ra: str) -> None:
    """Close an RA by a person's word, from whatever state it is in."""
    connection.execute(update(authorizations).where(authorizations.c.ra == ra).values(state=RaState.CLOSED.value))


STANDING = (
    update(authorization_lines)
    .where(authorization_lines.c.ra == bindparam("asked_ra"), authorization_lines.c.sku == bindparam("asked_sku"))
    .values(
        not_returned=case((authorization_lines.c.not_returned > bindparam("missing"), bindparam("missing")), else_=authorization_lines.c.not_returned)
    )
)


def save_standing(connection: Connection, standing: Standing) -> None:
    """Write what was received for an RA, line by line; a unit that came after all is no longer one that was not returned."""
    for line in standing.lines:
        asked = {"asked_ra": standing.ra, "asked_sku": line.sku, "missing": line.missing}
        connection.execute(STANDING, {**asked, "good": line.good, "second": line.second, "over": line.over})


def close_missing(connection: Connection, ra: str, not_returned: dict[str, int]) -> None:
    """Close units of an RA as not returned (R-025)."""
    for sku, quantity in not_returned.items():
        where = (authorization_lines.c.ra == ra) & (authorization_lines.c.sku == sku)
        connection.execute(update(authorization_lines).where(where).values(not_returned=quantity))


def lines_of(connection: Connection, ra: str) -> list[dict[str, Any]]:
    """The lines of an RA with what was received, in their order."""
    return database.rows(connection, select(authorization_lines).where(authorization_lines.c.ra == ra).order_by(authorization_lines.c.line_no))


def save_decision(connection: Connection, rma: str, decision: Decision, *, inputs: Any, settings_version: str, at: datetime) -> bool:
    """Write the one decision of an RMA; False when there is one already."""
    row = {
        "rma": rma,
        "verdict": decision.verdict.value,
        "rule": decision.rule,
        "document": database.pack({"decision": documents.dump(decision), "inputs": inputs}),
        "settings_version": settings_version,
        "decided_at": database.instant(at),
    }
    return database.insert_new(connection, decisions, row) is not None


DECISION = select(decisions).where(decisions.c.rma == bindparam("asked_rma"))


def load_decision(connection: Connection, rma: str) -> dict[str, Any] | None:
    """The decision of an RMA as its row, `decision` being the document."""
    row = connection.execute(DECISION, {"asked_rma": rma}).mappings().first()
    if row is None:
        return None
    kept = json.loads(row["document"])
    return {**row, "decision": documents.load(Decision, kept["decision"]), "inputs": kept["inputs"]}


def withdraw_decision(connection: Connection, rma: str) -> dict[str, Any] | None:
    """Take out a decision that was never carried out; the row as it was, for the story."""
    row = database.row(connection, select(decisions).where(decisions.c.rma == rma))
    connection.execute(decisions.delete().where(decisions.c.rma == rma))
    return row


def confirm_decision(connection: Connection, rma: str, *, at: datetime) -> None:
    """Note that Loop has closed what was decided."""
    where = (decisions.c.rma == rma) & decisions.c.confirmed_at.is_(None)
    connection.execute(update(decisions).where(where).values(confirmed_at=database.instant(at)))
