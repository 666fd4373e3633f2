"""The methods that `benchmarks.themes` compares, and the settings of each on each background.

The settings are those that `benchmarks.themes_settings` chooses: change them where it says so.
"""

from collections.abc import Callable, Mapping

from benchmarks import _themes_ours as ours
from benchmarks import _themes_peers as peers
from benchmarks._themes_score import Flag
from benchmarks._themes_streams import METRO, NEWS, SPOTIFY, Stream

OURS, SIGNITREND, ADWIN, KLEINBERG = "Vigie", "SigniTrend", "BagOfWords + ADWIN", "Kleinberg bursts"
PEERS: Mapping[str, Callable[..., peers.Counts]] = {
    SIGNITREND: peers.signitrend,
    KLEINBERG: peers.kleinberg,
    ADWIN: peers.adwin,
}
"""What each gives a term and bucket."""
METHODS = (OURS, *PEERS)

THRESHOLD = "threshold"
"""Of a peer's setting, the strength from which it flags; the others are its strength's."""
Setting = Mapping[str, float]

CHOSEN: Mapping[tuple[str, str], Setting] = {
    (NEWS, OURS): {"false_alerts": 10, "half_life": 180},
    (NEWS, SIGNITREND): {"epoch": 14, "beta": 1.5e-4, "half_life": 56, THRESHOLD: 5},
    (NEWS, KLEINBERG): {"ratio": 4, THRESHOLD: 9},
    (NEWS, ADWIN): {"delta": 0.2, "epoch": 5, "shortest": 2, THRESHOLD: 1},
    (SPOTIFY, OURS): {"false_alerts": 2, "half_life": 180},
    (SPOTIFY, SIGNITREND): {"epoch": 14, "beta": 1.5e-4, "half_life": 28, THRESHOLD: 11},
    (SPOTIFY, KLEINBERG): {"ratio": 4, THRESHOLD: 10},
    (SPOTIFY, ADWIN): {"delta": 0.1, "epoch": 5, "shortest": 2, THRESHOLD: 1},
    (METRO, OURS): {"false_alerts": 1, "half_life": 180},
    (METRO, SIGNITREND): {"epoch": 10, "beta": 1.5e-4, "half_life": 56, THRESHOLD: 13},
    (METRO, KLEINBERG): {"ratio": 4, THRESHOLD: 12},
    (METRO, ADWIN): {"delta": 0.01, "epoch": 5, "shortest": 1, THRESHOLD: 1},
}
"""By background and method."""


def find(background: str, stream: Stream) -> dict[str, list[Flag]]:
    """What each method flags in a stream, with its settings for the background."""
    found = {OURS: ours.find(stream, **CHOSEN[background, OURS])}
    counted = peers.count(stream)
    for method, strength in PEERS.items():
        setting = dict(CHOSEN[background, method])
        threshold = setting.pop(THRESHOLD)
        found[method] = peers.flags(counted, strength(counted, **setting), threshold)
    return found
