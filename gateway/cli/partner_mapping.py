"""`gateway partner propose` and `preview-mapping`: from samples to a profile, and from a profile back to what it makes of a sample."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from gateway import config
from gateway.cli.options import say_json, table, with_config, with_json
from gateway.cli.partner_look import find_profile

A_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("samples", type=A_FILE, nargs=-1, required=True, metavar="FILE...")
@click.option("--toml", "as_toml", is_flag=True, help="Print the part of a profile instead.")
@with_config
@with_json
def propose(samples: tuple[Path, ...], as_toml: bool, config_path: str | None, as_json: bool) -> int:
    """From a few sample CSV receipts, propose what their columns and codes mean, each with confidence and evidence. A person confirms.

    \b
    Example:  gateway partner propose sample1.csv sample2.csv sample3.csv
              gateway partner propose sample*.csv --toml >> mappings/newcomer.toml
    """
    from gateway.mapping import proposal

    catalogue = config.load(config_path).catalogue
    upcs = [item.upc for item in catalogue.by_sku.values() if item.upc]
    found = proposal.propose([path.read_bytes() for path in samples], skus=list(catalogue.by_sku), upcs=upcs)
    if as_toml:
        click.echo(found.as_toml(), nl=False)
    elif as_json:
        columns = [asdict(column) | {"verdict": column.verdict} for column in found.columns]
        say_json(
            {
                "delimiter": found.delimiter,
                "rows": found.rows,
                "columns": columns,
                "codes": [asdict(c) for c in found.codes],
                "missing": found.missing,
            }
        )
    else:
        rows = [[c.header, c.meaning or "-", f"{c.confidence:.0%}", c.verdict if c.meaning else "", "; ".join(c.evidence)] for c in found.columns]
        table(["column", "seems to be", "confidence", "verdict", "evidence"], rows)
        table(["code", "seems to mean", "rows", "verdict"], [[c.code, c.meaning or "?", str(c.seen), c.verdict] for c in found.codes])
        for meaning in found.missing:
            click.echo(f"no column was found for {meaning}")
    return 0


@click.command("preview-mapping")
@click.argument("partner")
@click.argument("sample", type=A_FILE, metavar="FILE")
@with_config
@with_json
def preview_mapping(partner: str, sample: Path, config_path: str | None, as_json: bool) -> int:
    """A sample file beside what the partner's profile makes of it; lists what of it is not used and what of the result stays empty. Takes nothing.

    \b
    Example:  gateway partner preview-mapping PACIFIC sample.csv
    """
    from datetime import UTC, datetime

    from gateway.mapping import leftovers, readers

    workspace = config.load(config_path)
    profile, content = find_profile(workspace, partner), sample.read_bytes()
    said = readers.say(content, profile=profile, catalogue=workspace.catalogue, today=datetime.now(UTC).date())  # a person's own clock
    left = leftovers.find(content, said, profile=profile)
    if as_json:
        say_json({"result": said, "unused": left.unused, "unfilled": left.unfilled})
    else:
        _side_by_side(content, said)
        click.echo("not used of the input: " + (", ".join(left.unused) or "nothing"))
        click.echo("left empty in the result: " + (", ".join(left.unfilled) or "nothing"))
    return 2 if any("fault" in entry for entry in said) else 0


def _side_by_side(content: bytes, said: list[dict[str, object]]) -> None:
    """The lines of the input beside those of the result."""
    separator = content[105:106].decode("latin-1") if content.startswith(b"ISA") else "\n"
    left = [line.strip() for line in content.decode("utf-8-sig", errors="replace").split(separator) if line.strip()]
    right: list[str] = []
    for entry in said:
        lines = entry.get("lines")
        right.append(", ".join(f"{name} {value}" for name, value in entry.items() if name != "lines" and value not in ("", None)))
        right += ["  " + ", ".join(f"{k} {v}" for k, v in line.items() if v not in ("", None)) for line in lines] if isinstance(lines, list) else []
    height = max(len(left), len(right))
    table(["input", "result"], [[(left + [""] * height)[at], (right + [""] * height)[at]] for at in range(height)])
