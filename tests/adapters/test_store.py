"""The book on both databases: work that is leased, effects that are unique, numbers without gaps, seals that break."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from gateway.store import database, effects, events, files, ledger, listing, remote, workqueue
from gateway.store.effects import EffectState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty book on each database."""
    url = f"sqlite:///{tmp_path / 'book.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = database.connect(url)
    database.migrate(made)
    yield made
    made.dispose()


def later(seconds: float) -> datetime:
    """Seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def claim(engine: Engine, owner: str, *, at: float = 0, lease: float = 60, limit: int = 20) -> list[workqueue.Work]:
    """Claim at a moment."""
    with database.writing(engine) as connection:
        return workqueue.claim(connection, owner=owner, now=later(at), lease_seconds=lease, limit=limit)


def enqueue(engine: Engine, key: str, *, at: float = 0) -> None:
    """Ask for work."""
    with database.writing(engine) as connection:
        workqueue.enqueue(connection, "decide", key, due_at=later(at))


def test_it_migrates_twice_without_change_and_refuses_a_newer_book(engine: Engine) -> None:
    database.migrate(engine)
    assert database.check(engine) == []
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(database.DatabaseAheadError):
        database.migrate(engine)


def test_it_knows_its_newest_revision() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [database.REVISION]


def test_it_gives_a_job_to_one_claimer_only(engine: Engine) -> None:
    for number in range(40):
        enqueue(engine, str(number))
    taken: list[str] = []
    lock = threading.Lock()

    def work(owner: str) -> None:
        while claimed := claim(engine, owner, limit=3):
            with lock:
                taken.extend(w.key for w in claimed)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(n) for n in range(40)]


def test_it_queues_the_same_work_once_and_runs_it_once_more_when_asked_meanwhile(engine: Engine) -> None:
    enqueue(engine, "1")
    enqueue(engine, "1")
    (work,) = claim(engine, "a")
    enqueue(engine, "1", at=1)
    with database.writing(engine) as connection:
        assert workqueue.settle(connection, work, now=later(2))
    (again,) = claim(engine, "a", at=3)
    with database.writing(engine) as connection:
        assert workqueue.settle(connection, again, now=later(4))
    assert claim(engine, "a", at=5) == []


def test_it_takes_over_a_lease_that_ran_out_and_its_late_owner_settles_nothing(engine: Engine) -> None:
    enqueue(engine, "1")
    (slow,) = claim(engine, "slow", lease=10)
    assert claim(engine, "quick", at=9) == []
    (quick,) = claim(engine, "quick", at=11)
    with database.writing(engine) as connection:
        assert not workqueue.settle(connection, slow, now=later(12))
        assert not workqueue.postpone(connection, slow, due_at=later(13), trouble="late")
        assert not workqueue.renew(connection, slow, now=later(12), lease_seconds=60)
        assert workqueue.settle(connection, quick, now=later(12))


def test_it_keeps_an_earlier_due_time_and_waits_for_a_later_one(engine: Engine) -> None:
    enqueue(engine, "1", at=100)
    assert claim(engine, "a", at=50) == []
    enqueue(engine, "1", at=20)
    assert [w.key for w in claim(engine, "a", at=50)] == ["1"]


def test_it_rolls_back_work_with_the_change_that_caused_it(engine: Engine) -> None:
    with pytest.raises(RuntimeError), database.writing(engine) as connection:
        workqueue.enqueue(connection, "decide", "1", due_at=NOON)
        raise RuntimeError
    assert claim(engine, "a") == []


def test_it_intends_an_effect_once_and_lets_one_sender_send_it(engine: Engine) -> None:
    with database.writing(engine) as connection:
        first = effects.intend(connection, kind="loop.process", target="77", version="1", payload={"rma": "77"}, now=NOON)
        assert effects.intend(connection, kind="loop.process", target="77", version="1", payload={"rma": "77"}, now=NOON) is None
        assert first is not None
        effect = effects.load(connection, first)
        assert effect is not None
        assert effects.send(connection, effect, evidence={"state": "open"}, now=NOON)
        assert not effects.send(connection, effect, evidence={}, now=NOON)
        sent = effects.load(connection, first)
    assert sent is not None
    assert (sent.state, sent.attempts, sent.evidence) == (EffectState.IN_DOUBT, 1, {"state": "open"})


def test_it_numbers_without_gap_whatever_is_rolled_back(engine: Engine) -> None:
    numbers = []
    for round_ in range(10):
        try:
            with database.writing(engine) as connection:
                number = files.next_control(connection, partner="ATLAS", kind="interchange", first=451)
                if round_ % 3 == 2:
                    raise RuntimeError
                numbers.append(number)
        except RuntimeError:
            continue
    assert numbers == list(range(451, 451 + len(numbers)))


def test_it_posts_a_stock_movement_once(engine: Engine) -> None:
    entry = {"warehouse": "NJ1", "sku": "CAP", "quantity": 2, "cause": "refund", "reference": "refund 1 line 1"}
    with database.writing(engine) as connection:
        assert ledger.post(connection, "2 x CAP", at=NOON, **entry)
        assert not ledger.post(connection, "2 x CAP", at=NOON, **entry)
        assert ledger.post(connection, "-1 x CAP", at=NOON, **entry | {"quantity": -1, "cause": "correction"})
        assert ledger.balance(connection, "NJ1", "CAP") == 1


def test_it_shows_every_balance_once_page_by_page_and_true(engine: Engine) -> None:
    places = [(warehouse, f"CAP {n:03d}", 2 + n) for warehouse in ("NJ 1", "NV1") for n in range(60)]
    with database.writing(engine) as connection:
        ledger.open_stock(connection, places, at=NOON)
        for warehouse, sku, _ in places:
            ledger.post(connection, "-1", at=NOON, warehouse=warehouse, sku=sku, quantity=-1, cause="correction", reference="count")
    found, after = [], ""
    with database.reading(engine) as connection:
        for _ in range(3):
            page = listing.list_balances(connection, after=after)
            found, after = [*found, *page.rows], page.after
        assert listing.list_warehouses(connection) == ["NJ 1", "NV1"]
        assert [r["units"] for r in listing.list_balances(connection, warehouse="NV1", sku="CAP 007").rows] == [8]
    assert [(row["warehouse"], row["sku"], row["units"]) for row in found] == [(place, sku, units - 1) for place, sku, units in places]
    assert after == ""


def test_it_opens_a_task_once_and_again_after_it_was_closed(engine: Engine) -> None:
    with database.writing(engine) as connection:
        for _ in range(2):
            events.open_task(connection, "held return", "77", "RMA 77 is held", at=NOON)
        assert len(events.open_tasks(connection)) == 1
        assert events.close_tasks(connection, kind="held return", subject="77", because="mapped", at=NOON) == 1
        assert events.open_tasks(connection) == []
        events.open_task(connection, "held return", "77", "RMA 77 is held again", at=NOON)
        assert [t["text"] for t in events.open_tasks(connection)] == ["RMA 77 is held again"]


def test_a_process_that_starts_leaves_a_taken_slot_alone_and_a_shorter_period_takes_effect(engine: Engine) -> None:
    with database.writing(engine) as connection:
        events.plan_job(connection, "Upkeep", first_at=NOON, next_at=later(60))
        assert events.take_slot(connection, "Upkeep", now=NOON, next_at=later(60))
        events.plan_job(connection, "Upkeep", first_at=later(1), next_at=later(61))
        assert events.due_jobs(connection, now=later(59)) == []
        events.plan_job(connection, "Upkeep", first_at=later(1), next_at=later(11))
        assert events.due_jobs(connection, now=later(11)) == ["Upkeep"]


def test_it_takes_a_schedule_slot_once(engine: Engine) -> None:
    with database.writing(engine) as connection:
        events.plan_job(connection, "Upkeep", first_at=NOON, next_at=later(60))
        assert events.due_jobs(connection, now=NOON) == ["Upkeep"]
        assert events.take_slot(connection, "Upkeep", now=NOON, next_at=later(60))
        assert not events.take_slot(connection, "Upkeep", now=NOON, next_at=later(60))


def note(connection: Connection, text: str) -> None:
    """Something that happened."""
    events.note(connection, "test", text, at=NOON, rma="7")


def story(engine: Engine) -> list[str]:
    """What stands in the story, in order."""
    with database.reading(engine) as connection:
        return [row["text"] for row in events.of_return(connection, "7")]


def test_it_writes_what_happened_with_the_commit_and_forgets_it_with_a_rollback(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), database.writing(engine) as connection:
        note(connection, "undone")
        _ = 1 / 0
    with engine.begin() as connection:  # also where nobody writes it out on purpose
        note(connection, "one")
        note(connection, "two")
    assert story(engine) == ["one", "two"]


def test_it_shows_what_happened_in_the_transaction_in_which_it_did(engine: Engine) -> None:
    with database.writing(engine) as connection:
        note(connection, "one")
        assert [row["text"] for row in events.of_return(connection, "7")] == ["one"]
        events.note_once(connection, "test", "one", at=NOON, rma="7")
        note(connection, "two")
    assert story(engine) == ["one", "two"]


def test_it_undoes_with_a_part_of_a_transaction_just_what_happened_in_it(engine: Engine) -> None:
    with database.writing(engine) as connection:
        note(connection, "before")
        kept = connection.begin_nested()
        note(connection, "kept")
        kept.commit()
        undone = connection.begin_nested()
        note(connection, "undone")
        with connection.begin_nested():
            note(connection, "undone with it")
        note(connection, "undone too")
        undone.rollback()
        note(connection, "after")
    assert story(engine) == ["before", "kept", "after"]


def test_it_writes_nothing_of_a_transaction_whose_commit_failed(engine: Engine) -> None:
    with pytest.raises(DBAPIError), engine.begin() as connection:
        note(connection, "lost")
        note(connection, None)  # type: ignore[arg-type]  # refused when it is written, at the commit
    with database.writing(engine) as connection:
        note(connection, "after")
    assert story(engine) == ["after"]


@pytest.mark.xdist_group("postgres")
def test_a_connection_that_the_server_ended_is_a_passing_trouble_and_takes_what_happened_with_it(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    database.migrate(engine)
    with pytest.raises(database.BookTroubleError), database.writing(engine) as connection:
        note(connection, "lost")
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({own}, 5000)")
        connection.exec_driver_sql("SELECT 1")
    with database.writing(engine) as connection:
        note(connection, "after")
    assert story(engine) == ["after"]
    engine.dispose()


def test_it_reads_of_a_servers_files_those_on_their_way_and_those_that_lie_there(engine: Engine) -> None:
    with database.writing(engine) as connection:
        for number in range(600):
            wanted = remote.Wanted(partner="ATLAS", direction="in", folder="production", name=f"{number}.edi", stamp="1", size=1)
            carried = remote.claim(connection, wanted, owner="one", now=NOON, seconds=60)
            if carried and number:
                remote.step(connection, carried, now=NOON, state="done")
        lying = {f"{number}.edi" for number in range(50, 600)} | {"new.edi"}
        found = remote.known(connection, partner="ATLAS", direction="in", folder="production", names=lying)
    assert {name for name, _ in found} == {"0.edi"} | lying - {"new.edi"}
