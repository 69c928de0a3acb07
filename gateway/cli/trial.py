"""Trying it: `demo` and `simulate`."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import click

from gateway.cli.options import say_json, with_json
from gateway.daemon import running


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Make the workspace here and keep it (default: a new temporary folder)."
)
@with_json
def demo(folder: Path | None, as_json: bool) -> int:
    """Four returns live their whole life on this machine, offline, in under a minute: a refund, an exchange, a damaged item, a short receipt.

    A simulated Loop, Shopify and warehouse answer the real gateway over HTTP and files. The end is a table of what came, what was decided and why, money
    and stock; a wrong total is exit code 1.

    \b
    Example:  gateway demo --dir my-demo
    """
    from gateway.cli import demo as play

    chosen = folder or Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    return play.run(chosen, as_json=as_json)


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The workspace whose outbox the partners read (default: here).",
)
@click.option("--loop-port", default=8601, show_default=True, help="Where Loop answers.")
@click.option("--shopify-port", default=8602, show_default=True, help="Where Shopify answers.")
@click.option("--seed", default=1, show_default=True, help="Seed of everything random.")
@click.option(
    "--clock-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the seconds added to the clock (the gateway's GATEWAY_CLOCK_FILE).",
)
@click.option("--returns/--no-returns", "with_returns", default=True, help="Open the four returns of the example world.")
@with_json
def simulate(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    folder: Path, loop_port: int, shopify_port: int, seed: int, clock_file: Path | None, with_returns: bool, as_json: bool
) -> int:
    """A simulated Loop, Shopify and two partners, for trying settings before going live. Runs until Ctrl-C.

    It is steered over HTTP: GET /_sim/actions on the Loop port lists what can be done, POST /_sim/do does it.

    \b
    Example:  gateway simulate --dir my-returns
              curl -X POST localhost:8601/_sim/do -d '{"action": "review", "args": {"rma": 77000004, "restock": false}}'
    """
    from gateway.simulator.clock import SimClock
    from gateway.simulator.partner import Partner
    from gateway.simulator.server import Simulator
    from gateway.simulator.world import World, harbor_and_pine, open_known_return

    clock = SimClock(clock_file)
    world = harbor_and_pine(World(clock, seed=seed))
    if with_returns:
        for rma in (77000001, 77000002, 77000003, 77000004):
            open_known_return(world, rma)
    stopping = threading.Event()
    running.stop_on_signals(stopping)
    partners = [Partner(name, folder / "outbox" / name, folder / "inbox" / name, clock) for name in ("ATLAS", "PACIFIC")]
    with Simulator(world, loop_port=loop_port, shopify_port=shopify_port) as simulator:
        facts = {
            "GATEWAY_LOOP_BASE_URL": simulator.loop_url,
            "GATEWAY_LOOP_API_KEY": simulator.loop_key,
            "GATEWAY_SHOPIFY_BASE_URL": simulator.shopify_url,
            "GATEWAY_SHOPIFY_TOKEN": simulator.shopify_token,
        }
        if as_json:
            say_json(facts | {"control": simulator.control_url})
        else:
            click.echo("Set these for the gateway:")
            for name, value in facts.items():
                click.echo(f"  export {name}={value}")
            click.echo(f"Steer it at {simulator.control_url} (GET actions, POST do). Ctrl-C stops it.")
        while not stopping.wait(0.2):
            for partner in partners:
                for done in partner.step():
                    click.echo(f"{partner.code}: {done}", err=True)
    return 0
