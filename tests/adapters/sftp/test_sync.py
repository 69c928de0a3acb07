"""A partner's server kept in step, against a real OpenSSH server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clients import sftp
from gateway.clients.sftp import HostKeyError, ServerRefusesError, ServerTroubleError
from gateway.jobs.sync import sync_partner
from gateway.simulator.world import open_known_return
from gateway.store import database, remote
from tests.adapters.sftp.conftest import Exchange, names
from tests.adapters.sftp.server import Server, Wire
from tests.journeys.steps import the_944

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"
)  # where a line breaks, a reading thread of paramiko dies with it and says so


def test_it_brings_what_the_partner_put_there_and_removes_it(exchange: Exchange) -> None:
    (exchange.to_us / "a.edi").write_bytes(the_944())
    os.utime(exchange.to_us / "a.edi", (1_700_000_000, 1_700_000_000))
    assert exchange.pass_().counts == {"read": 1, "done": 1, "skipped": 0, "failed": 0}
    assert (exchange.inbox / "a.edi").read_bytes() == the_944()
    assert (exchange.inbox / "a.edi").stat().st_mtime == 1_700_000_000
    assert (names(exchange.to_us), names(exchange.inbox)) == ([], ["a.edi"])


def test_a_return_goes_out_and_its_receipt_comes_in_over_the_server(exchange: Exchange) -> None:
    stage = exchange.stage
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    (document,) = stage.documents("RA77000001")
    assert (document["delivery"], stage.ra("RA77000001").state.value) == ("placed", "queued")
    exchange.pass_()
    stage.worker.drain()
    (document,) = stage.documents("RA77000001")
    assert (document["delivery"], stage.ra("RA77000001").state.value) == ("delivered", "sent")
    (sent,) = exchange.to_them.iterdir()
    assert sent.read_bytes().startswith(b"ISA")
    assert names(exchange.outbox) == []
    assert len(list((stage.folder / "var" / "archive").rglob(sent.name))) == 1
    (exchange.to_us / "r.edi").write_bytes(the_944())
    exchange.pass_()
    stage.take()
    assert stage.lines("RA77000001") == {"TEE-BLK-M": (2, 2, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0)}


def test_it_takes_nothing_that_still_changes_or_has_a_temporary_name(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(server, after_taking='"keep"')
    (exchange.to_us / "x.edi.filepart").write_bytes(b"half")
    (exchange.to_us / ".hidden").write_bytes(b"half")
    (exchange.to_us / "folder").mkdir()
    (exchange.to_us / "link.edi").symlink_to(exchange.server.user_key)
    assert exchange.pass_().read == 0
    os.rename(exchange.to_us / "x.edi.filepart", exchange.to_us / "x.edi")
    assert exchange.pass_().done == 1
    assert names(exchange.inbox) == ["x.edi"]


def test_it_waits_until_a_file_on_the_server_keeps_still(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(server)
    now = [100.0]
    exchange.sync.ctx = exchange.stage.ctx.__class__(
        **{**{f: getattr(exchange.stage.ctx, f) for f in exchange.stage.ctx.__slots__}, "monotonic": lambda: now[0]}
    )
    settle = exchange.sync.ctx.profiles["ATLAS"].model_copy(update={"sftp": exchange.sync.profile.model_copy(update={"settle_seconds": 5.0})})
    exchange.sync.ctx.profiles["ATLAS"] = settle  # type: ignore[index]  # a dict
    path = exchange.to_us / "a.edi"
    path.write_bytes(b"one")
    assert exchange.pass_().read == 0
    now[0] += 4.9
    path.write_bytes(b"one two")
    assert (exchange.pass_().read, exchange.sync.settling) == (0, True)
    now[0] += 5.0
    assert exchange.pass_().done == 1
    assert (exchange.inbox / "a.edi").read_bytes() == b"one two"


@pytest.mark.parametrize(("after", "there"), [("delete", ([], [])), ("move", ([], ["a.edi"])), ("keep", (["a.edi"], []))])
def test_it_deletes_moves_or_keeps_what_it_took(
    server: Server, make_exchange: Callable[..., Exchange], after: str, there: tuple[list[str], list[str]]
) -> None:
    exchange = make_exchange(server, after_taking=f'"{after}"', taken_folder=f'"{server.path("taken")}"')
    (exchange.to_us / "a.edi").write_bytes(b"content")
    assert [exchange.pass_().done, exchange.pass_().done] == [1, 0]
    assert (names(exchange.to_us), names(server.home / "taken")) == there
    assert names(exchange.inbox) == ["a.edi"]


def test_the_same_name_again_is_fetched_again_and_nothing_is_overwritten(exchange: Exchange) -> None:
    for content in (b"one", b"two!", b"three"):
        (exchange.to_us / "a.edi").write_bytes(content)
        os.utime(exchange.to_us / "a.edi", (1_700_000_000, 1_700_000_000))
        exchange.pass_()
    assert sorted(path.read_bytes() for path in exchange.inbox.iterdir() if path.is_file()) == [b"one", b"three", b"two!"]
    (exchange.to_us / "a.edi").write_bytes(b"one")
    os.utime(exchange.to_us / "a.edi", (1_700_000_000, 1_700_000_000))
    assert exchange.pass_().done == 1


def test_it_never_writes_over_a_file_on_the_server(exchange: Exchange) -> None:
    (exchange.to_them / "a.edi").write_bytes(b"theirs")
    (exchange.outbox / "a.edi").write_bytes(b"ours")
    exchange.pass_()
    assert (exchange.to_them / "a.edi").read_bytes() == b"theirs"
    assert (exchange.to_them / "a~2.edi").read_bytes() == b"ours"
    assert names(exchange.to_them) == ["a.edi", "a~2.edi"]


@pytest.mark.parametrize("denied", ["rename", "posix-rename", "remove,rename"])
def test_it_renames_in_whichever_way_the_server_lets_it(
    make_server: Callable[..., Server], make_exchange: Callable[..., Exchange], denied: str
) -> None:
    exchange = make_exchange(make_server(options=f"-P {denied}"))
    (exchange.outbox / "a.edi").write_bytes(b"ours")
    assert exchange.pass_().counts["done"] == 1
    assert names(exchange.to_them) == ["a.edi"]


def test_a_server_that_lets_no_rename_is_told_of_and_nothing_appears_half(
    make_server: Callable[..., Server], make_exchange: Callable[..., Exchange]
) -> None:
    exchange = make_exchange(make_server(options="-P rename,posix-rename"))
    (exchange.outbox / "a.edi").write_bytes(b"ours")
    tally = exchange.pass_()
    assert tally.failed == 1
    assert "neither rename" in tally.reasons[0]
    assert [name for name in names(exchange.to_them) if not name.startswith(".")] == []
    assert names(exchange.outbox) == ["a.edi"]


def test_a_file_that_cannot_be_removed_there_is_taken_once_and_told_of(
    make_server: Callable[..., Server], make_exchange: Callable[..., Exchange]
) -> None:
    exchange = make_exchange(make_server(options="-P remove"))
    (exchange.to_us / "a.edi").write_bytes(b"content")
    first, second = exchange.pass_(), exchange.pass_()
    assert (first.done, second.done, second.failed) == (1, 0, 1)
    assert "taken, but it cannot be removed there" in second.reasons[0]
    assert names(exchange.inbox) == ["a.edi"]


# breaks


SIZE = 3_000_000


def body() -> bytes:
    """Content that does not repeat."""
    return b"".join(number.to_bytes(4, "big") for number in range(SIZE // 4))


@pytest.mark.parametrize("cut", [200_000, 1_500_000, 2_990_000])
def test_an_upload_goes_on_after_a_break(server: Server, make_exchange: Callable[..., Exchange], make_wire: Callable[..., Wire], cut: int) -> None:
    wire = make_wire(server, cut_up=cut)
    exchange = make_exchange(server, wire=wire)
    (exchange.outbox / "big.edi").write_bytes(body())
    with pytest.raises(ServerTroubleError, match="the connection broke"):
        exchange.pass_()
    assert [name for name in names(exchange.to_them) if not name.startswith(".")] == []
    (part,) = [path for path in exchange.to_them.iterdir() if path.name.startswith(".")]
    there = part.stat().st_size
    wire.cut_up = None
    seen: list[int] = []
    exchange.sync.progress = lambda _name, done, _size: seen.append(done)
    assert exchange.pass_().done == 1
    assert (exchange.to_them / "big.edi").read_bytes() == body()
    assert names(exchange.to_them) == ["big.edi"]
    assert wire.cuts == 1
    assert seen[0] > there - 65536  # it went on where it was


@pytest.mark.parametrize("cut", [200_000, 1_500_000, 2_990_000])
def test_a_download_goes_on_after_a_break(server: Server, make_exchange: Callable[..., Exchange], make_wire: Callable[..., Wire], cut: int) -> None:
    wire = make_wire(server, cut_down=cut)
    exchange = make_exchange(server, wire=wire)
    (exchange.to_us / "big.edi").write_bytes(body())
    with pytest.raises(ServerTroubleError, match="the connection broke"):
        exchange.pass_()
    assert [name for name in names(exchange.inbox) if not name.startswith(".")] == []
    (part,) = [path for path in exchange.inbox.iterdir() if path.name.startswith(".") and path.is_file()]
    there = part.stat().st_size
    wire.cut_down = None
    seen: list[int] = []
    exchange.sync.progress = lambda _name, done, _size: seen.append(done)
    assert exchange.pass_().done == 1
    assert (exchange.inbox / "big.edi").read_bytes() == body()
    assert (names(exchange.inbox), names(exchange.to_us)) == (["big.edi"], [])
    assert seen[0] > there - 65536  # it went on where it was


@pytest.mark.parametrize("cut", range(3_000, 12_000, 450))
def test_a_break_at_any_moment_sends_once_and_takes_once(
    server: Server, make_exchange: Callable[..., Exchange], make_wire: Callable[..., Wire], cut: int
) -> None:
    wire = make_wire(server, cut_down=cut)
    exchange = make_exchange(server, wire=wire, channels=1)
    for number in range(5):
        (exchange.outbox / f"out{number}.edi").write_bytes(b"ours %d" % number)
        (exchange.to_us / f"in{number}.edi").write_bytes(b"theirs %d" % number)
    for limit in (cut * 2, None, None):
        with contextlib.suppress(ServerTroubleError):
            exchange.pass_()
        wire.cut_down = limit
    exchange.sync.close()
    exchange.pass_()
    assert names(exchange.to_them) == [f"out{number}.edi" for number in range(5)]
    assert names(exchange.inbox) == [f"in{number}.edi" for number in range(5)]
    assert (names(exchange.outbox), names(exchange.to_us)) == ([], [])


def test_a_rename_whose_answer_was_lost_is_seen_and_not_repeated(exchange: Exchange) -> None:
    (exchange.outbox / "a.edi").write_bytes(b"ours")
    exchange.pass_()
    with database.writing(exchange.stage.ctx.engine) as connection:
        (row,) = remote.known(connection, partner="ATLAS", direction="out", folder="production", names=("a.edi",)).values()
        assert remote.step(connection, row, now=exchange.stage.ctx.now(), state="ready")
    exchange.pass_()
    assert names(exchange.to_them) == ["a.edi"]
    (exchange.to_them / "a.edi").unlink()
    with database.writing(exchange.stage.ctx.engine) as connection:
        (row,) = remote.known(connection, partner="ATLAS", direction="out", folder="production", names=("a.edi",)).values()
        assert remote.step(connection, row, now=exchange.stage.ctx.now(), state="ready", owner="", lease_until="")
    exchange.pass_()
    with database.reading(exchange.stage.ctx.engine) as connection:
        assert remote.count(connection, partner="ATLAS") == {"out.ready": 1}
    exchange.stage.clock.advance(61)
    exchange.pass_()
    with database.reading(exchange.stage.ctx.engine) as connection:
        assert remote.count(connection, partner="ATLAS") == {"out.done": 1}
    assert names(exchange.to_them) == []


# keys


def test_a_changed_host_key_stops_before_anything_is_sent(exchange: Exchange) -> None:
    exchange.pass_()
    exchange.sync.close()
    exchange.server.new_host_key()
    (exchange.outbox / "a.edi").write_bytes(b"ours")
    with pytest.raises(HostKeyError, match="shows another host key than the pinned one: SHA256:"):
        exchange.pass_()
    assert names(exchange.to_them) == []


def test_a_server_without_a_pinned_key_is_not_trusted(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(server, pin="")
    with pytest.raises(HostKeyError, match="none is pinned") as caught:
        exchange.pass_()
    assert server.pin in caught.value.message


def test_a_whole_public_key_can_be_pinned_too(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    public = " ".join(server.host_key.with_suffix(".pub").read_text().split()[:2])
    exchange = make_exchange(server, pin=public)
    assert exchange.pass_().failed == 0
    assert sftp.look_at_key(exchange.stage.ctx.servers["ATLAS"]()) == (server.pin, public)


def test_a_wrong_key_of_ours_is_refused_in_plain_words(exchange: Exchange) -> None:
    (exchange.server.folder / "authorized").write_text("")
    with pytest.raises(ServerRefusesError, match=r"does not let .* in with this key"):
        exchange.pass_()


def test_a_server_with_old_key_exchange_is_refused_in_plain_words(make_server: Callable[..., Server], make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(make_server(more="KexAlgorithms diffie-hellman-group14-sha1"))
    with pytest.raises(ServerRefusesError, match=r"outdated key exchange \(SHA-1\)"):
        exchange.pass_()


def test_a_server_that_is_away_is_trouble_that_passes(exchange: Exchange) -> None:
    exchange.server.stop()
    with pytest.raises(ServerTroubleError, match="cannot be reached"):
        exchange.pass_()
    exchange.server.start()
    (exchange.to_us / "a.edi").write_bytes(b"content")
    assert exchange.pass_().done == 1


# amounts


def test_two_processes_share_a_partner_and_carry_each_file_once(exchange: Exchange) -> None:
    import threading

    for number in range(60):
        (exchange.outbox / f"out{number}.edi").write_bytes(b"ours %d" % number)
        (exchange.to_us / f"in{number}.edi").write_bytes(b"theirs %d" % number)
    others = [exchange.other("one"), exchange.other("two")]
    threads = [threading.Thread(target=sync_partner, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in others:
        one.close()
    exchange.pass_()
    assert sorted(names(exchange.to_them)) == sorted(f"out{number}.edi" for number in range(60))
    assert sorted(names(exchange.inbox)) == sorted(f"in{number}.edi" for number in range(60))
    assert (names(exchange.outbox), names(exchange.to_us)) == ([], [])


def test_a_thousand_small_files_come_oldest_first_and_each_once(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(server, channels=8)
    for number in range(1000):
        path = exchange.to_us / f"{number:04d}.edi"
        path.write_bytes(b"%d" % number)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    begun: list[str] = []
    exchange.sync.progress = lambda name, _done, _size: begun.append(name)
    assert exchange.pass_().done == 1000
    assert len(names(exchange.inbox)) == 1000
    assert names(exchange.to_us) == []
    assert max(abs(int(name[:4]) - place) for place, name in enumerate(begun)) < 100  # channels overtake each other, by little


def test_a_file_of_200_mb_goes_both_ways_in_little_memory(server: Server, make_exchange: Callable[..., Exchange], tmp_path: Path) -> None:
    import resource

    exchange = make_exchange(server)
    size = 200 * 1024 * 1024
    for path in (exchange.to_us / "in.bin", exchange.outbox / "out.bin"):
        with path.open("wb") as stream:
            stream.truncate(size - 5)
            stream.seek(size - 5)
            stream.write(b"close")
    exchange.sync.link()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert exchange.pass_().done == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    for path in (exchange.inbox / "in.bin", exchange.to_them / "out.bin"):
        assert path.stat().st_size == size
        with path.open("rb") as stream:
            stream.seek(-5, os.SEEK_END)
            assert stream.read() == b"close"
