"""Packed and encrypted files: taken apart within limits, archived untouched, refused as a whole."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.steps import ALL_GOOD, announce, the_944
from tests.stage import Stage

UNPACK = '\n[unpack]\nkinds = ["zip", "gzip"]\ncount = 5\nlargest = 3000000\n{pgp}\n[receive]\n'


def zipped(*files: tuple[str, bytes]) -> bytes:
    """A ZIP of some files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return made.getvalue()


@pytest.fixture
def packing(make_stage: Callable[..., Stage]) -> Stage:
    """A stage whose ATLAS may pack its files."""
    return make_stage(edits=(("mappings/atlas.toml", "\n[receive]\n", UNPACK.format(pgp="")),))


def test_a_zip_is_taken_apart_and_each_file_in_it_is_applied_once(packing: Stage) -> None:
    announce(packing, 77000001)
    announce(packing, 77000004)
    archive = zipped(("day/a.edi", the_944(77000001, number=1)), ("b.edi", the_944(77000004, number=2)), ("broken.edi", b"rubbish"))
    packing.drop("ATLAS", "day.zip", archive)
    assert [(f.name, f.outcome) for f in packing.files() if f.direction == "in"] == [
        ("day.zip", "applied"),
        ("a.edi", "applied"),
        ("b.edi", "applied"),
        ("broken.edi", "error"),
    ]
    assert packing.file("day.zip").reason == "unpacked (ZIP): a.edi, b.edi, broken.edi"
    assert (packing.folder / "var" / packing.file("day.zip").place).read_bytes() == archive
    assert [packing.calls("process", rma) for rma in (77000001, 77000004)] == [1, 1]
    packing.drop("ATLAS", "again.zip", archive)
    packing.drop("ATLAS", "other.zip", zipped(("c.edi", the_944(77000001, number=1))))
    assert [packing.file(name).outcome for name in ("again.zip", "other.zip", "c.edi")] == ["duplicate", "applied", "duplicate"]
    assert list((packing.folder / "var" / "processing" / "ATLAS").iterdir()) == []


def test_a_gzip_is_read_by_its_inner_name(packing: Stage) -> None:
    announce(packing, 77000001)
    packing.drop("ATLAS", "a.edi.gz", gzip.compress(the_944(), mtime=0))
    assert (packing.file("a.edi").outcome, packing.file("a.edi.gz").outcome) == ("applied", "applied")
    assert packing.calls("process", 77000001) == 1


