"""A partner's SFTP server: one connection, several channels, typed outcomes; everything the protocol needs and nothing of what files mean.

The server's host key is compared with the pinned one before anything is sent, the password included; a server without a pinned key is not talked to
(`look` tells the fingerprint to pin). A file is written under a temporary name, its size compared (and its hash, where the server offers check-file), then
renamed: first by the plain rename, which may not overwrite; where that is not offered or refuses, by posix-rename after looking that the name is free.
After a break a transfer goes on a little before where it stopped.

Errors: `ServerTroubleError` passes by itself; `ServerRefusesError` needs a person. What befalls one file (`Refused`) is a value and stops no other file.
Key exchange with SHA-1 is not spoken any more (paramiko 5).
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import queue
import socket
import stat
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, TYPE_CHECKING, TypeVar

from gateway.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    import paramiko

CHUNK = 32 * 1024
REWIND = 64 * 1024  # what a break may have left half-written at the end is sent again
PREFETCH_FROM = 256 * 1024  # smaller files are read without a read-ahead thread
FIRST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS}  # of our own disk; what a server says carries none of these
T = TypeVar("T")
Progress = Callable[[int], None]


class ServerTroubleError(TemporaryError):
    """The server cannot be reached, or the connection broke; it is tried again."""


class ServerRefusesError(PermanentError):
    """The server does not let us in; a person has to act."""


class HostKeyError(ServerRefusesError):
    """The server's host key is not the pinned one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is and how it is entered. `host_keys` are the pinned ones: `SHA256:…` or `ssh-ed25519 AAAA…`. Seconds."""

    host: str
    port: int
    user: str
    password: str = ""
    key: str = ""
    passphrase: str = ""
    host_keys: tuple[str, ...] = ()
    channels: int = 1
    connect_seconds: float = 15.0
    answer_seconds: float = 60.0
    keep_alive_seconds: float = 30.0

    @property
    def name(self) -> str:
        """The server as it is named in messages."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file on the server; `modified` in whole seconds, as SFTP tells it."""

    name: str
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The server did not do this for this file; `why` in its words. `taken`: the name is in use."""

    why: str
    taken: bool = False
    missing: bool = False


@dataclass(slots=True)
class Channel:
    """One conversation with the server; used by one thread at a time."""

    client: paramiko.SFTPClient
    server: str
    _hashes: bool = True

    def list_files(self, folder: str) -> list[Entry] | Refused:
        """The regular files in a folder, oldest first; links and folders are left out."""
        with self._said() as said:
            found = self.client.listdir_attr(folder)
            entries = [
                Entry(name=a.filename, size=a.st_size or 0, modified=int(a.st_mtime or 0))
                for a in found
                if stat.S_ISREG(a.st_mode or 0) or (a.st_mode is None and not getattr(a, "longname", "").startswith(("d", "l")))
            ]
            return sorted((e for e in entries if "/" not in e.name), key=lambda e: (e.modified, e.name))
        return said.refused

    def look(self, path: str) -> Entry | None:
        """What is under a name, links not followed; None when nothing is."""
        with self._said() as said:
            found = self.client.lstat(path)
            return Entry(name=path.rpartition("/")[2], size=found.st_size or 0, modified=int(found.st_mtime or 0))
        if said.refused.missing:
            return None
        raise ServerTroubleError(f"{self.server}: {path} cannot be looked at ({said.refused.why})")

    def send(self, source: IO[bytes], path: str, *, size: int, progress: Progress) -> Refused | None:
        """Write a file under its temporary name, going on where an earlier try stopped, and check that it is whole."""
        with self._said() as said:
            start = self._start(path, size)
            with self.client.open(path, "r+" if start else "w") as target:
                source.seek(start)
                target.seek(start)
                self._write(source, target, start, size, progress)
            return self._check_sent(source, path, size)
        return said.refused

    def _start(self, path: str, size: int) -> int:
        try:
            there = self.client.lstat(path)
        except FileNotFoundError:
            return 0
        there_size = there.st_size or 0
        return max(there_size - REWIND, 0) if there_size <= size else 0

    def _write(self, source: IO[bytes], target: paramiko.SFTPFile, done: int, size: int, progress: Progress) -> None:
        """Write ahead without waiting for each answer; the last piece is waited for, and with it every refusal before it."""
        while done < size:
            chunk = source.read(CHUNK)
            if not chunk:
                return  # it became shorter while being sent; the size check says so
            done += len(chunk)
            target.set_pipelined(done < size)
            target.write(chunk)
            progress(done)

    def _check_sent(self, source: IO[bytes], path: str, size: int) -> Refused | None:
        there = self.client.stat(path).st_size or 0
        if there != size:
            self.remove(path)
            return Refused(f"{there} of {size} bytes arrived; is the server's disk full?")
        hashed = self.hash_of(path)
        if hashed:
            source.seek(0)
            ours = hashlib.sha256()
            while chunk := source.read(CHUNK):
                ours.update(chunk)
            if hashed != ours.hexdigest():
                self.remove(path)
                return Refused("its SHA-256 on the server is not ours; it is sent again")
        return None

    def fetch(self, path: str, target: IO[bytes], *, start: int, size: int, progress: Progress) -> Refused | None:
        """Read a file from `start` on into `target`, up to the size it was listed with."""
        with self._said() as said:
            with self.client.open(path, "r") as source:
                source.seek(start)
                if size - start > PREFETCH_FROM:
                    source.prefetch(size)
                done = start
                while done < size and (chunk := source.read(min(CHUNK, size - done))):
                    target.write(chunk)
                    done += len(chunk)
                    progress(done)
            if done != size:
                self.look(path)  # paramiko reads a break as the end of the file: this tells it from a file that became shorter
                return Refused(f"{done} of {size} bytes came")
            return None
        return said.refused

    def hash_of(self, path: str) -> str:
        """SHA-256 by the server (extension check-file); empty where it is not offered."""
        if not self._hashes:
            return ""
        with self._said() as said, self.client.open(path, "r") as there:
            return there.check("sha256").hex()
        if not said.refused.missing:
            self._hashes = False
        return ""

    def rename(self, path: str, target: str) -> Refused | None:
        """Rename, never over an existing file."""
        if self.look(target) is not None:
            return Refused(f"{target} is there already", taken=True)
        with self._said() as said:
            self.client.rename(path, target)
            return None
        if said.refused.missing or self.look(path) is None:
            return Refused(said.refused.why, missing=True)
        if self.look(target) is not None:
            return Refused(f"{target} is there already", taken=True)
        with self._said() as again:
            self.client.posix_rename(path, target)
            return None
        return Refused(f"neither rename ({said.refused.why}) nor posix-rename ({again.refused.why}) is let")

    def remove(self, path: str) -> Refused | None:
        """Remove a file; gone already is done."""
        with self._said() as said:
            self.client.remove(path)
            return None
        return None if said.refused.missing else said.refused

    def _said(self) -> _Said:
        return _Said(self)

    def is_closed(self) -> bool:
        """Whether the connection is gone."""
        channel = self.client.get_channel()
        return channel is None or channel.closed or not channel.get_transport().is_active()


@dataclass(slots=True)
class _Said:
    """Tells the server's refusal (a value) from a broken connection and from a fault of our own disk (errors)."""

    channel: Channel
    refused: Refused = field(default_factory=lambda: Refused(""))

    def __enter__(self) -> _Said:
        return self

    def __exit__(self, _kind: type[BaseException] | None, fault: BaseException | None, _trace: TracebackType | None) -> bool:
        from paramiko import SSHException

        server = self.channel.server
        if isinstance(fault, (EOFError, SSHException, TimeoutError)):
            raise ServerTroubleError(f"{server}: the connection broke ({fault or type(fault).__name__})") from fault
        if not isinstance(fault, OSError) or fault.errno in LOCAL:
            return False
        if self.channel.is_closed():
            raise ServerTroubleError(f"{server}: the connection broke ({fault})") from fault
        self.refused = Refused(_words(fault), missing=isinstance(fault, FileNotFoundError))
        return True


