"""The demo's written material: the grammar, the wordings, and the small office files."""

import re
import tomllib
from collections import Counter
from datetime import datetime
from io import BytesIO
from itertools import product
from random import Random

import docx
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from connectors.letter_text import read_text
from pipelines.demo.content import DECOYS, SHOP_FILES, SIGNALS, Variant, load_content
from pipelines.demo.content import FOLDER as CONTENT
from pipelines.demo.goods import ARTICLES, Goods
from pipelines.demo.grammar import Choice, Pattern, Slot
from pipelines.demo.labels import GENERATED
from pipelines.demo.office import Cell, docx_bytes, pdf_bytes, xlsx_bytes
from pipelines.demo.rhythm import DAYS, SEASONS
from pipelines.lexicon import load_lexicons
from pipelines.words import strip_accents, words

VARIANTS = [
    pytest.param(variant, id=f"{item}-{variant.name}")
    for item, variants in load_content().planted.items()
    for variant in variants
]
KNOWN_SLOTS = {"produit", "un_produit", "le_produit", "du_produit", "mon_produit"} | {
    *("e", "prix", "agent", "ville", "rue", "ref"),
    *load_content().slots,
}


def expand(pattern: Pattern) -> list[str]:
    """Every sentence a pattern can give, slots as a space."""
    sides = []
    for part in pattern.parts:
        if isinstance(part, str):
            sides.append([part])
        elif isinstance(part, Slot):
            sides.append([" "])
        else:
            sides.append([text for side in part.sides for text in expand(side)])
    return ["".join(texts) for texts in product(*sides)]


def slots(pattern: Pattern) -> set[str]:
    found = {part.name for part in pattern.parts if isinstance(part, Slot)}
    inner = [side for part in pattern.parts if isinstance(part, Choice) for side in part.sides]
    return found.union(*(slots(side) for side in inner))


def spoken(text: str) -> str:
    """Normalised words without accents, between spaces, so that a term is found whole."""
    return f" {strip_accents(' '.join(words(text, 'fr')))} "


def ordinary_material() -> str:
    files = [*SHOP_FILES, "phrases_field.toml", "phrases_frames.toml", "vocabulary.toml"]
    return "\n".join((CONTENT / file).read_text(encoding="utf-8") for file in files)


def all_ordinary_patterns() -> list[Pattern]:
    content = load_content()
    subjects = [pattern for s in (*content.customer, *content.field) for pattern in s.negative + s.positive]
    frames = [pattern for places in content.frames.values() for block in places.values() for pattern in block]
    return subjects + frames


@pytest.mark.parametrize(
    ("source", "sentences"),
    [
        ("rien", {"rien"}),
        ("[a|b] c", {"a c", "b c"}),
        ("x [a|] y", {"x a y", "x y"}),
        ("[a [b|c]|d]", {"a b", "a c", "d"}),
        ("[a {n}|b]", {"a 7", "b"}),
        ("depuis plus de {un}", {"depuis plus d'une heure"}),
        ("le meuble que {ville} vend", {"le meuble qu'Orsanne vend"}),
        ("prêt de la table", {"prêt de la table"}),
    ],
)
def test_a_pattern_gives_exactly_its_sentences(source: str, sentences: set[str]) -> None:
    pattern, rng = Pattern.compile(source), Random(1)
    filled = {"n": "7", "un": "une heure", "ville": "Orsanne"}
    assert {pattern.render(rng, filled.__getitem__) for _ in range(200)} == sentences


@pytest.mark.parametrize("source", ["[a|b", "a]", "{slot", "[a|{x]", "a [b] ]"])
def test_a_bracket_without_its_pair_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(source))):
        Pattern.compile(source)


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab []|{}", max_size=30))
def test_any_text_compiles_or_is_refused(source: str) -> None:
    try:
        pattern = Pattern.compile(source)
    except ValueError:
        return
    assert isinstance(pattern.render(Random(0), lambda name: name), str)


def test_there_is_enough_to_say() -> None:
    content = load_content()
    assert len(content.customer) + len(content.field) >= 60
    for subject in (*content.customer, *content.field):
        sentences = {text for pattern in subject.negative + subject.positive for text in expand(pattern)}
        assert len(sentences) >= 15, subject.name
        assert subject.season is None or subject.season in SEASONS
    assert {item: len(content.planted[item]) >= 4 for item in (*SIGNALS, *DECOYS)} == dict.fromkeys(
        (*SIGNALS, *DECOYS), True
    )


def test_every_slot_used_is_known() -> None:
    planted = [pattern for param in VARIANTS for pattern in _patterns(param.values[0])]
    for pattern in all_ordinary_patterns() + planted:
        assert slots(pattern) <= KNOWN_SLOTS, pattern


