"""`gateway partner add` and `samples`: a new partner from the first question to the files it is tried with (R-160, R-162)."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import click

from gateway import config
from gateway.cli.options import say_json, table, with_config, with_dry_run, with_json
from gateway.cli.partner_look import find_profile
from gateway.mapping.profiles import read_profile


class Question(NamedTuple):
    """One question of the guided setup: its key in the answers, its words, its choices, and its default (None: it must be answered)."""

    key: str
    words: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    only: str = ""  # asked when documents are of this kind


QUESTIONS = (
    Question("partner", "Short name, capitals and digits (folders and files carry it)"),
    Question("name", "Full name"),
    Question("format", "How do receipts come, and how do RAs go?", ("x12", "csv"), "x12"),
    Question("partner_id", "Their interchange id (ISA06 in what they send)", only="x12"),
    Question("our_id", "Our interchange id at them (ISA08 in what they send)", only="x12"),
    Question("inbox", "Folder where their files arrive (empty: inbox/<partner>)", default=""),
    Question("outbox", "Folder where ours go (empty: outbox/<partner>)", default=""),
    Question("document", "Document that announces a return to them", ("856", "943", "180"), "856", only="x12"),
    Question("version", "X12 version", ("004010", "005010"), "004010", only="x12"),
    Question("items", "Item identifiers they use, first choice first (944 qualifiers)", default="SK, VN, UP, EN", only="x12"),
    Question("conditions", "Condition codes: CODE=good, CODE=second, CODE=short, separated by commas", only="csv"),
    Question("damaged_quantity", "Does a received quantity include the damaged units, or do they come on top?", ("included", "on_top"), only="x12"),
    Question("final", "What marks the last receipt of an RA", default="N9*ZZ=FINAL", only="x12"),
    Question("acknowledge", "Do they want acknowledgements (997) from us?", ("yes", "no"), "yes", only="x12"),
    Question("expect_acknowledgement", "Do they send acknowledgements (997)?", ("yes", "no"), "yes", only="x12"),
    Question("file_name", "Name of our files", default="{partner}_{document}_{control}.edi", only="x12"),
    Question("file_name_csv", "Name of our files", default="{partner}_RA_{date}_{sequence}.csv", only="csv"),
    Question("acknowledgement_hours", "Hours within which an acknowledgement has to come", default="24", only="x12"),
    Question("contact", "Whom to call or mail there", default=""),
)


@click.command()
@click.option(
    "--answers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A TOML file with the answers by key, instead of asking."
)
@click.option("--questions", is_flag=True, help="List the questions with their keys, and stop.")
@with_dry_run
@with_config
@with_json
def add(answers: Path | None, questions: bool, dry_run: bool, config_path: str | None, as_json: bool) -> int:
    """Set a new partner up by answering questions in order; makes mappings/<partner>.toml in the stage *setup*. Nothing needs programming.

    Every answer can be changed later in that file. Whether damaged units are included in a received quantity has no default: ask the partner.

    \b
    Example:  gateway partner add
              gateway partner add --answers newcomer.toml --dry-run
    """
    if questions:
        say_json([q._asdict() for q in QUESTIONS]) if as_json else table(["key", "question"], [[q.key, q.words] for q in QUESTIONS])
        return 0
    workspace = config.load(config_path)
    given = {key: _plain(value) for key, value in tomllib.loads(answers.read_text(encoding="utf-8-sig")).items()} if answers else {}
    found = _ask_all(given)
    text = write_profile(found)
    target = workspace.root / workspace.settings.places.mappings / f"{found['partner'].lower()}.toml"
    profile = read_profile(text, source=f"{target.parent.name}/{target.name}")
    if target.exists() or profile.partner in workspace.profiles:
        raise click.UsageError(f"{profile.partner} is set up already in {target.parent.name}/; change that file")
    if not dry_run:
        target.write_text(text, encoding="utf-8")
    if as_json:
        say_json({"partner": profile.partner, "file": str(target), "written": not dry_run, "profile": text})
    else:
        click.echo(
            text
            if dry_run
            else f"{target} is written, stage setup. Next: name {profile.partner} at its warehouse in gateway.toml, `gateway check-config`"
        )
    return 0


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _ask_all(given: dict[str, str]) -> dict[str, str]:
    unknown = set(given) - {q.key for q in QUESTIONS}
    if unknown:
        raise click.UsageError(f"no such question: {', '.join(sorted(unknown))}; `gateway partner add --questions` lists them")
    found: dict[str, str] = {}
    for question in QUESTIONS:
        if question.only and question.only != found.get("format"):
            continue
        found[question.key] = given[question.key] if question.key in given else _ask(question)
        if question.choices and found[question.key] not in question.choices:
            raise click.UsageError(f"{question.key}: {found[question.key]!r} is none of {', '.join(question.choices)}")
    return found


def _ask(question: Question) -> str:
    if sys.stdin.isatty():
        kind = click.Choice(question.choices) if question.choices else None
        return str(click.prompt(question.words, type=kind, default=question.default, show_default=bool(question.default)))
    if question.default is None:
        raise click.UsageError(f"{question.key} has no answer ({question.words}); it has no default")
    return question.default


def write_profile(found: dict[str, str]) -> str:
    """A profile from the answers."""
    csv = found["format"] == "csv"
    lines = [f"# {found['partner']}: made by the guided setup. Contact: {found['contact'] or 'unknown'}", f"partner = {_quoted(found['partner'])}"]
    lines += [f"name = {_quoted(found['name'])}", 'stage = "setup"', ""]
    if not csv:
        lines += [
            "[x12]",
            f"partner_id = {_quoted(found['partner_id'])}",
            f"our_id = {_quoted(found['our_id'])}",
            f"version = {_quoted(found['version'])}",
            "",
        ]
    lines += ["[folders]", *(f"{key} = {_quoted(found[key])}" for key in ("inbox", "outbox") if found[key]), ""]
    name, document = (found["file_name_csv"], "csv") if csv else (found["file_name"], found["document"])
    lines += ["[send]", f"document = {_quoted(document)}", f"file_name = {_quoted(name)}"]
    lines += [f"expect_acknowledgement = {_flag(found.get('expect_acknowledgement', 'no'))}"]
    lines += [] if csv else [f"acknowledgement_hours = {float(found['acknowledgement_hours'])}"]
    lines += ["", "[receive]", f"acknowledge = {_flag(found.get('acknowledge', 'no'))}", ""]
    return "\n".join([*lines, *(_csv_part(found) if csv else _x12_part(found))]) + "\n"


def _x12_part(found: dict[str, str]) -> list[str]:
    items = ", ".join(_quoted(item.strip()) for item in found["items"].split(",") if item.strip())
    sense = _quoted(found["damaged_quantity"])
    return ["[receive.x12_receipt]", f"items = [{items}]", f"damaged_quantity = {sense}", f"final = [{_quoted(found['final'])}]"]


def _csv_part(found: dict[str, str]) -> list[str]:
    pairs = [pair.split("=", 1) for pair in found["conditions"].split(",") if "=" in pair]
    return [
        "[receive.csv_receipt]",
        "",
        "[receive.csv_receipt.conditions]",
        *(f"{_quoted(code.strip())} = {_quoted(m.strip())}" for code, m in pairs),
    ]


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _flag(answer: str) -> str:
    return "true" if answer == "yes" else "false"


@click.command()
@click.argument("partner")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write them into.")
@click.option("--ra", default="RA99000001", show_default=True, help="The RA that the samples name.")
@with_config
@with_json
def samples(partner: str, into: Path, ra: str, config_path: str | None, as_json: bool) -> int:
    """Write the sample files of the checklist, as the partner would send them: good, damaged, short, over, wrong item, unknown RA, duplicate, malformed.

    \b
    Example:  gateway partner samples ATLAS --into samples/ --ra RA77000001
    """
    from gateway.cli.partner_samples import make_samples

    workspace = config.load(config_path)
    made = make_samples(find_profile(workspace, partner), skus=list(workspace.catalogue.by_sku), ra=ra)
    into.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (into / name).write_bytes(content)
    say_json({"folder": str(into), "files": list(made)}) if as_json else click.echo("\n".join(f"{into / name}" for name in made))
    return 0
