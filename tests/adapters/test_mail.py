"""Mail out: secured, signed in, dots kept, and judged by what the server says."""

from __future__ import annotations

import dataclasses
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.clients.channels import Post
from gateway.clients.mail import Letter, Mailer
from gateway.clients.session import Kind
from tests.postbox import Postbox, free_port, serving

LETTER = Letter(
    key="recap:2026-11-25",
    channel="mail:desk@harbor.example",
    subject="Grüße\r\nBcc: all@x",
    body=".a line\n.. and one more\nend",
    html="<p>.</p>",
    at=datetime(2026, 11, 25, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for `localhost`, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    made = folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return made


def mailer(port: int, **options: str) -> Mailer:
    """A mailer to a loopback port."""
    plain = Mailer(host="localhost", port=port, security="none", sender="Returns <returns@harbor.example>", timeout=5)
    return dataclasses.replace(plain, **options)  # type: ignore[arg-type]  # options by name


def test_it_keeps_dots_and_writes_one_subject_line() -> None:
    with serving(Postbox()) as box:
        assert mailer(box.port).send(LETTER).kind == Kind.ACCEPTED
    assert box.text().splitlines() == [".a line", ".. and one more", "end"]
    assert box.subjects == ["Grüße Bcc: all@x"]
    assert box.letters[0]["Bcc"] is None
    assert box.letters[0]["Auto-Submitted"] == "auto-generated"


def test_it_speaks_tls_and_signs_in(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(Postbox(), certificate=context, user="gateway") as box:
        good = mailer(box.port, security="starttls", authorities=str(certificate), user="gateway", password="secret")
        assert good.send(LETTER).kind == Kind.ACCEPTED
        wrong = dataclasses.replace(good, password="wrong").send(LETTER)
        assert (wrong.kind, "user name and password" in wrong.text, "wrong" in wrong.text) == (Kind.DENIED, True, False)
        stranger = dataclasses.replace(good, authorities=None).send(LETTER)
        assert (stranger.kind, "certificate" in stranger.text.lower()) == (Kind.NOT_DONE, True)
    assert len(box.letters) == 1


def test_it_does_not_go_on_in_the_clear_when_tls_is_wanted() -> None:
    with serving(Postbox()) as box:
        told = mailer(box.port, security="starttls").send(LETTER)
    assert (told.kind, "smtp_security" in told.text, box.letters) == (Kind.DENIED, True, [])


@pytest.mark.parametrize(("said", "kind"), [("451 later", Kind.NOT_DONE), ("550 no such user", Kind.REFUSED)])
def test_it_tells_a_passing_refusal_from_a_lasting_one(said: str, kind: Kind) -> None:
    with serving(Postbox(refuse=said)) as box:
        outcome = mailer(box.port).send(LETTER)
    assert (outcome.kind, outcome.text) == (kind, said)


def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    assert mailer(free_port()).send(LETTER).kind == Kind.NOT_DONE


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's, for Python 3.13
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_channel_is_named_by_its_secret_and_says_what_is_missing() -> None:
    post = Post(mailer=None, addresses={"env:SLACK": "", "env:ODD": "no-such-scheme://x"})
    for channel, words in (("env:SLACK", "is not set"), ("env:ODD", "none that Apprise knows"), ("mail:a@b", "smtp_host")):
        outcome = post.send(dataclasses.replace(LETTER, channel=channel))
        assert (outcome.kind, words in outcome.text) == (Kind.DENIED, True)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_it_tells_a_channel_through_apprise() -> None:
    """Apprise's own mail channel, to our server: what it hands on arrives."""
    with serving(Postbox()) as box:
        address = f"mailto://127.0.0.1:{box.port}?from=returns@harbor.example&to=desk@harbor.example&mode=insecure&format=text"
        outcome = Post(mailer=None, addresses={"env:CHAT": address}).send(dataclasses.replace(LETTER, channel="env:CHAT"))
    assert (outcome.kind, len(box.letters)) == (Kind.ACCEPTED, 1)
    assert ".a line" in box.text()
