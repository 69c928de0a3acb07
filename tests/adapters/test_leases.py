"""Leases and fences on both databases: one owner at a time, and a late one writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from gateway.store import audit, database, events, files, leases, waking, workqueue
from gateway.store.leases import Lease

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty book on each database."""
    url = f"sqlite:///{tmp_path / 'book.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = database.connect(url)
    database.migrate(made)
    yield made
    made.dispose()


def take(engine: Engine, owner: str, *, at: float = 0, seconds: float = 60, name: str = "partner ATLAS") -> Lease | None:
    """Take a lease at a moment."""
    with database.writing(engine) as connection:
        return leases.take(connection, name, owner=owner, now=NOON + timedelta(seconds=at), seconds=seconds)


def write(engine: Engine, word: str) -> None:
    """Write something into the book."""
    with database.writing(engine) as connection:
        events.note(connection, word, "written", at=NOON)


def words(engine: Engine) -> list[str]:
    """What was written."""
    with database.reading(engine) as connection:
        return [row["word"] for row in events.list_events(connection)]


def claim(engine: Engine, owner: str, *, at: float = 0, partners: list[str] | None = None) -> list[workqueue.Work]:
    """Claim at a moment."""
    with database.writing(engine) as connection:
        return workqueue.claim(connection, owner=owner, now=NOON + timedelta(seconds=at), lease_seconds=60, partners=partners)


def enqueue(engine: Engine, job: str, key: str) -> None:
    """Queue a job."""
    with database.writing(engine) as connection:
        workqueue.enqueue(connection, job, key, due_at=NOON)


def test_it_gives_a_lease_to_one_owner_until_it_runs_out(engine: Engine) -> None:
    first = take(engine, "a")
    assert first is not None
    assert take(engine, "b", at=59) is None
    assert take(engine, "a", at=59) == first
    second = take(engine, "b", at=120)
    assert second is not None
    assert second.fence > first.fence
    assert take(engine, "a", at=121) is None


def test_it_lets_an_owner_that_slept_through_its_lease_write_nothing(engine: Engine) -> None:
    slow = take(engine, "slow")
    assert slow is not None
    sleeper = database.guarded(engine, leases.guard(slow))
    write(sleeper, "in.time")
    quick = take(engine, "quick", at=61)
    assert quick is not None
    with pytest.raises(database.LeaseLostError):
        write(sleeper, "too.late")
    write(database.guarded(engine, leases.guard(quick)), "in.turn")
    assert words(engine) == ["in.time", "in.turn"]


def test_it_lets_a_worker_that_lost_its_claim_write_nothing(engine: Engine) -> None:
    enqueue(engine, "decide", "1")
    (slow,) = claim(engine, "slow")
    (quick,) = claim(engine, "quick", at=61)
    with pytest.raises(database.LeaseLostError):
        write(database.guarded(engine, workqueue.guard(slow)), "too.late")
    write(database.guarded(engine, workqueue.guard(quick)), "in.turn")
    assert words(engine) == ["in.turn"]


def test_it_gives_work_on_files_only_to_who_holds_the_partners_folders(engine: Engine) -> None:
    with database.writing(engine) as connection:
        file_id = files.add(connection, at=NOON, direction="in", partner="ATLAS", name="a.edi", sha256="0", size=1, state="taken")
        workqueue.enqueue(connection, "translate", file_id, due_at=NOON)
        workqueue.enqueue(connection, "decide", "77000001", due_at=NOON)
    assert [w.job for w in claim(engine, "b", partners=["PACIFIC"])] == ["decide"]
    assert [w.job for w in claim(engine, "a", partners=["ATLAS"])] == ["translate"]


def test_it_keeps_long_work_leased_while_its_process_lives(engine: Engine) -> None:
    enqueue(engine, "decide", "1")
    claim(engine, "host_1:a/0")
    with database.writing(engine) as connection:
        assert workqueue.renew_all(connection, owner_prefix="hostX1:", now=NOON + timedelta(seconds=50), lease_seconds=60) == 0
        assert workqueue.renew_all(connection, owner_prefix="host_1:", now=NOON + timedelta(seconds=50), lease_seconds=60) == 1
    assert claim(engine, "b", at=100) == []
    assert len(claim(engine, "b", at=111)) == 1


def test_it_gives_back_what_a_dead_process_held_and_nothing_of_a_living_one(engine: Engine) -> None:
    for name, owner in (("partner ATLAS", "host:1:"), ("partner PACIFIC", "host:2:")):
        take(engine, owner, name=name)
    with database.writing(engine) as connection:
        leases.release_all(connection, owner_prefix="host:", but=["host:2:"])
        assert leases.holders(connection) == {"partner PACIFIC": "host:2:"}


def test_it_settles_a_group_and_runs_once_more_what_was_asked_for_meanwhile(engine: Engine) -> None:
    for key in ("1", "2", "3"):
        enqueue(engine, "decide", key)
    claimed = claim(engine, "a")
    enqueue(engine, "decide", "2")
    with database.writing(engine) as connection:
        workqueue.settle_all(connection, claimed, now=NOON)
    assert [w.key for w in claim(engine, "a", at=1)] == ["2"]


def test_it_calls_trouble_that_passes_temporary_and_a_defect_a_defect(engine: Engine) -> None:
    with pytest.raises(Exception, match="no_such_table") as caught, database.writing(engine) as connection:
        connection.execute(text("SELECT * FROM no_such_table"))
    assert not isinstance(caught.value, database.BookTroubleError)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(database.BookTroubleError), database.writing(engine) as connection:
            events.note(connection, "x", "x", at=NOON)


@pytest.mark.xdist_group("postgres")
def test_it_is_told_of_work_that_another_process_queued(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    database.migrate(engine)
    stop, heard = threading.Event(), threading.Event()

    def hear() -> None:
        for _ in waking.listen(engine, stop=stop.is_set):
            heard.set()

    thread = threading.Thread(target=hear)
    thread.start()
    while not heard.wait(0.2):  # the first telling may come before the listening
        enqueue(engine, "decide", "1")
    stop.set()
    thread.join()
    engine.dispose()


@pytest.mark.xdist_group("postgres")
def test_it_chains_events_in_the_order_of_sealing_when_a_writer_is_in_between(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    database.migrate(engine)
    with database.writing(engine) as writer:
        events.note(writer, "open", "not committed yet", at=NOON)
        write(engine, "second")
        with database.writing(engine) as sealer:
            assert audit.seal(sealer) == 1
    with database.writing(engine) as sealer:
        assert audit.seal(sealer) == 1
        assert list(audit.find_broken(sealer)) == []
    engine.dispose()
