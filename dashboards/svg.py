"""Pieces of SVG that the pictures share: colours, text, a document."""

from collections.abc import Iterable, Sequence
from html import escape

INK, SOFT, LINE = "#1f2933", "#616e7c", "#d9e2ec"
TEXTS, QUIET, RAISED = "#2a6f97", "#9aa5b1", "#d1495b"
"""Colours: of words, of lesser words, of thin lines; of texts, of what does not count, of alerts."""
_FONT = "font-family='system-ui, -apple-system, Segoe UI, sans-serif'"


def document(parts: Iterable[str], *, width: int, height: int, title: str) -> str:
    """A whole SVG document on white. title: what it shows, for those who cannot see it."""
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {_FONT} role='img'>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
            *parts,
            "</svg>",
            "",
        ]
    )


def label(
    x: float, y: float, text: str, size: int, colour: str, *, weight: int = 400, anchor: str = "start"
) -> str:
    """Text whose baseline begins, ends or has its middle at a point."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(text)}</text>"
    )


def path(points: Sequence[tuple[float, float]], **style: str | float) -> str:
    """Straight lines from point to point. style: attributes, `stroke_width` for `stroke-width`."""
    moves = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    attributes = " ".join(f"{name.replace('_', '-')}='{value}'" for name, value in style.items())
    return f"<path d='M{moves}' {attributes}/>"
