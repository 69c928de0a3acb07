"""Every command explains itself, with an example and a machine-readable form (R-202)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.cli.main import COMMANDS, cli

ROOT = Path(__file__).parent.parent.parent
WITHOUT_JSON = {"run"}


def every_command() -> list[tuple[str, ...]]:
    """The words of every command, those of groups with their sub-commands."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        found += [(name, sub) for sub in command.commands] if isinstance(command, click.Group) else [(name,)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_it_has_help_with_an_example_and_json(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"])
    assert shown.exit_code == 0
    assert f"gateway {' '.join(words)}" in shown.output
    assert "Example:" in shown.output
    assert ("--json" in shown.output) == (words[0] not in WITHOUT_JSON)


def test_the_readme_has_two_commands_and_ci_calls_the_second() -> None:
    readme = (ROOT / "README.md").read_text()
    ci = (ROOT / ".ci" / "run").read_text()
    assert "pip install -e . && gateway demo" in readme
    tests = "pip install -e '.[dev]' && pytest"
    assert tests in readme
    assert tests in ci


def test_every_command_named_in_the_docs_exists() -> None:
    texts = [p.read_text() for p in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]]
    named = {word for text in texts for word in re.findall(r"`gateway ([a-z-]+)", text)}
    assert named
    assert named <= set(COMMANDS)


def test_every_setting_is_documented() -> None:
    from gateway import config
    from gateway.mapping import profile_parts, profiles

    text = (ROOT / "docs" / "settings.md").read_text()
    parts = [getattr(room, name) for room in (config, profile_parts, profiles) for name in dir(room) if hasattr(getattr(room, name), "model_fields")]
    keys = {f"{part.__name__}.{key}": key for part in parts for key in part.model_fields}
    missing = [name for name, key in keys.items() if not any(form in text for form in (f"`{key}`", f".{key}]", f"[{key}", f"### {key}"))]
    assert missing == []


def test_help_imports_nothing_heavy() -> None:
    heavy = ("sqlalchemy", "pydantic", "requests", "jinja2", "pandas", "rich")
    code = f"import sys\nfrom gateway.cli.main import cli\ncli(['--help'], standalone_mode=False)\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.rstrip().endswith("[]")


def test_no_file_of_the_project_carries_a_path_of_a_machine() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT).stdout.split()
    places = [("/" + "work" + rest).encode() for rest in ("/shared", "/.", "space/")] + [("/root" + "/w/").encode()]
    bad = [name for name in tracked if (ROOT / name).is_file() and any(place in (ROOT / name).read_bytes() for place in places)]
    assert bad == []
