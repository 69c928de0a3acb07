"""Charts as SVG made here: bars of the last days, with the figures in words for those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, BASE, TOP = 280, 96, 78, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day."""

    label: str
    value: int


def bars(title: str, series: Sequence[Bar]) -> Markup:
    """A bar for each day; the first, the last and the highest are labelled."""
    highest = max((bar.value for bar in series), default=0)
    step = WIDTH / max(len(series), 1)
    told = ", ".join(f"{bar.label} {bar.value}" for bar in series)
    parts = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, f"{title}: {told}")]
    parts.append(Markup('<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>').format(WIDTH, BASE, BASE))
    marked = False
    for number, bar in enumerate(series):
        tall = round((BASE - TOP) * bar.value / highest, 1) if highest else 0
        x, wide = round(number * step + step * 0.15, 1), round(step * 0.7, 1)
        parts.append(
            Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}: {}</title></rect>').format(
                x, BASE - tall, wide, tall, bar.label, bar.value
            )
        )
        if bar.value == highest and highest and not marked:
            marked = True
            parts.append(_label(x + wide / 2, BASE - tall - 3, str(bar.value), "middle"))
    if series:
        parts += [_label(0, HEIGHT - 5, series[0].label, "start"), _label(WIDTH, HEIGHT - 5, series[-1].label, "end")]
    return Markup("").join([*parts, Markup("</svg>")])


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="label" x="{}" y="{}" text-anchor="{}">{}</text>').format(round(x, 1), round(y, 1), anchor, text)
