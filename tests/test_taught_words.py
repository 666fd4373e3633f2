"""What verdicts taught, as pages and the terminal say it."""

from typing import Any

import pytest

from dashboards.taught_words import taught_words


def taught(dismissed: int, confirmed: int, times: float) -> dict[str, Any]:
    return {"dismissed": dismissed, "confirmed": confirmed, "times": times, "since": "2025-03-12"}


@pytest.mark.parametrize(
    ("told", "english", "french"),
    [
        (
            taught(3, 0, 4.0),
            "Dismissed 3 times here: needs 4 times the evidence since 2025-03-12.",
            "Écarté 3 fois ici : il faut 4 fois plus de preuves depuis le 12/03/2025.",
        ),
        (
            taught(0, 1, 0.5),
            "Confirmed once here: needs 2 times less evidence since 2025-03-12.",
            "Confirmé 1 fois ici : il suffit de 2 fois moins de preuves depuis le 12/03/2025.",
        ),
        (
            taught(2, 1, 1.5),
            "Dismissed twice, confirmed once here: needs 1.5 times the evidence since 2025-03-12.",
            "Écarté 2 fois, confirmé 1 fois ici : il faut 1,5 fois plus de preuves depuis le 12/03/2025.",
        ),
        (
            taught(1, 1, 1.0),
            "Dismissed once, confirmed once here: needs as much evidence as any other since 2025-03-12.",
            "Écarté 1 fois, confirmé 1 fois ici : il faut autant de preuves qu'avant depuis le 12/03/2025.",
        ),
        (None, "", ""),
    ],
)
def test_what_was_taught_is_one_sentence(told: dict[str, Any] | None, english: str, french: str) -> None:
    assert (taught_words(told, "en"), taught_words(told, "fr")) == (english, french)
