"""What mails say, as a mail programme finds it; the words of both languages; pictures as PNG."""

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from connectors.alerts.envelope import Envelope, as_mail
from connectors.alerts.links import Links
from connectors.alerts.outbox import Message
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.store import Store
from dashboards.compact_plot import compact_plot
from dashboards.desk.compose import Composer, reason
from dashboards.desk.pictures import Pictures
from dashboards.desk.render import as_png, render
from dashboards.desk.shown import Organisation
from dashboards.desk.words import LANGUAGES, words_of
from dashboards.judged_plot import Judged

DAY = date(2024, 3, 4)


def flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def picture(**values: Any) -> str:
    days = [
        Judged(
            day=DAY + timedelta(days=number),
            observed=float(number) if number >= 5 else None,
            expected=0.5,
            low=0.0,
            high=2.0,
            evidence=None,
            threshold=None,
            raised=number == 7,
            withheld=0 < number < 5,
        )
        for number in range(9)
    ]
    plain: dict[str, Any] = {
        "title": "personnes depuis le début de l'épisode",
        "alert": "alerte du 11/03",
        "raised": DAY + timedelta(days=7),
        "shape": "steps",
        "least": 5,
    }
    return compact_plot(days, **(plain | values))


class Desk:
    def __init__(self, store: Store, alerts: ModuleType) -> None:
        self.store, self.alerts = store, alerts
        self.subscriptions = Subscriptions(store, alerts.SEALER)
        self.links = Links(alerts.SECRET, base="https://vigie.exemple.test/v", days=60, now=alerts.Clock())
        self.organisation = Organisation("Enseigne", 3, {"queue": {"fr": "Attente", "en": "Waiting"}})

    def subscribe(self, **wishes: Any) -> Kept:
        (made,) = self.subscriptions.subscribe([self.alerts.subscription(**wishes)], now=self.alerts.NOW)
        kept = self.subscriptions.get(made)
        assert kept is not None
        return kept

    def compose(
        self,
        kept: Kept,
        *numbers: int,
        step: int = 0,
        capped: tuple[int, ...] = (),
        earlier: tuple[str, ...] = (),
        withdrawals: tuple[int, ...] = (),
    ) -> Envelope | None:
        message = Message(
            id="ab" * 16,
            subscription_id=kept.id,
            kind="digest" if len(numbers) > 1 or capped else "alert",
            attempts=0,
            signals=tuple((f"{number:032x}", step) for number in numbers),
            capped=frozenset(f"{number:032x}" for number in capped),
            earlier=earlier,
            withdrawals=frozenset(f"{number:032x}" for number in withdrawals),
        )
        composer = Composer(self.store, self.links, self.organisation, link_days=60)
        return composer.compose(message, kept)


@pytest.fixture
def desk(store: Store, alerts: ModuleType) -> Desk:
    return Desk(store, alerts)


def some(envelope: Envelope | None) -> Envelope:
    assert envelope is not None
    return envelope


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    tables = {lang: dict(flat(words_of(lang).table)) for lang in LANGUAGES}
    assert tables["fr"].keys() == tables["en"].keys()
    for key, french in tables["fr"].items():
        gaps = [sorted(set(re.findall(r"\{(\d)", tables[lang][key]))) for lang in LANGUAGES]
        assert gaps[0] == gaps[1], key
        assert french.strip()
    with pytest.raises(KeyError):
        words_of("de")


@pytest.mark.parametrize(
    ("value", "french"),
    [(7.0, "7"), (0.0, "0"), (0.04, "<0,1"), (0.25, "0,25"), (-0.5, "-0,5"), (8.43, "8,4"), (123.4, "123")],
)
def test_numbers(value: float, french: str) -> None:
    assert words_of("fr").number(value) == french
    assert words_of("en").number(value) == french.replace(",", ".")


