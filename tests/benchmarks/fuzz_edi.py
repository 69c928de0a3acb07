"""Coverage-guided fuzzing of the readers and checkers, with atheris.

Run it as `python tests/benchmarks/fuzz_edi.py x12|edifact CORPUS -max_total_time=900 -timeout=10`; what follows the kind goes to libFuzzer. A crash, a hang
or an input whose bytes are neither told in an event nor reported (`accounting.unaccounted`) ends it with a file `crash-...`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import atheris  # noqa: E402 - after the path, as the product is read from this tree

with atheris.instrument_imports(include=["gateway.edi"]):
    from gateway.edi import dictionary, edifact, edifact_check, x12
    from tests.properties import accounting


def try_x12(data: bytes) -> None:
    """Both ways of reading, in one piece and in small ones; nothing may vanish, and all must tell the same."""
    dictionary._WORTH_PATTERNS = 1 if len(data) % 8 == 0 else 1 << 30
    told = accounting.told(x12.read_sets([data]))
    assert accounting.told(x12.read_sets(data[at : at + 61] for at in range(0, len(data), 61))) == told
    assert not accounting.unaccounted_x12(data), accounting.unaccounted_x12(data)


def try_edifact(data: bytes) -> None:
    """The same for EDIFACT."""
    edifact_check.WORTH_PATTERNS = 1 if len(data) % 8 == 0 else 1 << 30
    told = accounting.told(edifact.read_messages([data]))
    assert accounting.told(edifact.read_messages(data[at : at + 61] for at in range(0, len(data), 61))) == told
    assert not accounting.unaccounted_edifact(data), accounting.unaccounted_edifact(data)


if __name__ == "__main__":
    kind = sys.argv.pop(1)
    atheris.Setup(sys.argv, {"x12": try_x12, "edifact": try_edifact}[kind])
    atheris.Fuzz()