def _words(fault: OSError) -> str:
    said = str(fault.strerror or fault).strip()
    return "the server says only “Failure”; its disk or a quota may be full, or the name is in use" if said == "Failure" else said


@dataclass(slots=True)
class Link:
    """An open connection with its channels."""

    transport: paramiko.Transport
    channels: list[Channel]

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self.transport.is_active()

    def spread(self, do: Callable[[Channel, T], None], items: Iterable[T]) -> None:
        """Do something for each item, in order of start, on all channels. The first error ends it once what is in hand is done."""
        items = list(items)
        if len(self.channels) == 1 or len(items) <= 1:
            for item in items:
                do(self.channels[0], item)
            return
        free: queue.SimpleQueue[Channel] = queue.SimpleQueue()
        for channel in self.channels:
            free.put(channel)
        broken = threading.Event()

        def one(item: T) -> None:
            if broken.is_set():
                return
            channel = free.get()
            try:
                do(channel, item)
            except BaseException:
                broken.set()
                raise
            finally:
                free.put(channel)

        with ThreadPoolExecutor(len(self.channels), thread_name_prefix="sftp") as pool:
            for waited in [pool.submit(one, item) for item in items]:
                waited.result()

    def close(self) -> None:
        """Hang up."""
        self.transport.close()


def connect(address: Address) -> Link:
    """Enter a server and open its channels."""
    transport = _shake_hands(address)
    try:
        found = transport.get_remote_server_key()
        _check_key(address, found)
        _log_in(transport, address)
        transport.set_keepalive(max(int(address.keep_alive_seconds), 0))
        return Link(transport=transport, channels=_open_channels(transport, address))
    except BaseException:
        transport.close()
        raise


