"""Connections to PostgreSQL: a dead one is replaced before work gets it, and a living one is not asked without need."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import Engine, create_engine, text

from gateway.store import database, living

pytestmark = pytest.mark.xdist_group("postgres")
BACKEND = text("SELECT pg_backend_pid()")
END_OTHERS = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


def backend(engine: Engine) -> int:
    """The process behind the connection that work gets."""
    with database.writing(engine) as connection:
        return int(connection.execute(BACKEND).scalar_one())


def end_others(url: str) -> None:
    """End every other connection to the database, as a restart of the server does."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(END_OTHERS)
    engine.dispose()


def test_it_replaces_connections_that_the_server_ended_while_they_were_fresh(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    with engine.connect(), engine.connect():
        pass
    before = backend(engine)
    end_others(postgres_url)
    assert {backend(engine) for _ in range(3)} != {before}
    engine.dispose()


def test_it_replaces_a_connection_that_was_closed_here(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
    assert raw is not None
    raw.close()
    assert backend(engine) == backend(engine)
    engine.dispose()


def test_it_replaces_a_connection_whose_network_went_away(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
    assert raw is not None
    with socket.socket(fileno=socket.dup(raw.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
    assert backend(engine) == backend(engine)
    engine.dispose()


@pytest.mark.parametrize(("pause", "last"), [(0.0, ";"), (3600.0, "COMMIT")])
def test_it_asks_a_connection_only_after_a_pause(postgres_url: str, pause: float, last: str) -> None:
    engine = create_engine(postgres_url)
    living.watch(engine, pause_seconds=pause)
    used = backend(engine)
    raw = engine.raw_connection()
    watching = create_engine(postgres_url)
    with watching.connect() as connection:
        said = connection.execute(text("SELECT query FROM pg_stat_activity WHERE pid = :pid"), {"pid": used}).scalar_one()
    assert said == last
    raw.close()
    engine.dispose()
    watching.dispose()
