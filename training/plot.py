"""The reliability plot of the model card, as SVG: what a score says against what was true of the texts that got it."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Bin = tuple[float, float, float]
"""Of a bin of scores: the mean score, the share that was right, the share of the texts (by weight) that lies in it."""

PANEL, GAP, TOP, LEFT = 150, 34, 46, 44
COLUMNS = 4


def reliability(title: str, panels: Mapping[str, Sequence[Bin]]) -> str:
    """One panel an attribute. Points on the diagonal are right; their size is how many texts they stand for."""
    rows = -(-len(panels) // COLUMNS)
    width, height = LEFT + COLUMNS * (PANEL + GAP), TOP + rows * (PANEL + GAP + 22)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#fff"/><text x="{LEFT}" y="20" font-size="14">'
        f"{escape(title)}</text>",
    ]
    for number, (name, bins) in enumerate(panels.items()):
        x = LEFT + number % COLUMNS * (PANEL + GAP)
        y = TOP + number // COLUMNS * (PANEL + GAP + 22)
        parts.append(_panel(x, y, name, bins))
    return "\n".join([*parts, "</svg>", ""])


def _panel(x: int, y: int, name: str, bins: Sequence[Bin]) -> str:
    def at(score: float, share: float) -> str:
        return f"{x + score * PANEL:.1f},{y + PANEL - share * PANEL:.1f}"

    lines = [
        f'<text x="{x}" y="{y - 6}">{escape(name)}</text>',
        f'<rect x="{x}" y="{y}" width="{PANEL}" height="{PANEL}" fill="none" stroke="#999"/>',
        f'<path d="M{at(0, 0)} L{at(1, 1)}" stroke="#999" stroke-dasharray="3 3"/>',
        f'<polyline points="{" ".join(at(score, share) for score, share, _ in bins)}" fill="none" stroke="#0b5cad"/>',
    ]
    for score, share, mass in bins:
        place = at(score, share).split(",")
        lines.append(
            f'<circle cx="{place[0]}" cy="{place[1]}" r="{2.5 + 7 * mass**0.5:.1f}" fill="#0b5cad" opacity=".6"/>'
        )
    for value in (0, 0.5, 1):
        lines.append(f'<text x="{x + value * PANEL:.0f}" y="{y + PANEL + 14}" text-anchor="middle">{value:g}</text>')
        lines.append(
            f'<text x="{x - 6}" y="{y + PANEL - value * PANEL + 4:.0f}" text-anchor="end">{value:g}</text>'
            if x == LEFT
            else ""
        )
    return "\n".join(line for line in lines if line)