def test_an_alert_says_what_why_and_what_to_do(desk: Desk, made: ModuleType, alerts: ModuleType) -> None:
    signal = alerts.told_of(
        made, theme="queue", dimension="trust", stance="imposed", owning_function="billing"
    )
    alerts.fill(desk.store, made, signal)
    stored = desk.store.signal(f"{1:032x}")
    assert stored is not None
    Pictures(desk.store).keep(stored, "fr", whole="<svg/>", compact=picture())
    kept = desk.subscribe(dimensions=("trust",), perimeters=(alerts.NORD, "enseigne/sud"))
    sent = some(desk.compose(kept, 1))
    mail = message_from_bytes(
        as_mail(
            sent, sender="Vigie (essai) <vigie@exemple.test>", to="n@exemple.test", at=alerts.NOW
        ).as_bytes(),
        policy=policy.default,
    )
    assert mail["Subject"] == "lille-2 : badge refusé (au moins 7 personnes)"
    assert mail["From"].addresses[0].addr_spec == "vigie@exemple.test"
    assert mail["Message-ID"] == f"<{'ab' * 16}@exemple.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    link = re.search(r"https://vigie\.exemple\.test/v/s/(\S+)", text)
    assert link is not None
    assert desk.links.read_signal(link[1]) == (kept.id, f"{1:032x}")
    for said in (
        "Sept personnes parlent d'un badge refusé.",
        "le badge est refusé 1",
        "Attente",
        "confiance (reconnaissance)",
        "facturation",
        "Abonnement de Direction Nord : nord, sud et les périmètres qu'ils contiennent, "
        "sur confiance (reconnaissance), aussitôt.",
        "7 ou plus observé / 0,25 attendu",
    ):
        plain = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", html)))
        assert said in text
        assert said in plain
    for action in ("acknowledge", "confirm", "dismiss", "resolve"):
        assert f"{link[0]}?do={action}" in html
    unsubscribe = mail["List-Unsubscribe"].strip("<>")
    assert desk.links.read_unsubscribe(unsubscribe.rpartition("/")[2]) == kept.id
    assert unsubscribe in text
    raw = as_mail(sent, sender="v@exemple.test", to="n@exemple.test", at=alerts.NOW).as_bytes()
    assert f"\r\nList-Unsubscribe: <{unsubscribe}>\r\n".encode() in raw
    (image,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert f"cid:{str(image['Content-ID']).strip('<>')}" in html
    assert image.get_content().startswith(b"\x89PNG")


def test_growth_follows_the_messages_before_it(desk: Desk, made: ModuleType, alerts: ModuleType) -> None:
    alerts.fill(desk.store, made, alerts.told_of(made, distinct_authors=28))
    kept = desk.subscribe(lang="en")
    earlier = ("cd" * 16, "ef" * 16)
    sent = some(desk.compose(kept, 1, step=2, earlier=earlier))
    assert sent.subject == "lille-2: badge refusé is growing (at least 28 people)"
    assert "at least doubled" in sent.text
    assert sent.follows == earlier
    mail = as_mail(sent, sender="v@exemple.test", to="n@exemple.test", at=alerts.NOW)
    assert mail["References"] == " ".join(f"<{one}@exemple.test>" for one in earlier)
    assert mail["In-Reply-To"] == f"<{earlier[1]}@exemple.test>"
    # Where the messages of earlier steps never left, nothing grew for its reader.
    first = some(desk.compose(kept, 1, step=2))
    assert first.subject == "lille-2: badge refusé (at least 28 people)"
    assert "doubled" not in first.text
    assert first.follows == ()


def test_a_digest_lists_what_was_held_back_and_what_is_new(
    desk: Desk, made: ModuleType, alerts: ModuleType
) -> None:
    alerts.fill(
        desk.store,
        made,
        alerts.told_of(made, 1),
        alerts.told_of(made, 2, label="caisse", perimeter=alerts.LENS, bucket=date(2024, 3, 5)),
        alerts.told_of(made, 3, status="merged", part_of=f"{1:032x}"),
    )
    kept = desk.subscribe(weekly_cap=4)
    digest = some(desk.compose(kept, 1, 2, 3, 9, capped=(2,)))
    assert digest.subject == "2 signaux à lire : lens, lille-2"
    held, new = digest.text.index("Retenus par votre plafond de 4"), digest.text.index("Nouveaux signaux")
    assert held < digest.text.index("caisse") < new < digest.text.index("badge refusé", new)
    assert digest.html.count("/v/s/") == 4
    assert digest.brief.count("/v/s/") == 2
    assert some(desk.compose(kept, 2, capped=(2,))).subject == "1 signal à lire : lens"


def test_nothing_is_worded_of_what_is_gone_merged_elsewhere_or_too_small(
    desk: Desk, made: ModuleType, alerts: ModuleType
) -> None:
    alerts.fill(
        desk.store,
        made,
        alerts.told_of(made, 1, perimeter="enseigne/sud"),
        alerts.told_of(made, 2, status="merged", part_of=f"{1:032x}"),
        alerts.told_of(made, 3, min_authors=3, distinct_authors=3, voices='{"customer": 3}'),
    )
    kept = desk.subscribe()
    assert [desk.compose(kept, number) for number in (1, 2, 9)] == [None, None, None]
    assert desk.compose(kept, 3) is not None
    desk.organisation = Organisation("Enseigne", 4, {})
    assert desk.compose(kept, 3) is None


def test_a_silence_has_no_people(desk: Desk, made: ModuleType, alerts: ModuleType) -> None:
    silence = alerts.told_of(
        made, kind="silence", distinct_authors=0, expected=6.5, observed=0, channels="{}", voices="{}"
    )
    desk.store.upsert_signals(made.signals(silence), made.proofs())
    sent = some(desk.compose(desk.subscribe(), 1))
    assert sent.subject == "lille-2 : badge refusé"
    assert "Aucun extrait ne peut être montré" in sent.text
    assert "moins de 3 observé / 6,5 attendu (textes depuis le début du silence)" in sent.text


def test_reasons_in_words(alerts: ModuleType) -> None:
    wants = alerts.subscription(
        lang="en",
        descendants=False,
        perimeters=("enseigne/nord",),
        kinds=("silence",),
        functions=("it",),
        rhythm="weekly",
    )
    names = {"enseigne/nord": "The North"}
    assert reason(wants, names, words_of("en")) == (
        "Subscription of Direction Nord: The North, for it, for silence, in a weekly digest"
    )


def test_a_picture_becomes_png_with_its_words_drawn() -> None:
    svg = picture()
    png = as_png(svg, width=1040)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (1040, 628)
    wordless = re.sub(r"<text.*?</text>", "", svg)
    assert len(as_png(wordless, width=1040)) < 0.8 * len(png)
    with pytest.raises(ValueError, match="no days"):
        compact_plot([], title="", alert="", raised=DAY, shape="bars", least=5)


@pytest.mark.parametrize("shape", ["steps", "bars", "points"])
def test_the_compact_picture_marks_the_alert_and_tells_no_small_count(shape: Any) -> None:
    drawn = picture(shape=shape, lang="en")
    assert drawn.count("class='alert'") == 1
    assert ("class='withheld'" in drawn) == (shape != "points")
    assert "the ordinary" in drawn
    assert drawn.count("<title>") == 1 + 4  # the document's, and those of the four days that are told


def test_dates_are_the_subscribers(desk: Desk, made: ModuleType, alerts: ModuleType) -> None:
    late = datetime(2024, 3, 4, 23, 30, tzinfo=UTC)
    alerts.fill(desk.store, made, alerts.told_of(made, last_seen=late))
    desk.store.upsert_signals(
        made.signals(alerts.told_of(made, last_seen=late)), made.proofs(made.proof(occurred_at=late))
    )
    # In Paris it came the day after the alert, and is no reason for it.
    for zone, day in (("Europe/Paris", "05/03/2024 · après l'alerte"), ("UTC", "04/03/2024")):
        sent = some(desk.compose(desk.subscribe(timezone=zone), 1))
        assert f"({day} · e-mail)" in sent.text


@pytest.mark.parametrize(("lang", "see"), [("fr", "Voir et répondre : http"), ("en", "See and answer: http")])
def test_the_colon_of_a_text_is_that_of_its_language(lang: str, see: str) -> None:
    items = {"s": {"sentence": "x"}, "item": {"link": "http://a"}, "again": ""}
    assert see in render("brief.txt", w=words_of(lang), **items)
