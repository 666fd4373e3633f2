"""The boards, one a module: each is a function of the language."""

from collections.abc import Callable, Mapping

from dashboards.board import Board
from dashboards.boards import follow_up, perimeter, pipeline, reality_gap, signal, watch
from dashboards.words import Lang

MAKERS: Mapping[str, Callable[[Lang], Board]] = {
    "watch": watch.board,
    "perimeter": perimeter.board,
    "signal": signal.board,
    "reality-gap": reality_gap.board,
    "follow-up": follow_up.board,
    "pipeline": pipeline.board,
}
