"""The demo's data: the story holds what it says, the sources read as written, and a seed decides all."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.admission import Admission, Redactor, read_names
from connectors.contract import Parsed
from connectors.ingest import ingest
from connectors.log import EventLog, LogWriter
from connectors.perimeters import PerimeterTree, read_perimeters
from connectors.quarantine import Quarantine
from connectors.secret import Secret
from connectors.sources import open_sources
from pipelines.demo.content import DECOYS, SIGNALS
from pipelines.demo.generate import generate
from pipelines.demo.rhythm import FIRST_DAY, LAST_DAY, season_level
from pipelines.demo.story import Planted, Story
from pipelines.demo.write_mail import ZONE
from pipelines.settings import Settings, load_settings
from pipelines.words import strip_accents, words

TEXTS = 6_000
SEEDS = (1, 2, 3)
STORY_FIRST = LAST_DAY - timedelta(weeks=12) + timedelta(days=1)


@dataclass(frozen=True)
class Demo:
    """A generated folder, read back by the connectors. found: (source, own id) -> what was parsed."""

    folder: Path
    story: Story
    settings: Settings
    tree: PerimeterTree
    found: dict[tuple[str, str], Parsed]
    parsed: dict[str, list[Parsed]]
    read: dict[str, int]

    def of(self, name: str) -> tuple[Planted, list[tuple[str, Parsed]]]:
        """A planted item and its texts (source, parsed), in the order of time."""
        item = next(item for item in self.story.planted if item.name == name)
        return item, [(source, self.found[source, own_id]) for source, own_id in self.story.texts[name]]

    def place(self, parsed: Parsed) -> str:
        return self.tree.resolve(parsed.perimeter) or ""


def read_back(folder: Path, story: Story) -> Demo:
    settings = load_settings(folder / "vigie.toml")
    parsed: dict[str, list[Parsed]] = {}
    read: dict[str, int] = {}
    for opened in open_sources(settings.source, base=settings.base, zone="Europe/Paris"):
        outcomes = [opened.source.parse(record) for record in opened.source.records()]
        read[opened.source.name] = len(outcomes)
        parsed[opened.source.name] = [outcome for outcome in outcomes if isinstance(outcome, Parsed)]
    found = {(name, one.own_id or ""): one for name, texts in parsed.items() for one in texts}
    tree = read_perimeters(folder / "perimeters.csv")
    return Demo(folder, story, settings, tree, found, parsed, read)


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "data"
    return read_back(folder, generate(folder, seed=request.param, texts=TEXTS))


def local_day(parsed: Parsed) -> date:
    return parsed.occurred_at.astimezone(ZONE).date()


def spoken(text: str) -> str:
    """Normalised words without accents, between spaces, so that a term is found whole."""
    return f" {strip_accents(' '.join(words(text, 'fr')))} "


def holds(text: str, terms: Sequence[str]) -> bool:
    return any(spoken(term) in spoken(text) for term in terms)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_seed_writes_the_same_bytes_and_tells_the_same_story(tmp_path: Path) -> None:
    stories = [generate(tmp_path / name, seed=5, texts=2_000) for name in "ab"]
    assert stories[0] == stories[1]
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_seeds_draw_other_stories(tmp_path: Path) -> None:
    stories = [generate(tmp_path / str(seed), seed=seed, texts=2_000) for seed in range(6)]
    for number, name in enumerate((*SIGNALS, *DECOYS)):
        items = [story.planted[number] for story in stories]
        assert {item.name for item in items} == {name}
        assert len({item.variant for item in items}) >= 2
        if name != "season":
            assert len({item.perimeters for item in items}) >= 3
            assert len({item.starts for item in items}) >= 3


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="texts is 1999; it must be at least 2000"):
        generate(tmp_path / "data", texts=1_999)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(ValueError, match="holds something"):
        generate(tmp_path, texts=2_000)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_number_of_texts_is_the_one_asked_for(demo: Demo) -> None:
    shares = {"survey": 0.643, "field_notes": 0.15, "complaints": 0.117, "mail": 0.083, "letters": 0.007}
    good = {
        name: len({one.own_id for one in texts if one.own_id and _is_good(name, one.own_id)})
        for name, texts in demo.parsed.items()
    }
    assert sum(good.values()) == TEXTS
    for name, share in shares.items():
        assert good[name] == pytest.approx(share * TEXTS, abs=0.002 * TEXTS)


def _is_good(source: str, own_id: str) -> bool:
    """Rows made to fail are numbered from 90000 on; messages no customer wrote are not dated."""
    return own_id.startswith("<2") if source == "mail" else own_id.lstrip("RNECLT-")[0] != "9"


def test_rows_written_are_rows_read(demo: Demo) -> None:
    assert demo.read == demo.story.rows


def test_the_accounting_shows_every_outcome(demo: Demo, tmp_path: Path) -> None:
    secret = Secret(bytes(range(32)))
    names = read_names(demo.folder / "names.txt")
    admission = Admission(
        secret=secret,
        perimeters=demo.tree,
        redactor=Redactor(names),
        languages=["fr", "en"],
        zone="Europe/Paris",
    )
    now = datetime(2026, 6, 1, tzinfo=UTC)
    sources = open_sources(demo.settings.source, base=demo.settings.base, zone="Europe/Paris")
    quarantine = Quarantine(tmp_path / "quarantine", secret)
    with LogWriter(tmp_path / "log", now=lambda: now) as log:
        accounts = ingest(sources, admission=admission, log=log, quarantine=quarantine, live=False, now=now)
    for account in accounts.values():
        assert account.closes()
        assert 5 <= sum(account.quarantined.values()) <= 15
    assert sum(account.events for account in accounts.values()) == TEXTS
    assert accounts["survey"].duplicates == 8
    assert accounts["mail"].set_aside == {"auto_reply": 45, "bounce": 25, "newsletter": 60}
    texts = _texts(EventLog(tmp_path / "log"))
    assert sum("[name]" in text for text in texts) > 20
    redacted = "|".join(spoken(text) for text in texts)
    assert [name for name in names if " " in name and spoken(name) in redacted] == []


def _texts(log: EventLog) -> list[str]:
    slices = log.slices(max_rows=100_000, zone="Europe/Paris")
    pieces = [piece for one in slices for piece in log.pieces(one)]
    return [text for piece in pieces for text in log.read_piece(piece).column("text").to_pylist()]


@pytest.mark.parametrize("name", [*SIGNALS, *DECOYS])
def test_planted_texts_are_where_the_story_says(demo: Demo, name: str) -> None:
    item, texts = demo.of(name)
    assert item.decoy == (name in DECOYS)
    assert len(set(demo.story.texts[name])) == len(item.texts) == len(texts)
    channels = {source.name: source.channel for source in demo.settings.source}
    story_texts = [(source, one) for source, one in texts if local_day(one) >= STORY_FIRST]
    days = [local_day(one) for _, one in story_texts]
    assert (min(days), max(days)) == (item.starts, item.ends)
    assert item.ends <= LAST_DAY
    assert {channels[source] for source, _ in story_texts} == set(item.channels)
    for (_, parsed), planted in zip(texts, item.texts, strict=True):
        place = demo.place(parsed)
        assert any(place == above or place.startswith(f"{above}/") for above in item.perimeters)
        assert local_day(parsed) == planted.day
    assert sum(item.weekly) == len(story_texts)


def test_terms_mark_planted_texts_and_nothing_else(demo: Demo) -> None:
    planted = {key for keys in demo.story.texts.values() for key in keys}
    ordinary = "|".join(spoken(one.text) for key, one in demo.found.items() if key not in planted)
    for item in demo.story.planted:
        assert [term for term in item.terms if spoken(term) in ordinary] == []
        texts = [demo.found[key].text for key in demo.story.texts[item.name]]
        # A slip of the pen hides the terms of a few.
        assert sum(holds(text, item.terms) for text in texts) >= 0.8 * len(texts)
        if item.name != "campaign":
            assert len(set(map(spoken, texts))) == len(texts)


def authors(texts: Sequence[tuple[str, Parsed]]) -> Counter[str | None]:
    return Counter(parsed.author for _, parsed in texts)


def span_days(item: Planted) -> int:
    return (item.ends - item.starts).days + 1


def test_store_is_one_store_and_many_voices(demo: Demo) -> None:
    item, texts = demo.of("store")
    assert 14 <= len(texts) <= 18
    assert span_days(item) <= 28
    assert len(item.channels) >= 2
    assert len({demo.place(one) for _, one in texts}) == 1
    assert max(authors(texts).values()) == 1


def test_region_is_all_its_stores_and_no_other(demo: Demo) -> None:
    item, texts = demo.of("region")
    (region,) = item.perimeters
    stores = {path for path in demo.tree.paths if path.startswith(f"{region}/")}
    assert 35 <= len(texts) <= 45
    assert span_days(item) <= 35
    assert {demo.place(one) for _, one in texts} == stores
    assert max(authors(texts).values()) == 1


def test_the_field_speaks_two_to_three_weeks_before_customers(demo: Demo) -> None:
    item, texts = demo.of("field_first")
    notes = [local_day(one) for source, one in texts if source == "field_notes"]
    customers = [local_day(one) for source, one in texts if source != "field_notes"]
    assert 13 <= len(notes) <= 15
    assert 9 <= len(customers) <= 11
    assert len({path.rpartition("/")[0] for path in item.perimeters}) == 1
    assert timedelta(days=14) <= min(customers) - min(notes) <= timedelta(days=35)


def test_hidden_texts_have_high_scores(demo: Demo) -> None:
    _, texts = demo.of("hidden_by_scores")
    assert 18 <= len(texts) <= 22
    assert all(source == "survey" and (one.score or 0) >= 0.8 for source, one in texts)


def test_praise_has_the_best_scores(demo: Demo) -> None:
    _, texts = demo.of("praise")
    assert 15 <= len(texts) <= 17
    assert all((one.score or 0) >= 0.9 for source, one in texts if source == "survey")
    assert max(authors(texts).values()) == 1


def test_the_season_came_a_year_before_at_the_same_level(demo: Demo) -> None:
    item, texts = demo.of("season")
    days = Counter(local_day(one).year for _, one in texts)
    assert days == {2025: 120, 2026: 120}
    march = FIRST_DAY + timedelta(weeks=4), LAST_DAY - timedelta(weeks=4)
    assert all(local_day(one) < march[0] or local_day(one) > march[1] for _, one in texts)
    assert len({demo.place(one) for _, one in texts}) > 25
    assert item.starts >= LAST_DAY - timedelta(days=27)


def test_the_campaign_is_one_mail_by_many_in_three_days(demo: Demo) -> None:
    item, texts = demo.of("campaign")
    assert len(texts) >= 60
    assert span_days(item) <= 3
    assert max(authors(texts).values()) == 1
    bodies = {max(one.text.split("\n"), key=len) for _, one in texts}
    assert len(bodies) == 1


def test_the_loud_customer_is_one_author_in_several_channels(demo: Demo) -> None:
    item, texts = demo.of("loud_customer")
    assert len(texts) == 20
    assert span_days(item) <= 35
    assert len(item.channels) >= 2
    assert len(authors(texts)) == 1
    assert len({demo.place(one) for _, one in texts}) == 1


def test_the_label_is_no_part_of_a_text(demo: Demo) -> None:
    for texts in demo.parsed.values():
        for one in texts:
            assert not {"genere", "généré", "fictional", "fictif", "vigie"} & set(words(one.text, "fr"))


def test_everything_written_says_it_is_generated(demo: Demo) -> None:
    assert "fictives" in (demo.folder / "README.txt").read_text(encoding="utf-8")
    assert demo.story.table() in (demo.folder / "README.txt").read_text(encoding="utf-8")
    for box in (demo.folder / "mail").glob("*.mbox"):
        content = box.read_bytes()
        assert content.count(b"\nMessage-ID:") == content.count(b"\nX-Generated-By: vigie demo (fictional)\n")
    for path in demo.folder.glob("*/*.csv"):
        assert "origine" in path.read_text(encoding="cp1252").split("\n", 1)[0]
    names = [path.name for path in (demo.folder / "letters").iterdir()]
    assert all("genere" in name for name in names if name != "metadata.csv")


def test_weeks_and_people_have_their_rhythm(demo: Demo) -> None:
    weekdays = Counter(local_day(one).weekday() for texts in demo.parsed.values() for one in texts)
    assert weekdays.most_common(1)[0][0] == 5
    assert weekdays.most_common()[-1][0] == 6
    by_author = Counter(one.author for one in demo.parsed["survey"] + demo.parsed["mail"] if one.author)
    again = sum(count > 1 for count in by_author.values()) / len(by_author)
    assert 0.03 < again < 0.25
    assert by_author.most_common(1)[0][1] >= 5
    stores = Counter(demo.place(one) for one in demo.parsed["survey"])
    counts = sorted(count for place, count in stores.items() if place.count("/") == 2)
    assert len(counts) == 40
    assert counts[-2] > 2.5 * counts[1]


def test_scores_mean_what_texts_say_and_many_are_alone(demo: Demo) -> None:
    answers = [one for one in demo.parsed["survey"] if one.score is not None]
    without = sum(not one.text for one in answers) / len(answers)
    assert 0.2 < without < 0.4
    happy = {"merci", "parfait", "ravie", "bravo", "excellent", "agréable", "impeccable"}
    shares = [
        sum(bool(happy & set(words(one.text, "fr"))) for one in group) / len(group)
        for group in (
            [one for one in answers if one.text and (one.score or 0) >= 0.9],
            [one for one in answers if one.text and (one.score or 0) <= 0.4],
        )
    ]
    assert shares[0] > 3 * shares[1]


@pytest.mark.parametrize(
    ("season", "on", "level"),
    [
        (None, date(2025, 5, 5), 1.0),
        ("christmas", date(2025, 12, 24), 1.0),
        ("christmas", date(2025, 10, 25), 0.0),
        ("christmas", date(2026, 1, 10), 0.0),
        ("winter", date(2026, 1, 10), 1.0),
        ("winter", date(2025, 7, 1), 0.0),
        ("sales", date(2025, 7, 17), 0.5),
    ],
)
def test_a_season_rises_lasts_and_ends(season: str | None, on: date, level: float) -> None:
    assert season_level(season, on) == level