def look_at_key(address: Address) -> tuple[str, str]:
    """The server's host key without logging in: its fingerprint and its public key, either of which can be pinned."""
    transport = _shake_hands(address)
    try:
        key = transport.get_remote_server_key()
        return fingerprint(key), f"{key.get_name()} {key.get_base64()}"
    finally:
        transport.close()


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` prints it."""
    return "SHA256:" + b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _shake_hands(address: Address) -> paramiko.Transport:
    import paramiko

    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it logs whole traces; what matters is in our errors
    try:
        connection = socket.create_connection((address.host, address.port), timeout=address.connect_seconds)
    except OSError as fault:
        raise ServerTroubleError(f"{address.name} cannot be reached ({fault.strerror or fault})") from fault
    transport = paramiko.Transport(connection)
    transport.banner_timeout = transport.auth_timeout = address.connect_seconds
    _prefer_pinned(transport, address)
    try:
        transport.start_client(timeout=address.connect_seconds)
    except paramiko.SSHException as fault:
        transport.close()
        raise _handshake_error(address, fault) from fault
    except (EOFError, OSError) as fault:
        transport.close()
        raise ServerTroubleError(f"{address.name}: no SSH server answers there ({fault or type(fault).__name__})") from fault
    return transport


def _prefer_pinned(transport: paramiko.Transport, address: Address) -> None:
    """Ask for the kind of key that is pinned, so that a server with several kinds shows that one."""
    kinds = [pin.split(" ")[0] for pin in address.host_keys if " " in pin]
    wanted = [algorithm for kind in kinds for algorithm in (RSA_SIGNATURES if kind == "ssh-rsa" else (kind,))]
    if wanted and len(kinds) == len(address.host_keys):
        transport.get_security_options().key_types = tuple(dict.fromkeys(wanted))


def _handshake_error(address: Address, fault: Exception) -> ServerTroubleError | ServerRefusesError:
    said = str(fault)
    if "no acceptable kex" in said:
        return ServerRefusesError(
            f"{address.name} offers only outdated key exchange (SHA-1), which is not spoken any more; "
            "ask the partner to allow curve25519-sha256 or diffie-hellman-group14-sha256 on its server"
        )
    if "no acceptable host key" in said or "can't match requested host key" in said:
        if any(" " in pin for pin in address.host_keys):
            return HostKeyError(
                f"{address.name} does not show a host key of the pinned kind; nothing was sent. If the partner changed its key, see "
                "`gateway partner test-connection` and pin the new one"
            )
        return ServerRefusesError(f"{address.name} shows only outdated host keys (ssh-rsa with SHA-1, DSA); ask the partner for an Ed25519 key")
    return ServerTroubleError(f"{address.name}: the SSH handshake failed ({said})")


def _check_key(address: Address, key: paramiko.PKey) -> None:
    found, public = fingerprint(key), f"{key.get_name()} {key.get_base64()}"
    if not address.host_keys:
        raise HostKeyError(
            f"{address.name} shows the host key {found} ({key.get_name()}), and none is pinned. Ask the partner for its fingerprint, compare, "
            'and write it as host_key = "…" into [sftp] of its profile'
        )
    pins = {" ".join(pin.split()[:2]) for pin in address.host_keys}
    if found not in pins and public not in pins:
        raise HostKeyError(
            f"{address.name} shows another host key than the pinned one: {found} ({key.get_name()}). Nothing was sent. "
            "Ask the partner whether it changed its key; if so, pin the new one; if not, somebody is in between"
        )


def _log_in(transport: paramiko.Transport, address: Address) -> None:
    import paramiko

    try:
        if address.key:
            transport.auth_publickey(address.user, read_key(address.key, address.passphrase))
        else:
            transport.auth_password(address.user, address.password)
    except paramiko.AuthenticationException as fault:
        way = "key" if address.key else "password"
        raise ServerRefusesError(f"{address.name} does not let {address.user} in with this {way} ({fault}); check it with the partner") from fault
    except (paramiko.SSHException, EOFError, OSError) as fault:
        raise ServerTroubleError(f"{address.name}: the log-in broke off ({fault or type(fault).__name__})") from fault


def read_key(text: str, passphrase: str = "") -> paramiko.PKey:
    """A private key from its text, of whatever kind it is."""
    import paramiko

    faults = []
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text), passphrase or None)
        except (paramiko.SSHException, ValueError, IndexError) as fault:
            faults.append(str(fault))
    raise ServerRefusesError(f"the private key cannot be read ({faults[0]}); it must be an Ed25519, ECDSA or RSA key in OpenSSH or PEM form")


def _open_channels(transport: paramiko.Transport, address: Address) -> list[Channel]:
    """As many channels as are set, or as many as the server lets us have."""
    import paramiko

    channels: list[Channel] = []
    try:
        for _ in range(max(address.channels, 1)):
            client = paramiko.SFTPClient.from_transport(transport)
            if client is None:
                break
            client.get_channel().settimeout(address.answer_seconds)  # type: ignore[union-attr]  # an open client has one
            channels.append(Channel(client=client, server=address.name))
    except (paramiko.SSHException, EOFError, OSError) as fault:
        if not channels:
            raise ServerTroubleError(f"{address.name}: SFTP is not offered ({fault or type(fault).__name__})") from fault
    return channels


def hang_up(link: Link | None) -> None:
    """Close a link, whatever state it is in."""
    if link is not None:
        with suppress(OSError, EOFError):
            link.close()
