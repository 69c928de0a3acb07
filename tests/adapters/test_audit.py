"""The audit log proves itself on both databases: changed, deleted, cut off, and emptied by leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import DBAPIError

from gateway.store import audit, database, events
from gateway.store.schema import events as events_table
from gateway.store.schema import positions

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty book on each database."""
    url = f"sqlite:///{tmp_path / 'book.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = database.connect(url)
    database.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A book with five sealed events."""
    with database.writing(engine) as made:
        for number in range(5):
            events.note(
                made, "ra.held", f"event {number}", at=NOON + timedelta(seconds=number), rma="77000001", actor="dana", facts={"before": "sent"}
            )
        assert audit.seal(made) == 5
        assert audit.seal(made) == 0
        yield made


def broken(connection: Connection) -> list[str]:
    """What is broken."""
    return list(audit.find_broken(connection))


def number_of(connection: Connection, text: str) -> int:
    """An event's number by its text."""
    return int(events.list_events(connection, events_table.c.text == text)[0]["id"])


def test_a_whole_chain_has_nothing_broken(connection: Connection) -> None:
    assert broken(connection) == []


@pytest.mark.parametrize("column", ["at", "word", "rma", "actor", "text", "facts"])
def test_it_names_an_event_of_which_anything_was_changed(connection: Connection, column: str) -> None:
    number = number_of(connection, "event 2")
    with audit.unprotected(connection):
        connection.execute(update(events_table).where(events_table.c.id == number).values({column: "2026-01-01T00:00:00.000000Z"}))
    (told,) = broken(connection)
    assert f"event {number} of" in told
    assert "was changed" in told


def test_it_names_an_event_whose_digest_was_changed_with_it(connection: Connection) -> None:
    number = number_of(connection, "event 2")
    with audit.unprotected(connection):
        row = events.list_events(connection, events_table.c.id == number)[0] | {"text": "another"}
        connection.execute(update(events_table).where(events_table.c.id == number).values(text="another", digest=audit.digest_of(row)))
    assert any(f"event {number} of" in told and "seal" in told for told in broken(connection))


def test_it_misses_an_event_that_was_deleted_in_the_middle_or_at_the_end(connection: Connection) -> None:
    with audit.unprotected(connection):
        connection.execute(events_table.delete().where(events_table.c.link == 3))
    assert any("1 event(s) before" in told for told in broken(connection))
    with audit.unprotected(connection):
        connection.execute(events_table.delete().where(events_table.c.link == 5))
    assert any("the end of the log is missing" in told for told in broken(connection))


def test_it_notices_an_event_that_was_changed_before_it_was_sealed(connection: Connection) -> None:
    events.note(connection, "ra.held", "fresh", at=NOON)
    with audit.unprotected(connection):
        connection.execute(update(events_table).where(events_table.c.text == "fresh").values(text="stale"))
    assert ["before it was sealed" in told for told in broken(connection)] == [True]


@pytest.mark.parametrize("statement", [update(events_table).values(text="x"), events_table.delete(), update(events_table).values(link=None)])
def test_the_database_itself_refuses_to_change_or_delete_events(engine: Engine, statement: object) -> None:
    with database.writing(engine) as connection:
        events.note(connection, "ra.held", "one", at=NOON)
        audit.seal(connection)
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # any statement


def test_events_that_are_emptied_by_leave_keep_the_chain(connection: Connection) -> None:
    rows = [row | {"text": "", "facts": "{}"} for row in events.list_events(connection, events_table.c.word == "ra.held")]
    assert audit.replace(connection, rows[:2], at=NOON, actor="dana", because="asked") == 2
    audit.seal(connection)
    assert broken(connection) == []
    with audit.unprotected(connection):
        connection.execute(update(events_table).where(events_table.c.id == rows[0]["id"]).values(text="smuggled"))
    assert len(broken(connection)) == 1


def test_an_event_that_commits_after_later_ones_were_sealed_takes_the_next_place(engine: Engine) -> None:
    """On PostgreSQL a number that was taken first may be committed last; there it is a second transaction, on SQLite a number that is given."""
    with database.writing(engine) as connection:
        events.note(connection, "ra.held", "first", at=NOON)
        events.note(connection, "ra.held", "second", at=NOON)
        low = number_of(connection, "first")
        with audit.unprotected(connection):
            late = events.list_events(connection, events_table.c.id == low)[0]
            connection.execute(events_table.delete().where(events_table.c.id == low))
        audit.seal(connection)
        connection.execute(events_table.insert().values(**late))
        assert audit.seal(connection) == 1
        assert broken(connection) == []


def test_two_processes_that_seal_at_once_make_one_chain(postgres_url: str) -> None:
    import threading

    engine = database.connect(postgres_url)
    database.migrate(engine)
    with database.writing(engine) as connection:
        for number in range(200):
            events.note(connection, "ra.held", f"event {number}", at=NOON)

    def work() -> None:
        with database.writing(engine) as own:
            audit.seal(own)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.writing(engine) as connection:
        assert broken(connection) == []
        assert connection.execute(positions.select().where(positions.c.name == audit.HEAD)).one().value.startswith("200 ")
    engine.dispose()
