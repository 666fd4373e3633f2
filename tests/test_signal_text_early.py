"""How a terminal says that a signal was raised early, and what became of it."""

import pytest

from pipelines.cli.options import Lang
from pipelines.cli.signal_text import print_signal, print_signals
from tests.test_signal_text import signal

LOOK = {"at": "2026-03-04T08:15:00+00:00"}


@pytest.mark.parametrize(
    ("status", "standing", "raised", "early"),
    [
        ("early", "early", "2026-03-04, early", "2026-03-04 08:15 UTC, while the day was open"),
        (
            "not_sustained",
            "not_sustained",
            "2026-03-04, not sustained",
            "2026-03-04 08:15 UTC, while the day was open",
        ),
        (
            "open",
            "confirmed",
            "2026-03-04, open",
            "2026-03-04 08:15 UTC, while the day was open, confirmed since",
        ),
    ],
)
def test_one_signal_tells_when_it_was_raised_early(
    capsys: pytest.CaptureFixture[str], status: str, standing: str, raised: str, early: str
) -> None:
    row = signal(status=status, retrospective=False, explanation={"early": {**LOOK, "standing": standing}})
    print_signal(row, [], [], {}, Lang.EN)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"raised {raised}" in lines
    assert f"raised early {early}" in lines


def test_the_list_marks_what_is_early_or_was_not_sustained(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        signal(signal_id=f"{number:032x}", status=status, evidence=float(9 - number))
        for number, status in enumerate(("early", "not_sustained", "open"))
    ]
    print_signals(rows, {}, Lang.EN)
    said = " ".join(capsys.readouterr().out.split())
    assert "open, early" in said
    assert "open, not sustained" in said
    assert said.count(", early") == said.count("not sustained") == 1
