"""From a claimed packed file to claimed files: opened in a hidden folder in `processing/`, then put beside it by renames."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.folders import pgp, unpacking
from gateway.folders.durable import GoneError, rename_new, sync_file, sync_folder, trouble
from gateway.folders.naming import safe_name
from gateway.folders.partner import HEAD, Claimed, PartnerFolders
from gateway.folders.pgp import Keyring
from gateway.folders.unpacking import PackedError, Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What a partner may pack and encrypt, and within which limits."""

    kinds: tuple[str, ...]
    room: Room
    keyring: Keyring | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was in a packed file: the claims it makes, in order, and the hidden folder where they lie as 0, 1, 2 …"""

    how: str
    files: tuple[Claimed, ...]
    home: Path


def open_packed(folders: PartnerFolders, place: str, *, name: str, number: int) -> Opened | None:
    """Open a packed or encrypted file whole; None when it is neither, PackedError when it is refused."""
    packing = folders.packing
    if packing is None or _is_from_inside(place):
        return None
    path = folders.resolve(place)
    head = next(folders.read(place), b"")[:HEAD]
    sealed = packing.keyring is not None and pgp.is_pgp(head, name)
    kind = unpacking.packed_kind(head)
    if not sealed and packing.keyring and packing.keyring.signers:
        raise PackedError("it came without PGP, and only signed files are taken from this partner (pgp.signers)")
    if not sealed and (kind not in packing.kinds or (kind == "zip" and unpacking.is_spreadsheet(path))):
        return None
    home = folders.processing / f".unpack-{number}"
    shutil.rmtree(home, ignore_errors=True)
    try:
        home.mkdir()
    except OSError as fault:
        raise trouble(folders.processing, "cannot be written", fault) from fault
    try:
        how, names = _open(packing, path, home, name=name, kind="pgp" if sealed else kind)
    except PackedError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    folder, _, rest = place.partition(".")
    token = rest.partition(".")[0]
    claims = (Claimed(place=f"{folder}.{token}-{at:04d}.{safe_name(inner)}", name=safe_name(inner), folder=folder) for at, inner in enumerate(names))
    return Opened(how=how, files=tuple(claims), home=home)


def may_be_packed(folders: PartnerFolders, place: str) -> bool:
    """Whether a claimed file has to be looked at by `open_packed`: a look at its first bytes, and on the cautious side."""
    packing = folders.packing
    if packing is None or _is_from_inside(place):
        return False
    return packing.keyring is not None or unpacking.packed_kind(next(folders.read(place), b"")[:HEAD]) in packing.kinds


def _is_from_inside(place: str) -> bool:
    """Whether a claimed file came out of a packed one, and is read as it is: packed once is enough."""
    return place.split(".")[1].count("-") > 1


def _open(packing: Packing, path: Path, home: Path, *, name: str, kind: str) -> tuple[str, list[str]]:
    """Decrypt, then unpack where what was encrypted is packed."""
    if kind != "pgp" or packing.keyring is None:
        return f"unpacked ({kind.upper()})", unpacking.unpack(path, kind=kind, name=name, room=packing.room, into=home)
    plain = home / "plain"
    signed = pgp.open_sealed(packing.keyring, path, into=plain, largest=packing.room.largest)
    how = f"decrypted, signed by {signed}" if signed else "decrypted"
    inner = name.rpartition(".")[0] if name.lower().endswith((".pgp", ".gpg", ".asc")) else name
    with plain.open("rb") as stream:
        kind = unpacking.packed_kind(stream.read(HEAD))
    if kind in packing.kinds and not (kind == "zip" and unpacking.is_spreadsheet(plain)):
        return f"{how}, unpacked ({kind.upper()})", unpacking.unpack(plain, kind=kind, name=inner, room=packing.room, into=home)
    sync_file(plain)
    plain.rename(home / "0")
    return how, [inner or "decrypted"]


def put_inside(folders: PartnerFolders, opened: Opened, claimed: Claimed) -> None:
    """Put one file from inside where claimed files lie; there already is done."""
    source, target = opened.home / str(opened.files.index(claimed)), folders.processing / claimed.place
    if target.exists():
        return
    try:
        rename_new(source, target)
    except GoneError:
        return
    sync_folder(folders.processing)


def tidy(folders: PartnerFolders, opened: Opened) -> None:
    """Remove the hidden folder."""
    shutil.rmtree(opened.home, ignore_errors=True)
    sync_folder(folders.processing)
