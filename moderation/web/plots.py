"""Plots as shapes: where bars, lines and labels of a drawing go. Templates write them as SVG, sheets colour them."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 190
"""Size of a drawing, in its own units. It scales to the page; on a phone a unit is about a pixel."""

LEFT, RIGHT, TOP, BOTTOM = 34, 18, 8, 20
"""Room around the bars, for the labels."""

ALL_LABELS, SOME_LABELS = 8, 6
"""So many labels are all shown; of more, about so many, to fit a phone."""

MAX_DOTS = 31


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn: its name, the class that colours it, and a value for each place on the x axis, at least 0."""

    name: str
    fill: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    fill: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """A text at an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing: stacked bars, perhaps a line over them, and its axes; and the series again, for a table."""

    labels: Sequence[str]
    stacks: Sequence[Series]
    line: Series | None
    bars: Sequence[Bar]
    points: str
    dots: Sequence[tuple[float, float]]
    rows: Sequence[Label]
    columns: Sequence[Label]

    @property
    def sides(self) -> tuple[int, int]:
        """Where the lines of the grid begin and end."""
        return LEFT, WIDTH - RIGHT

    @property
    def series(self) -> Sequence[Series]:
        """All that it shows."""
        return [*([self.line] if self.line else []), *self.stacks]

    @property
    def is_empty(self) -> bool:
        """Whether every value is 0."""
        return not any(any(one.values) for one in self.series)


def draw(labels: Sequence[str], stacks: Sequence[Series], line: Series | None = None) -> Plot:
    """Bars side by side, one a label, each made of the values of ``stacks``; and a line over them."""
    totals = [sum(values) for values in zip(*(one.values for one in stacks), strict=True)]
    top = _ceiling(max([*totals, *(line.values if line else ()), 1]))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    middles = [LEFT + step * (i + 0.5) for i in range(len(labels))]
    dots = [(round(x, 1), _y(value, top)) for x, value in zip(middles, line.values, strict=True)] if line else []
    return Plot(
        labels=labels,
        stacks=stacks,
        line=line,
        bars=_bars(stacks, middles, step, top),
        points=" ".join(f"{x},{y}" for x, y in dots),
        dots=dots if len(dots) <= MAX_DOTS else (),
        rows=[Label(LEFT - 4, _y(value, top), f"{value:,}") for value in (0, top // 2, top)],
        columns=_columns(labels, middles),
    )


def shares(values: Sequence[float], most: float) -> list[tuple[float, float]]:
    """Where pieces of one lying bar begin, and how long they are, in hundredths of the longest bar there is."""
    found, at = [], 0.0
    for value in values:
        length = 100 * value / most if most else 0.0
        found.append((round(at, 2), round(length, 2)))
        at += length
    return found


def _bars(stacks: Sequence[Series], middles: Sequence[float], step: float, top: float) -> list[Bar]:
    width = round(step * 0.72, 2)
    bars = []
    for i, middle in enumerate(middles):
        below = 0.0
        for one in stacks:
            low, high = _y(below, top), _y(below + one.values[i], top)
            if one.values[i]:
                bars.append(Bar(one.fill, round(middle - width / 2, 2), high, width, round(low - high, 2)))
            below += one.values[i]
    return bars


def _columns(labels: Sequence[str], middles: Sequence[float]) -> list[Label]:
    """Every label, or where they are many, some: the last one always."""
    every = 1 if len(labels) <= ALL_LABELS else -(-len(labels) // SOME_LABELS)
    last = len(labels) - 1
    return [Label(round(middles[i], 1), HEIGHT - 6, label) for i, label in enumerate(labels) if (last - i) % every == 0]


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 2)


def _ceiling(most: float) -> int:
    """The next even number of the kind 2, 4, 6, 8, 10 times a power of ten, so that its half is whole as well."""
    power = 1
    while most > 10 * power:
        power *= 10
    return next(n * power for n in (2, 4, 6, 8, 10) if n * power >= most)
