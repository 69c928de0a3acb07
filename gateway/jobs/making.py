"""RAs as they are made: their rows, their story, the note in Loop and the next work; those of many returns in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from gateway.clients.loop import LONGEST_NOTE
from gateway.domain.documents import Authorization
from gateway.domain.lifecycle import RaState
from gateway.jobs import effecting
from gateway.jobs.context import Context
from gateway.mapping import notes
from gateway.store import effects, events, returns, workqueue
from gateway.store.effects import Intent
from gateway.store.returns import NewAuthorization

IN_REVIEW = "the return is in review in Loop"


@dataclass
class Making:
    """The RAs that one transaction makes at one moment. Their rows are in the book after `write` and not before: nothing may ask for them until then."""

    ctx: Context
    connection: Connection
    at: datetime
    _made: list[tuple[NewAuthorization, Intent | None]] = field(default_factory=list)

    def add(self, ra: Authorization, *, review: bool, partners: Sequence[str]) -> None:
        """Make an RA; `partners` are those of all RAs of its return. A return in review may hold it (policy)."""
        ctx = self.ctx
        hold = review and not ctx.policy.transmit_in_review
        reason = f"{IN_REVIEW}; it is sent when it is open again" if hold else ""
        told = [f"{line.quantity} x {line.sku}" for line in ra.lines]
        text = f"{ra.ra} made for {ra.warehouse}: " + ", ".join(told)
        events.note(self.connection, "ra.made", text, at=self.at, rma=ra.rma, ra=ra.ra, facts={"value": str(ra.value)})
        asked = effecting.may_ask(ctx, self.connection, "loop.note", ra.rma, partners=partners)
        new = NewAuthorization(document=ra, state=RaState.HELD if hold else RaState.IMPORTED, hold=reason)
        self._made.append((new, self._note(ra, told) if asked else None))

    def _note(self, ra: Authorization, told: Sequence[str]) -> Intent:
        template, at = self._wording
        content = notes.write(template, {"ra": ra, "at": at}, told, longest=LONGEST_NOTE)
        payload = {"content": content, "ra": ra.ra, "rma": ra.rma}
        return Intent(kind="loop.note", target=ra.rma, version=f"made {ra.ra}", payload=payload)

    @cached_property
    def _wording(self) -> tuple[str, str]:
        """The template of the note, and the moment as people of the merchant read it."""
        return self.ctx.template("note.authorized.txt.j2"), f"{self.ctx.local(self.at):%Y-%m-%d %H:%M}"

    def write(self) -> None:
        """Put what was made into the book: RAs, notes to Loop, and the work on both, in the order in which they were made."""
        returns.insert_authorizations(self.connection, [new for new, _ in self._made])
        intents = [intent for _, intent in self._made if intent]
        numbers = dict(zip(map(id, intents), effects.intend_all(self.connection, intents, now=self.at), strict=True))
        works: list[tuple[str, str]] = []
        for new, intent in self._made:
            number = numbers.get(id(intent))
            if intent and number is not None:
                works.append((intent.job, str(number)))
            if new.state != RaState.HELD:
                works.append(("transmit", new.document.ra))
            works.append(("match", new.document.ra))
        workqueue.enqueue_all(self.connection, works, due_at=self.at)
        self._made.clear()