def _patterns(variant: object) -> tuple[Pattern, ...]:
    assert isinstance(variant, Variant)
    return variant.customer + variant.field


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_planted_sentence_holds_a_distinctive_term(variant: Variant) -> None:
    terms = [spoken(term) for term in variant.terms]
    for pattern in _patterns(variant):
        for sentence in expand(pattern):
            assert any(term in spoken(sentence) for term in terms), sentence


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_has_wordings_enough_not_to_repeat_itself(variant: Variant) -> None:
    if "pétition" in variant.title:
        assert len(variant.customer) == 1
    else:
        assert len(variant.customer) >= 8
        assert not variant.field or len(variant.field) >= 8


def _typed(term: str) -> tuple[str, str]:
    """With and without accents."""
    return term, strip_accents(term)


@pytest.mark.parametrize("variant", VARIANTS)
def test_distinctive_terms_are_in_no_lexicon(variant: Variant) -> None:
    for lexicon in load_lexicons(["fr", "en"]).languages.values():
        known = {(word,) for word in lexicon.stopwords} | set(lexicon.sentiment) | set(lexicon.themes)
        terms = {tuple(words(typed, lexicon.language)) for term in variant.terms for typed in _typed(term)}
        assert not known & terms


@pytest.mark.parametrize("variant", VARIANTS)
def test_distinctive_terms_are_in_no_ordinary_sentence_and_no_other_variant(variant: Variant) -> None:
    others = [
        sentence
        for param in VARIANTS
        if param.values[0] is not variant
        for pattern in _patterns(param.values[0])
        for sentence in expand(pattern)
    ]
    ordinary = [sentence for pattern in all_ordinary_patterns() for sentence in expand(pattern)]
    said = "|".join(map(spoken, [*ordinary, *others, *_names()]))
    assert [term for term in variant.terms if spoken(term) in said] == []


def _names() -> list[str]:
    """Names of goods under any seed, of places and people, and the words that fill slots."""
    content = load_content()
    vocabulary = content.vocabulary
    brands = product(vocabulary["brand_heads"], ["", *vocabulary["brand_middles"]], vocabulary["brand_tails"])
    return ["|".join("".join(brand) for brand in brands), ordinary_material()]


def test_the_content_files_are_toml_without_a_stray_key() -> None:
    for file in SHOP_FILES:
        for subject in tomllib.loads((CONTENT / file).read_text(encoding="utf-8")).values():
            assert set(subject) <= {
                *("weight", "saturday", "remote", "season", "titles", "negative", "positive")
            }


def test_goods_are_a_long_tail_that_keeps_growing() -> None:
    goods = Goods(load_content(), Random(3))
    drawn = [goods.draw(day) for day in range(DAYS) for _ in range(60)]
    assert all(article.launch <= day for day in range(DAYS) for article in drawn[day * 60 : day * 60 + 60])
    counts = sorted(Counter(drawn).values(), reverse=True)
    assert ARTICLES / 2 < len(counts) <= ARTICLES
    # Zipf's law: the first tenth of the articles makes most of the mentions.
    assert sum(counts[: len(counts) // 10]) > sum(counts) / 2
    newcomers = {article.launch // 28 for article in drawn if article.launch}
    assert newcomers >= set(range(1, DAYS // 28 - 1))


LETTER = "Madame, Monsieur,\n\nL'œuvre (été, 12,50 €) & \\ <fin>.\n\nCordialement,\nOdile Marvelin"


def test_letters_read_back_as_written() -> None:
    assert read_text(docx_bytes(LETTER), ".docx", encoding=None) == LETTER
    assert read_text(pdf_bytes(LETTER), ".pdf", encoding=None).split() == LETTER.split()


def test_documents_say_they_are_generated() -> None:
    assert docx.Document(BytesIO(docx_bytes(LETTER))).core_properties.comments == GENERATED
    with pypdfium2.PdfDocument(pdf_bytes(LETTER)) as document:
        assert document.get_metadata_dict()["Producer"] == GENERATED


def test_a_letter_longer_than_a_page_is_refused() -> None:
    with pytest.raises(ValueError, match="a page holds 56"):
        pdf_bytes("ligne\n" * 80)


def test_a_workbook_reads_back_with_its_dates() -> None:
    moment = datetime(2026, 2, 3, 14, 5)  # noqa: DTZ001
    rows: list[list[Cell]] = [
        ["id", "quand", "note", "texte"],
        ["R1", moment, 7.5, "l'été & <fin>"],
        ["R2", moment, 10.0, ""],
    ]
    sheet = CalamineWorkbook.from_filelike(BytesIO(xlsx_bytes(rows))).get_sheet_by_index(0)
    assert sheet.to_python() == rows
