"""What subscribers read of a signal that was raised early: that it is, and that its close withdrew it."""

from types import ModuleType
from typing import Any

import pytest

from tests.test_desk import Opened
from tests.test_desk import desk as pages
from tests.test_desk_mail import Desk, desk, some

_ = (pages, desk)
"""Fixtures."""


@pytest.mark.parametrize(
    ("lang", "subject", "marked"),
    [
        ("fr", "lille-2 : badge refusé (précoce, au moins 7 personnes)", "lille-2 · 04/03/2024 · précoce"),
        ("en", "lille-2: badge refusé (early, at least 7 people)", "lille-2 · 04/03/2024 · early"),
    ],
)
def test_an_early_signal_says_that_it_is(
    desk: Desk, made: ModuleType, alerts: ModuleType, lang: str, subject: str, marked: str
) -> None:
    alerts.fill(desk.store, made, alerts.told_of(made, status="early"))
    sent = some(desk.compose(desk.subscribe(lang=lang), 1))
    assert sent.subject == subject
    assert marked in sent.text
    assert marked in sent.html.replace("\u00a0", " ")


def test_a_withdrawal_says_so_and_not_that_the_signal_grows(
    desk: Desk, made: ModuleType, alerts: ModuleType
) -> None:
    alerts.fill(desk.store, made, alerts.told_of(made, status="not_sustained"))
    told: dict[str, Any] = {"step": 1, "earlier": ("cd" * 16,), "withdrawals": (1,)}
    sent = some(desk.compose(desk.subscribe(lang="en"), 1, **told))
    assert sent.subject == "lille-2: badge refusé, early alert withdrawn"
    for text in (sent.text, sent.html, sent.brief):
        assert "does not bear it out" in text
        assert "doubled" not in text
    assert "04/03/2024 · not sustained" in sent.text
    assert sent.follows == told["earlier"]
    french = some(desk.compose(desk.subscribe(), 1, **told))
    assert french.subject == "lille-2 : badge refusé, alerte précoce retirée"
    assert "04/03/2024 · non confirmé" in french.text


def test_who_was_not_told_in_time_is_not_told_of_what_was_withdrawn(
    desk: Desk, made: ModuleType, alerts: ModuleType
) -> None:
    """Mail that was late, or a digest that was not written yet."""
    alerts.fill(
        desk.store,
        made,
        alerts.told_of(made, 1, status="not_sustained"),
        alerts.told_of(made, 2, label="caisse"),
    )
    kept = desk.subscribe(lang="en")
    assert desk.compose(kept, 1) is None
    digest = some(desk.compose(kept, 1, 2))
    assert digest.subject == "1 signal to read: lille-2"
    assert "caisse" in digest.text
    assert "badge refusé" not in digest.text


@pytest.mark.parametrize(
    ("status", "word"), [("early", "précoce"), ("not_sustained", "non confirmé"), ("open", None)]
)
def test_the_page_of_a_signal_says_how_it_stands(
    pages: Opened, made: ModuleType, alerts: ModuleType, store: Any, status: str, word: str | None
) -> None:
    alerts.fill(store, made, alerts.told_of(made, status=status))
    page = pages.browser.get(pages.link(pages.subscribe())).text
    assert (f" · {word}</p>" in page) == (word is not None)
    assert ("précoce" in page or "non confirmé" in page) == (word is not None)
