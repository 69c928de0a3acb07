"""Backup while running, restore, and the way to PostgreSQL: all proven, none over anything that is there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.simulator.world import open_known_return
from gateway.store import copying, database, events
from gateway.views import health, records
from tests.adapters.test_service import gateway
from tests.stage import Stage, make_workspace


def live(stage: Stage) -> None:
    """A-001 up to the process request, with one more return on its way, and a file in hand."""
    for rma in (77000001, 77000003):
        open_known_return(stage.world, rma)
    stage.import_rmas()
    stage.partners_answer()
    stage.job("Upkeep")


def book(stage: Stage) -> dict[str, object]:
    """The whole book as people see it."""
    with database.reading(stage.ctx.engine) as connection:
        return records.export(connection)


def test_r172_a_backup_made_while_others_write_restores_to_a_sound_book(stage: Stage, tmp_path: Path) -> None:
    live(stage)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with database.writing(stage.ctx.engine) as connection:
                events.note(connection, "busy", "writing", at=stage.ctx.now())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = gateway(stage.folder, "backup", str(tmp_path / "kept"), "--with-archive", "--json", environment=stage.environment)
    finally:
        stop.set()
        writer.join()
    assert made.returncode == 0, made.stderr
    other = tmp_path / "other"
    other.mkdir()
    make_workspace(other)
    done = gateway(other, "restore", str(tmp_path / "kept"), "--yes", "--json", environment={"GATEWAY_WORKSPACE": str(other)})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["absent_from_archive"] == []
    assert gateway(other, "verify").returncode == 0
    exported = json.loads(gateway(other, "export", "--json").stdout)
    assert exported["ras"] == json.loads(json.dumps(book(stage)["ras"]))


def test_it_refuses_a_backup_that_was_changed_and_a_folder_that_is_not_empty(stage: Stage, tmp_path: Path) -> None:
    live(stage)
    kept = tmp_path / "kept"
    assert gateway(stage.folder, "backup", str(kept), environment=stage.environment).returncode == 0
    assert "is not empty" in gateway(stage.folder, "backup", str(kept), environment=stage.environment).stderr
    (kept / "settings" / "gateway.toml").write_text("changed")
    refused = gateway(stage.folder, "restore", str(kept), "--dry-run", environment=stage.environment)
    assert (refused.returncode, "settings/gateway.toml" in refused.stderr) == (1, True)


@pytest.mark.xdist_group("postgres")
def test_it_moves_a_book_to_postgresql_and_goes_on_there(make_stage: Callable[..., Stage], postgres_url: str) -> None:
    stage = make_stage()
    live(stage)
    before = book(stage)
    stage.ctx.engine.dispose()
    moved = gateway(stage.folder, "db", "move", "--to", postgres_url, "--yes", environment=stage.environment)
    assert moved.returncode == 0, moved.stderr
    again = gateway(stage.folder, "db", "move", "--to", postgres_url, "--yes", environment=stage.environment)
    assert (again.returncode, "holds tables already" in again.stderr) == (1, True)
    stage.database_url = postgres_url
    stage.open_gateway()
    assert book(stage) == before
    stage.loop_finishes()
    stage.wait(5)
    assert stage.ra("RA77000001").state.value in ("processed", "closed")
    assert health.verify(stage.ctx.engine, stage.ctx.folders) == []


@pytest.mark.xdist_group("postgres")
def test_it_backs_up_postgresql_as_a_file(make_stage: Callable[..., Stage], postgres_url: str, tmp_path: Path) -> None:
    stage = make_stage(database_url=postgres_url)
    live(stage)
    made = gateway(stage.folder, "backup", str(tmp_path / "kept"), environment=stage.environment)
    assert made.returncode == 0, made.stderr
    kept = database.connect(f"sqlite:///{tmp_path / 'kept' / 'gateway.db'}")
    assert copying.counts(kept) == copying.counts(stage.ctx.engine)
    kept.dispose()


@pytest.mark.xdist_group("postgres")
def test_it_restores_into_postgresql_and_goes_on_there(make_stage: Callable[..., Stage], postgres_url: str, tmp_path: Path) -> None:
    stage = make_stage()
    live(stage)
    before = book(stage)
    made = gateway(stage.folder, "backup", str(tmp_path / "kept"), "--with-archive", environment=stage.environment)
    assert made.returncode == 0, made.stderr
    stage.ctx.engine.dispose()
    stage.database_url = postgres_url
    done = gateway(stage.folder, "restore", str(tmp_path / "kept"), "--yes", environment=stage.environment)
    assert done.returncode == 0, done.stderr
    stage.open_gateway()
    assert book(stage) == before
    stage.loop_finishes()
    stage.wait(5)
    assert stage.ra("RA77000001").state.value in ("processed", "closed")
    assert health.verify(stage.ctx.engine, stage.ctx.folders) == []


def test_it_keeps_a_copy_of_an_older_book_before_it_changes_it(stage: Stage, tmp_path: Path) -> None:
    live(stage)
    kept = database.keep_before(stage.ctx.engine, tmp_path / "backup")
    assert kept is not None
    copy = database.connect(f"sqlite:///{kept}")
    assert copying.counts(copy) == copying.counts(stage.ctx.engine)
    copy.dispose()
