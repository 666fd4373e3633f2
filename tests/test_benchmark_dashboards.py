"""The boards' benchmark measures every query that boards ask, on the views and on what stands beside them."""

import re
import sys
from pathlib import Path

# Benchmarks are run from the checkout and are not part of what is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.dashboards import BARE
from dashboards.building import build_boards
from dashboards.macros import queries_of


def test_every_view_that_boards_ask_has_its_like_over_the_bare_tallies() -> None:
    asked = {
        view
        for boards in build_boards().values()
        for board in boards
        for _, _, sql in queries_of(board)
        for view in re.findall(r"vigie_boards\.(\w+)", sql)
    }
    assert len(asked) > 10
    assert asked <= set(re.findall(r"CREATE VIEW bare\.(\w+)", "\n".join(BARE)))
