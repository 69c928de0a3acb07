"""Fixtures that several rooms of tests share: a stage for journeys, and a PostgreSQL server where one can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.stage import Stage

POSTGRES_USER = "postgres"


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Make stages with settings of their own; every one is taken down at the end."""
    made: list[Stage] = []

    def make(**options: object) -> Stage:
        stage = Stage(tmp_path / f"stage{len(made) or ''}", **options)  # type: ignore[arg-type]  # options by name
        made.append(stage)
        return stage.__enter__()

    yield make
    for stage in made:
        stage.__exit__()


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """The test world on SQLite."""
    return make_stage()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server without its database: given by the environment, or started for this session."""
    given = os.environ.get("GATEWAY_TEST_POSTGRES_URL")
    if given:
        yield given.rpartition("/")[0] + "/{name}"
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is neither given by GATEWAY_TEST_POSTGRES_URL nor installed, and this is CI")
        pytest.skip("no PostgreSQL: set GATEWAY_TEST_POSTGRES_URL, or install the server's programs")
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        yield from _own_server(programs[-1].parent, Path(name))


def _own_server(programs: Path, folder: Path) -> Iterator[str]:
    """A server on a socket of its own; it refuses to run as root, so root lends it another user."""
    user = POSTGRES_USER if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    base = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder, timeout=60)

    run(str(programs / "initdb"), "-D", str(base), "-U", "gateway", "-A", "trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", str(base), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield "postgresql+psycopg://gateway@/{name}?host=" + str(folder)
    finally:
        run(str(programs / "pg_ctl"), "-D", str(base), "-m", "immediate", "-w", "stop")


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A fresh database."""
    name = f"gateway_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres.format(name=name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))])
def stage_on_both(request: pytest.FixtureRequest, make_stage: Callable[..., Stage]) -> Stage:
    """The test world on each database."""
    if request.param == "sqlite":
        return make_stage()
    return make_stage(database_url=request.getfixturevalue("postgres_url"))