def test_a_crash_while_taking_apart_receives_nothing_twice(packing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(packing, 77000001)
    archive = zipped(*((f"{number}.edi", the_944(77000001, number=number)) for number in (1, 2, 3)))
    from gateway.jobs import intake

    real, calls = intake.receive_file, []

    def dies(*given: object) -> object:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(intake, "receive_file", dies)
    with pytest.raises(KeyboardInterrupt):
        packing.drop("ATLAS", "day.zip", archive)
    monkeypatch.undo()
    packing.clock.advance(400)
    packing.reopen()
    packing.take()
    assert sorted(f.name for f in packing.files() if f.direction == "in") == ["1.edi", "2.edi", "3.edi", "day.zip"]
    assert packing.lines("RA77000001")["TEE-BLK-M"] == (2, 2, 0, 0)


def link_inside() -> bytes:
    """A ZIP with a symbolic link."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("link.edi")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("bomb.zip", zipped(("a", b"0" * 2_900_000)), "more than 200 times its size"),
        ("large.zip", zipped(("a", os.urandom(3_100_000))), "more than 3000000 bytes"),
        ("bomb.gz", gzip.compress(b"0" * 2_900_000, mtime=0), "more than 200 times its size"),
        ("many.zip", zipped(*((f"{n}.edi", b"x") for n in range(6))), "holds 6 files; at most 5"),
        ("path.zip", zipped(("../../evil.edi", b"x")), "names a path outside: '../../evil.edi'"),
        ("root.zip", zipped(("/etc/evil.edi", b"x")), "names a path outside"),
        ("drive.zip", zipped(("C:evil.edi", b"x")), "names a path outside"),
        ("link.zip", link_inside(), "holds a link"),
        ("nested.zip", zipped(("a.zip", zipped(("b.edi", b"x")))), "a packed file lies inside"),
        ("nested.gz", gzip.compress(gzip.compress(b"x" * 100, mtime=0), mtime=0), "a packed file lies inside"),
        ("half.zip", zipped(("a.edi", os.urandom(5000)))[:-500], "the ZIP is damaged"),
        ("half.gz", gzip.compress(random.Random(5).randbytes(5000), mtime=0)[:-500], "the GZIP is damaged"),
        ("none.zip", zipped(), "the ZIP holds no file"),
    ],
)
def test_what_is_not_safe_is_refused_as_a_whole(packing: Stage, name: str, content: bytes, why: str) -> None:
    packing.drop("ATLAS", name, content)
    (file,) = packing.files()
    assert (file.outcome, why in file.reason) == ("quarantine", True), file.reason
    assert why in packing.side_file(name, area="quarantine")
    assert (packing.folder / "var" / file.place).read_bytes() == content
    assert list((packing.folder / "var" / "processing" / "ATLAS").iterdir()) == []


def test_a_partner_that_is_not_set_up_for_it_is_not_unpacked(stage: Stage) -> None:
    stage.drop("ATLAS", "a.zip", zipped(("a.edi", the_944())))
    assert [(f.name, f.outcome) for f in stage.files()] == [("a.zip", "error")]


# PGP


@pytest.fixture
def keys() -> Iterator[tuple[Path, dict[str, str]]]:
    """A keyring with keys of us, the partner and a stranger; its path is short, for gpg's agent listens on a socket in it."""
    if shutil.which("gpg") is None:
        pytest.skip("no gpg: install the package gnupg")
    home = Path(tempfile.mkdtemp(prefix="gpg"))
    found = {}
    for who in ("us", "partner", "stranger"):
        gpg(home, "--passphrase", "", "--quick-generate-key", f"{who}@example.test", "ed25519", "sign", "never")
        listed = gpg(home, "--with-colons", "--list-keys", f"{who}@example.test").decode()
        found[who] = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        gpg(home, "--passphrase", "", "--quick-add-key", found[who], "cv25519", "encr", "never")
    yield home, found
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    shutil.rmtree(home, ignore_errors=True)


def gpg(home: Path, *arguments: str, given: bytes | None = None) -> bytes:
    """gpg on a keyring."""
    command = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--trust-model", "always", *arguments]
    return subprocess.run(command, check=True, capture_output=True, input=given, timeout=60).stdout


def test_pgp_both_ways_and_only_from_whom_it_is_expected(make_stage: Callable[..., Stage], keys: tuple[Path, dict[str, str]]) -> None:
    home, found = keys
    pgp = f'\n[pgp]\nkeyring = "{home}"\nsigners = ["{found["partner"]}"]\nrecipient = "{found["partner"]}"\nsign_with = "{found["us"]}"\n'
    stage = make_stage(edits=(("mappings/atlas.toml", "\n[receive]\n", UNPACK.format(pgp=pgp)),))
    announce(stage, 77000001)
    (sent,) = stage.outbox("ATLAS")
    assert gpg(home, "--decrypt", given=sent.read_bytes()).startswith(b"ISA")

    def sealed(content: bytes, who: str) -> bytes:
        return gpg(home, "--encrypt", "--sign", "--local-user", found[who], "--recipient", found["us"], given=content)

    stage.drop("ATLAS", "stranger.edi.pgp", sealed(the_944(), "stranger"))
    stage.drop("ATLAS", "plain.edi", the_944())
    stage.drop("ATLAS", "broken.edi.pgp", sealed(the_944(), "partner")[:-20])
    assert [stage.file(name).outcome for name in ("stranger.edi.pgp", "plain.edi", "broken.edi.pgp")] == ["quarantine"] * 3
    assert "not signed by" in stage.file("stranger.edi.pgp").reason
    assert "only signed files" in stage.file("plain.edi").reason
    stage.drop("ATLAS", "good.zip.pgp", sealed(zipped(("inner.edi", the_944())), "partner"))
    assert stage.file("inner.edi").outcome == "applied"
    assert stage.lines("RA77000001") == {sku: (n, n, 0, 0) for sku, n in ALL_GOOD[77000001]}
