"""One log of several processes."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.stage import Stage

WRITER = """
import logging, sys
from gateway import bootstrap, config
bootstrap.LOG_BYTES = 20_000
bootstrap.start_log(config.load(sys.argv[1]), to_terminal=False)
for number in range(300):
    logging.getLogger("gateway").info("line", extra={"by": sys.argv[2], "number": number})
bootstrap.stop_log()
"""


def test_several_processes_rotate_one_log_and_lose_no_line(stage: Stage) -> None:
    command = [sys.executable, "-c", WRITER, str(stage.folder)]
    writers = [subprocess.Popen([*command, name], env=stage.environment, stderr=subprocess.PIPE) for name in "abc"]
    assert [writer.communicate(timeout=60)[1] for writer in writers] == [b"", b"", b""]
    found = sorted((stage.folder / "var" / "log").glob("gateway.log*"))
    lines = [json.loads(line) for path in found for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(found) > 3
    assert sorted((line["by"], line["number"]) for line in lines if line["event"] == "line") == [(by, n) for by in "abc" for n in range(300)]
