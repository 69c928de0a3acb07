"""A real OpenSSH server on a port of its own, and a wire in between that can be cut or slowed down."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else None)
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
LogLevel ERROR
MaxSessions 40
Subsystem sftp internal-sftp {options}
{more}
"""


@dataclass
class Server:
    """An sshd whose files lie in `home`; `start` and `stop` at will. `options` are those of internal-sftp."""

    folder: Path
    options: str = ""
    more: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.home = self.folder / "home"
        for name in ("to_us", "to_them", "taken"):
            (self.home / name).mkdir(parents=True)
        self.port = self.port or free_port()
        self.user_key = make_key(self.folder / "user")
        self.host_key = make_key(self.folder / "host")
        shutil.copy(self.user_key.with_suffix(".pub"), self.folder / "authorized")

    def start(self) -> Server:
        """Start and wait until it listens."""
        text = CONFIG.format(port=self.port, host_key=self.host_key, folder=self.folder, options=self.options, more=self.more)
        (self.folder / "config").write_text(text)
        Path("/run/sshd").mkdir(exist_ok=True, parents=True) if os.geteuid() == 0 else None
        command = [str(SSHD), "-D", "-e", "-f", str(self.folder / "config")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        wait_for(self.port, self.process, self.folder / "log")
        return self

    def stop(self) -> None:
        """Stop it; open connections end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def new_host_key(self) -> None:
        """Come back with another host key."""
        self.stop()
        for path in (self.host_key, self.host_key.with_suffix(".pub")):
            path.unlink()
        make_key(self.host_key)
        self.start()

    @property
    def pin(self) -> str:
        """The host key's fingerprint, as ssh-keygen tells it."""
        said = subprocess.run(["ssh-keygen", "-lf", str(self.host_key) + ".pub"], check=True, capture_output=True, text=True).stdout
        return said.split()[1]

    def path(self, name: str) -> str:
        """A folder on the server as the client names it."""
        return str(self.home / name)


def make_key(path: Path) -> Path:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, capture_output=True)
    return path


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens on a port."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, f"sshd ended: {log.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            threading.Event().wait(0.02)
    raise AssertionError(f"sshd does not listen: {log.read_text()}")


@dataclass
class Wire:
    """A relay on the way to a server: it can cut every connection after some bytes in one direction, or hold each byte back for a while."""

    target: int
    cut_up: int | None = None
    cut_down: int | None = None
    delay: float = 0.0
    port: int = 0
    cuts: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everything and listen no more."""
        self._listener.close()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._open += [ours, theirs]
            for source, sink, limit in ((ours, theirs, self.cut_up), (theirs, ours, self.cut_down)):
                threading.Thread(target=self._relay, args=(source, sink, limit), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        late: deque[tuple[float, bytes]] = deque()
        there = threading.Condition()
        if self.delay:
            threading.Thread(target=_send_late, args=(sink, late, there), daemon=True).start()
        try:
            while data := source.recv(65536):
                if limit is not None and (limit := limit - len(data)) < 0:
                    self.cuts += 1
                    break
                if self.delay:
                    with there:
                        late.append((time.monotonic() + self.delay, data))
                        there.notify()
                else:
                    sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _send_late(sink: socket.socket, late: deque[tuple[float, bytes]], there: threading.Condition) -> None:
    """Pass on what came, each piece at its time."""
    while True:
        with there:
            while not late:
                if not there.wait(5):
                    return
            at, data = late.popleft()
        threading.Event().wait(max(at - time.monotonic(), 0))
        try:
            sink.sendall(data)
        except OSError:
            return
