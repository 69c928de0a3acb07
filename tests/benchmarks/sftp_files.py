"""Files a second to and from a real OpenSSH server, by channels and latency: `python -m tests.benchmarks.sftp_files`.

Everything durable: each file claimed, flushed, renamed and confirmed in the book (SQLite, FULL). Ratios of one run on one machine count, not the figures.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

from gateway.jobs.carrying import Sync
from gateway.jobs.sync import sync_partner
from tests.adapters.sftp.conftest import SFTP
from tests.adapters.sftp.server import Server, Wire
from tests.stage import Stage

FILES = 200


def measure(root: Path, server: Server, *, channels: int, delay: float, files: int) -> tuple[float, float]:
    """Files a second, down and up."""
    wire = Wire(server.port, delay=delay / 2)
    text = SFTP.format(
        port=wire.port,
        user=os.environ.get("USER", "root"),
        key=server.user_key,
        pin=server.pin,
        to_us=server.path("to_us"),
        to_them=server.path("to_them"),
        more=f"channels = {channels}",
    )
    with Stage(root, edits=(("mappings/atlas.toml", "\n[receive]\n", text),)) as stage:
        sync = Sync(ctx=stage.ctx, partner="ATLAS", owner="benchmark")
        sync.link()
        found = []
        for folder in (server.home / "to_us", stage.folder / "outbox" / "ATLAS"):
            for number in range(files):
                (folder / f"{number:04d}.edi").write_bytes(b"ISA" + b"x" * 1500)
            started = time.monotonic()
            tally = sync_partner(sync)
            assert tally.done == files, tally.reasons
            found.append(files / (time.monotonic() - started))
        sync.close()
    wire.close()
    for path in (server.home / "to_them").iterdir():
        path.unlink()
    return found[0], found[1]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name) / "server").start()
        try:
            for delay in (0.0, 0.03):
                for channels in (1, 4, 16):
                    files = FILES if not delay else 20 * channels
                    down, up = measure(Path(name) / f"stage{delay}{channels}", server, channels=channels, delay=delay, files=files)
                    print(
                        f"round trip {delay * 1000:3.0f} ms, {channels:2d} channel(s): {down:6.1f} files/s from the server, {up:6.1f} to it",
                        flush=True,
                    )
        finally:
            server.stop()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
