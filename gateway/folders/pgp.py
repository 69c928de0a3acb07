"""PGP by the `gpg` program and a keyring folder of the gateway's own; keys are imported there with gpg itself.

Nothing is trusted that is not in the keyring; where signers are named, a file without a good signature of one of them is refused. The passphrase goes over
a pipe, never over the command line.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import PermanentError, TemporaryError
from gateway.folders.unpacking import PackedError

SECONDS = 120
SIGNED = "VALIDSIG"


class NoProgramError(TemporaryError):
    """The gpg program cannot be run; install it (package gnupg), or name it as pgp.program."""


class SealError(PermanentError):
    """gpg did not encrypt or sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Where the keys are, and which of them are used."""

    folder: Path
    program: str = "gpg"
    passphrase: str = ""
    signers: tuple[str, ...] = ()
    recipient: str = ""
    sign_with: str = ""


def is_pgp(head: bytes, name: str) -> bool:
    """Whether a file is a PGP message: armoured, or binary under a name that says so."""
    return head.startswith(b"-----BEGIN PGP MESSAGE") or (name.lower().endswith((".pgp", ".gpg", ".asc")) and head[:1] >= b"\x80")


def open_sealed(ring: Keyring, path: Path, *, into: Path, largest: int) -> str:
    """Decrypt (and check the signature of) a file into another; whose signature it bears, empty for none."""
    done = _run(ring, "--max-output", str(largest), "--output", str(into), "--decrypt", str(path))
    status = [line.split()[1:] for line in done.stdout.decode(errors="replace").splitlines() if line.startswith("[GNUPG:]")]
    words = {line[0] for line in status if line}
    signed = [line for line in status if line and line[0] == SIGNED]
    if done.returncode != 0 or not into.exists():
        raise PackedError(f"gpg cannot open it: {_last(done.stderr)}")
    if "DECRYPTION_FAILED" in words or "BADSIG" in words:
        raise PackedError("its signature or encryption is not intact")
    by = {part.upper() for line in signed for part in (line[1], line[-1])}
    if ring.signers and not by & {signer.replace(" ", "").upper() for signer in ring.signers}:
        raise PackedError(f"it is not signed by {' or '.join(ring.signers)}" + (f" but by {signed[0][1]}" if signed else ""))
    return signed[0][1] if signed else ""


def seal(ring: Keyring, content: bytes) -> bytes:
    """Encrypt for the recipient, signed where a key is named; armoured."""
    command = ["--armor", "--trust-model", "always", "--encrypt", "--recipient", ring.recipient]
    if ring.sign_with:
        command += ["--sign", "--local-user", ring.sign_with]
    done = _run(ring, *command, given=content)
    if done.returncode != 0 or not done.stdout.startswith(b"-----BEGIN PGP MESSAGE"):
        raise SealError(f"gpg did not encrypt for {ring.recipient}: {_last(done.stderr)}")
    return done.stdout


def _run(ring: Keyring, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [ring.program, "--homedir", str(ring.folder), "--batch", "--no-tty", "--yes"]
    entered = b""
    if ring.passphrase:
        command += ["--pinentry-mode", "loopback", "--passphrase-fd", "0"]
        entered = ring.passphrase.encode() + b"\n"
    if given is None:
        command += ["--status-fd", "1"]
    try:
        return subprocess.run([*command, *arguments], input=entered + (given or b""), capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise NoProgramError(f"{ring.program} cannot be run ({fault}); install gnupg, or name it as pgp.program") from fault


def _last(said: bytes) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("gpg: ") if lines else "it said nothing"
