"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a141_one_command_runs_four_whole_lives_offline_to_the_totals_of_a123(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "demo", "--dir", str(tmp_path / "demo"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == {}
    assert told["seconds"] < 60
    assert told["totals"] == {
        "credits": "453.60",
        "cash": "324.00",
        "exchange credit": "129.60",
        "good": "6",
        "second": "1",
        "not returned": "1",
        "differences": "0",
    }
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 1
    assert "is a workspace already" in again.stderr
