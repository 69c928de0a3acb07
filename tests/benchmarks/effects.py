"""Effects a second over PostgreSQL (and SQLite), with one process and two, and with one of two killed: nothing may be done twice.

    python -m tests.benchmarks.effects --url postgresql+psycopg://user@/empty_database [--count 5000]

An effect here goes the whole way: claimed, in doubt (commit), done (a line in a file), confirmed (commit), taken out of the queue. What a killed process left
in doubt is looked up before it is repeated. The yardstick is the bare commit: one row updated and committed, over and over, by as many connections.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select, update

from gateway import bootstrap, config
from gateway.clients.session import Kind, Outcome
from gateway.jobs import effecting, sharing
from gateway.jobs.context import Context
from gateway.jobs.effecting import Effect, Look, Sight, Way
from gateway.store import database, effects
from gateway.store.schema import effects as effects_table
from gateway.store.schema import positions, work_queue
from gateway.worker import Worker
from tests.stage import make_workspace

KEYS = {
    "GATEWAY_LOOP_BASE_URL": "http://127.0.0.1:9",
    "GATEWAY_LOOP_API_KEY": "k",
    "GATEWAY_SHOPIFY_BASE_URL": "http://127.0.0.1:9",
    "GATEWAY_SHOPIFY_TOKEN": "t",
}


def context(folder: Path, url: str) -> Context:
    """The surroundings of a worker."""
    workspace = config.load(str(folder), environment={**KEYS, "GATEWAY_DATABASE_URL": url})
    ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
    return replace(ctx, timing=replace(ctx.timing, doubt_settle=0.2))


@dataclass(frozen=True)
class Deeds:
    """The outside of the benchmark: a file of lines for each thread."""

    folder: Path

    def act(self, _ctx: Context, effect: Effect) -> Outcome:
        """Do it: a line."""
        with (self.folder / f"{os.getpid()}-{threading.get_ident()}.deeds").open("a") as stream:
            stream.write(f"{effect.id}\n")
        return Outcome(kind=Kind.ACCEPTED, text="done")

    def look(self, _ctx: Context, effect: Effect) -> Look:
        """See whether it was done."""
        done = str(effect.id) in "\n".join(path.read_text() for path in self.folder.glob("*.deeds")).split()
        return Look(sight=Sight.HAPPENED if done else Sight.NOT_HAPPENED, words="read")

    def way(self) -> Way:
        """How such an effect is done."""
        clear = Look(sight=Sight.CLEAR)
        return Way(label="bench", before=lambda *_: clear, act=self.act, after=self.look, settled=lambda *_: None, is_free=lambda _: True)


def work(url: str, folder: Path, threads: int, *, nothing: bool) -> None:
    """One process: so many workers until the queue is empty; `nothing` is all they do with what they claim."""
    ctx = context(folder, url)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.process_time()

    way = Deeds(folder).way()
    jobs = {"effect.bench": (lambda *_: None) if nothing else (lambda c, key: effecting.perform(c, effecting.load(c, key), way))}
    in_turn = {} if nothing else {"effect.bench": lambda c, keys: sharing.perform_some(c, keys, {"bench.x": way})}

    def run(number: int) -> None:
        worker = Worker(ctx=ctx, owner=f"{os.getpid()}/{number}", lease_seconds=3, jobs=jobs, in_turn=in_turn)
        while worker.run_some() or _waiting(ctx):
            pass

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(time.process_time() - began)


def _waiting(ctx: Context) -> bool:
    """Whether anything is left, also under a lease that has to run out first."""
    with database.reading(ctx.engine) as connection:
        left = connection.execute(select(work_queue.c.id).limit(1)).first() is not None
    if left:
        time.sleep(0.02)
    return left


def measure(url: str, processes: int, threads: int, count: int, *, kill: bool = False, nothing: bool = False) -> tuple[float, float, Counter[str]]:
    """Effects a second, the milliseconds of the workers' processor for each, and how often each was done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_workspace(folder)
        ctx = context(folder, url)
        at = datetime.now(UTC)
        with database.writing(ctx.engine) as connection:
            connection.execute(work_queue.delete())
            connection.execute(effects_table.delete())
            for number in range(count):
                effects.intend(connection, kind="bench.x", target=str(number), version="1", payload={}, now=at)
            connection.execute(update(work_queue).values(job="effect.bench"))
            ids = [str(row[0]) for row in connection.execute(select(effects_table.c.id))]
        command = [sys.executable, "-m", "tests.benchmarks.effects", "--url", url, "--worker", name, "--threads", str(threads)]
        command += ["--nothing"] if nothing else []
        found = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        for process in found:
            process.stdout.readline()  # type: ignore[union-attr]
        began = time.perf_counter()
        for process in found:
            process.stdin.write("go\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        if kill:
            while _confirmed(ctx) < count // 3:
                time.sleep(0.01)
            found[0].send_signal(signal.SIGKILL)
        used = sum(float(process.communicate()[0] or 0) for process in found)  # one that was killed does not tell
        seconds = time.perf_counter() - began
        deeds = Counter(line for path in folder.glob("*.deeds") for line in path.read_text().split())
        if not nothing and (_confirmed(ctx) != count or set(deeds) != set(ids)):
            raise SystemExit(f"LOST: {count - _confirmed(ctx)} not confirmed, {len(set(ids) - set(deeds))} never done")
        ctx.engine.dispose()
    return count / seconds, used / count * 1000, deeds


def _confirmed(ctx: Context) -> int:
    with database.reading(ctx.engine) as connection:
        return len(connection.execute(select(effects_table.c.id).where(effects_table.c.state == "confirmed")).all())


def bare_commits(url: str, seconds: float = 2.0) -> float:
    """Commits a second of one connection that updates one row."""
    engine = database.connect(url)
    database.migrate(engine)
    with database.writing(engine) as connection:
        database.put(connection, positions, {"name": "bench", "value": "0"})
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        with database.writing(engine) as connection:
            connection.execute(update(positions).where(positions.c.name == "bench").values(value=str(count)))
        count += 1
    engine.dispose()
    return count / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--worker")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nothing", action="store_true")
    asked = parser.parse_args()
    if asked.worker:
        work(asked.url, Path(asked.worker), asked.threads, nothing=asked.nothing)
        return
    floor = bare_commits(asked.url)
    print(f"bare commits, one connection: {floor:,.0f}/s")
    for processes, threads, kill in ((1, 1, False), (2, 1, False), (2, 2, False), (2, 1, True)):
        speed, used, deeds = measure(asked.url, processes, threads, asked.count, kill=kill)
        twice = sum(1 for times in deeds.values() if times > 1)
        what = f"{processes} process(es) x {threads} worker(s)" + (", one killed" if kill else f", {used:.2f} ms of processor each")
        print(f"{what}: {speed:,.0f} effects/s = {speed / floor:.2f} of the bare commits, {twice} done twice, {asked.count} of {asked.count} done")
    speed, used, _ = measure(asked.url, 2, 1, asked.count, nothing=True)
    print(f"the table alone, 2 processes x 1 worker: {speed:,.0f} pieces of work/s, {used:.2f} ms of processor each")


if __name__ == "__main__":
    main()
