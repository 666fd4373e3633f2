"""The loader on small hand-made lexicons, and the laws our own lexicons keep."""

from collections import Counter
from pathlib import Path

import pytest

from connectors.errors import SettingsError
from pipelines.lexicon import Intensifier, Lexicons, load_lexicons, words

THEME = """
[{key}]
label_fr = "Bruit"
label_en = "{label}"
dimension = "solicitude"
stance = "none"
function = "facilities"
polarity = "complaint"
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ours() -> Lexicons:
    return load_lexicons(["fr", "en"])


# --- The loader ----------------------------------------------------------------------------------------


def test_a_language_of_the_users_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "themes.toml": THEME.format(key="noise", label="Noise"),
            "it/stopwords.toml": 'links = "e di che"',
            "it/calendar.toml": 'days = "lunedì"',
            "it/sentiment.toml": """
                [[entries]]
                weight = -2
                endings = "(o|a)"
                words = "brutt, troppo rumoros,"
                [[negators]]
                reach = 3
                words = "non mai"
                [[intensifiers]]
                step = 1
                reach = 2
                words = "molto"
                """,
            "it/themes.toml": 'noise = "(troppo|tanto) rumore, fa un chiasso"',
        },
    )
    loaded = load_lexicons(["it"], tmp_path)
    lexicon = loaded.languages["it"]
    assert lexicon.stopwords == {"e", "di", "che", "lunedì"}
    assert lexicon.sentiment == {
        ("brutto",): -2,
        ("brutta",): -2,
        ("troppo", "rumoroso"): -2,
        ("troppo", "rumorosa"): -2,
    }
    assert lexicon.negators == {"non": 3, "mai": 3}
    assert lexicon.intensifiers == {"molto": Intensifier(step=1, reach=2)}
    assert lexicon.themes == {
        ("troppo", "rumore"): ("noise",),
        ("tanto", "rumore"): ("noise",),
        ("fa", "un", "chiasso"): ("noise",),
    }
    assert loaded.themes["noise"].label_en == "Noise"


def test_accents_left_out_are_matched_unless_another_word_is_meant(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "themes.toml": THEME.format(key="noise", label="Noise"),
            "xx/accents.toml": 'keep = "sûr"',
            "xx/stopwords.toml": 'links = "très"',
            "xx/sentiment.toml": """
                [[entries]]
                weight = 2
                words = "sûr, bien sûr, gêné"
                [[entries]]
                weight = -1
                words = "gêne, gene rare, gêne rare"
                """,
            "xx/themes.toml": 'noise = "bruit répété né"',
        },
    )
    lexicon = load_lexicons(["xx"], tmp_path).languages["xx"]
    assert lexicon.stopwords == {"très", "tres"}
    assert lexicon.sentiment == {
        ("sûr",): 2,
        ("bien", "sûr"): 2,
        ("bien", "sur"): 2,
        ("gêné",): 2,
        ("gêne",): -1,
        ("gene",): -1,  # a variant of both: the milder weight stands
        ("gene", "rare"): -1,
        ("gêne", "rare"): -1,
    }
    assert set(lexicon.themes) == {
        ("bruit", "répété", "né"),
        ("bruit", "repete", "né"),
        ("bruit", "répété", "ne"),
        ("bruit", "repete", "ne"),
    }


def test_a_users_folder_adds_and_replaces(tmp_path: Path, ours: Lexicons) -> None:
    mine = write(
        tmp_path,
        {
            "themes.toml": THEME.format(key="parking", label="Car park")
            + THEME.format(key="noise", label="Noise"),
            "en/themes.toml": 'noise = "too loud"\nparking = "too loud"',
            "en/stopwords.toml": 'ours = "frobnicate"',
            "en/sentiment.toml": '[[entries]]\nweight = 0\nwords = "cold shoulder"\n'
            '[[entries]]\nweight = -1\nwords = "great"',
        },
    )
    loaded = load_lexicons(["en"], mine)
    english, before = loaded.languages["en"], ours.languages["en"]
    assert english.themes["too", "loud"] == ("noise", "parking")
    assert set(english.themes) - set(before.themes) == {("too", "loud")}
    assert english.stopwords - before.stopwords == {"frobnicate"}
    assert before.sentiment["cold", "shoulder"] < 0 < before.sentiment["great",]
    assert ("cold", "shoulder") not in english.sentiment
    assert english.sentiment["great",] == -1
    assert loaded.themes["parking"].label_en == "Car park"
    assert loaded.version != load_lexicons(["en"]).version


def test_every_fault_is_listed_with_its_file_key_and_rule(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "themes.toml": THEME.format(key="noise", label="Noise").replace("solicitude", "beauty"),
            "fr/stopwords.toml": 'a = "zut zut deux-mots"',
            "fr/calendar.toml": "days = [1",
            "fr/sentiment.toml": '[[entries]]\nweight = 4\nwords = "zut"',
            "fr/themes.toml": 'parking = "un deux trois quatre cinq, zut, zut, b2b, zut (a"\nnothing = "zut"',
            "fr/accents.toml": 'kept = "à"',
        },
    )
    with pytest.raises(SettingsError) as caught:
        load_lexicons(["fr"], tmp_path)
    faults = str(caught.value).splitlines()
    expected = [
        ("themes.toml: noise.dimension", "'conformity'"),
        ("fr/stopwords.toml: a", "'zut' stands twice"),
        ("fr/stopwords.toml: a", "'deux-mots' makes 2 to 2 words"),
        ("fr/calendar.toml", "not TOML"),
        ("fr/sentiment.toml: entries.0.weight", "must be 3 at most"),
        ("fr/themes.toml: parking", "makes 5 to 5 words; the rule is 1 to 4"),
        ("fr/themes.toml: parking", "'zut' stands twice"),
        ("fr/themes.toml: parking", "'b2b' may hold letters"),
        ("fr/themes.toml: parking", "'zut (a' may hold letters"),
        ("fr/themes.toml: nothing", "no such theme"),
        ("fr/accents.toml: keep", "is missing"),
        ("fr/accents.toml: kept", "no such key"),
    ]
    for where, what in expected:
        assert any(where in fault and what in fault for fault in faults), (where, what, faults)
    assert len(faults) == len(expected)


def test_an_empty_entry_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"en/themes.toml": 'parking = "nowhere near, , far off"'})
    with pytest.raises(SettingsError, match="makes 0 to 0 words"):
        load_lexicons(["en"], tmp_path)


def test_languages_without_lexicon_are_refused_together() -> None:
    with pytest.raises(SettingsError, match="language 'xx': no folder 'xx'") as caught:
        load_lexicons(["fr", "xx", "yy"])
    assert "language 'yy': no folder 'yy'" in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such folder"):
        load_lexicons(["fr"], tmp_path / "absent")


def test_the_version_is_the_content(ours: Lexicons, tmp_path: Path) -> None:
    assert load_lexicons(["en", "fr", "en"]) is ours
    assert load_lexicons(["en", "fr"], tmp_path).version == ours.version
    assert load_lexicons(["fr"]).version != ours.version
    assert len(ours.version) == 32


# --- Ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_sequence_is_what_a_text_would_give(ours: Lexicons, language: str) -> None:
    lexicon = ours.languages[language]
    sequences = [*lexicon.sentiment, *lexicon.themes, *((word,) for word in lexicon.stopwords)]
    assert [s for s in sequences if tuple(words(" ".join(s), language)) != s] == []
    assert {len(sequence) for sequence in lexicon.sentiment} <= {1, 2, 3}
    assert {len(sequence) for sequence in lexicon.themes} <= {1, 2, 3, 4}
    assert set(lexicon.sentiment.values()) <= {-3, -2, -1, 1, 2, 3}


@pytest.mark.parametrize(("language", "least"), [("fr", 700), ("en", 600)])
def test_sentiment_is_rich_on_both_sides(ours: Lexicons, language: str, least: int) -> None:
    weights = ours.languages[language].sentiment.values()
    assert len(weights) >= least
    assert min(sum(w > 0 for w in weights), sum(w < 0 for w in weights)) >= least / 4


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_theme_is_expressed_in_every_language(ours: Lexicons, language: str) -> None:
    expressions = Counter(key for keys in ours.languages[language].themes.values() for key in keys)
    assert set(expressions) == set(ours.themes)
    assert min(expressions.values()) >= 12


def test_themes_cover_dimensions_stances_and_functions(ours: Lexicons) -> None:
    themes = ours.themes.values()
    for dimension in ("conformity", "accessibility", "solicitude", "trust"):
        assert sum(theme.dimension == dimension for theme in themes) >= 8
    assert {theme.stance for theme in themes} == {"imposed", "shared", "none"}
    assert {theme.polarity for theme in themes} == {"complaint", "praise", "neutral"}
    assert {"logistics", "billing", "information_systems", "people", "legal"} <= {t.function for t in themes}
    assert ours.themes["intent_to_leave"].dimension == "trust"


@pytest.mark.parametrize(
    ("language", "text", "theme"),
    [
        ("fr", "Deux caisses ouvertes, attente interminable", "waiting_in_line"),
        ("fr", "On m'avait dit sous 48 h, personne ne m'a rappelé", "broken_promise"),
        ("fr", "C'est décidé, je vais résilier et j'irai voir ailleurs", "intent_to_leave"),
        ("fr", "Le serveur vocal me fait tourner en rond", "voice_server"),
        ("fr", "Logiciel planté depuis l'ouverture, plus de réseau", "tools_down"),
        ("fr", "Reponse toute faite, du copie colle", "scripted_answers"),
        ("fr", "Elle a pris le temps d'écouter", "listening"),
        ("en", "I'm taking my business elsewhere", "intent_to_leave"),
        ("en", "We are short staffed again", "understaffing"),
        ("en", "They didn't honor the price, a broken promise", "broken_promise"),
        ("en", "She listened to me and took the time", "listening"),
        ("en", "Stuck in the phone menu, I can't reach a human", "voice_server"),
    ],
)
def test_plain_sentences_find_their_theme(ours: Lexicons, language: str, text: str, theme: str) -> None:
    lexicon = ours.languages[language]
    tokens = words(text, language)
    spans = (tuple(tokens[i : i + n]) for i in range(len(tokens)) for n in range(1, 5))
    assert theme in {key for span in spans for key in lexicon.themes.get(span, ())}


@pytest.mark.parametrize("word", ["gare", "marche", "sur", "ou", "passe", "cote"])
def test_common_words_are_not_taken_for_words_without_their_accents(ours: Lexicons, word: str) -> None:
    french = ours.languages["fr"]
    assert (word,) not in french.sentiment
    assert (word,) not in french.themes


@pytest.mark.parametrize(
    ("language", "generic"),
    [
        (
            "fr",
            ["cordialement", "veuillez", "qu", "l", "vendredi", "octobre", "tres", "aujourd'hui", "semaines"],
        ),
        ("en", ["regards", "dear", "s", "friday", "october", "very", "weeks"]),
    ],
)
def test_stop_words_hold_fillers_calendar_and_remnants(
    ours: Lexicons, language: str, generic: list[str]
) -> None:
    assert [word for word in generic if word not in ours.languages[language].stopwords] == []
