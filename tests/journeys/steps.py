"""Steps that several journeys share."""

from __future__ import annotations

from gateway.simulator.partner import make_944
from gateway.simulator.world import open_known_return
from tests.stage import Stage

ALL_GOOD = {
    77000001: (("TEE-BLK-M", 2), ("HOOD-GRY-M", 1)),
    77000002: (("DRS-RED-6", 1),),
    77000003: (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 1)),
    77000004: (("HOOD-GRY-M", 1),),
}


def announce(stage: Stage, rma: int, destination: int = 501) -> str:
    """A known return is opened in Loop and its RA sent; the RA's number."""
    open_known_return(stage.world, rma, destination)
    stage.import_rmas()
    return f"RA{rma}"


def come_back(stage: Stage, rma: int, *lines: object, final: bool = True, number: str = "") -> None:
    """ATLAS reports what came back for an RA: the given lines, or everything good."""
    stage.receive(f"RA{rma}", lines or ALL_GOOD[rma], receipt_no=number or f"WR55{rma % 100:02d}", final=final)


def process_in_full(stage: Stage, rma: int) -> None:
    """From the opening in Loop to the closing there, everything as announced."""
    announce(stage, rma)
    come_back(stage, rma)
    stage.loop_finishes()


def review(stage: Stage, rma: int, **choices: object) -> None:
    """A person reviews a flagged return in Loop Admin, and the gateway learns of it."""
    stage.world.review(rma, **choices)  # type: ignore[arg-type]  # choices by name
    stage.wait(1)
    stage.import_rmas()


def the_944(rma: int = 77000001, **options: object) -> bytes:
    """The 944 of a known return, everything good, with the envelope's options."""
    return make_944(f"RA{rma}", ALL_GOOD[rma], receipt_no=f"WR55{rma % 100:02d}", final=True, **options)


def ways(stage: Stage, refund_id: int) -> dict[str, str]:
    """How a credit was settled: kind to amount."""
    return {s["kind"]: s["amount"] for s in stage.invoices()[str(refund_id)]["settlements"]}
