"""All boards as Grafana's JSON."""

from collections.abc import Sequence
from typing import Any

from dashboards.board import Span
from dashboards.boards import MAKERS
from dashboards.words import LANGS, Lang


def build_boards(
    langs: Sequence[Lang] = LANGS, *, span: Span | None = None
) -> dict[Lang, list[dict[str, Any]]]:
    """The boards of some languages. span: what they show when opened; the last ninety days by default."""
    built: dict[Lang, list[dict[str, Any]]] = {}
    for lang in langs:
        made = [maker(lang) for maker in MAKERS.values()]
        titles = {board.name: board.title for board in made}
        built[lang] = [board.build(span or Span(), titles) for board in made]
    return built
