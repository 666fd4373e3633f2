"""Lexicons: stop words, sentiment and themes, one lexicon a language, and the themes they share.

Ours stand in `pipelines/lexicons`; `pipelines.lexicon_files` says how a folder is laid out.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import TypeVar

from connectors.errors import SettingsError
from pipelines.lexicon_files import FolderReader, LanguageFiles, ThemeRow, Words
from pipelines.words import ELISIONS, strip_accents
from pipelines.words import words as words

FOLDER = Path(__file__).parent / "lexicons"

T = TypeVar("T")


@dataclass(frozen=True)
class Theme:
    """What a theme is, whatever the language.

    dimension: conformity, accessibility, solicitude or trust. stance: imposed, shared or none.
    function: the part of the organisation that owns it. polarity: complaint, praise or neutral.
    """

    key: str
    label_fr: str
    label_en: str
    dimension: str
    stance: str
    function: str
    polarity: str


@dataclass(frozen=True)
class Intensifier:
    """step: +1 (very) or -1 (a little), added to the size of the weight; reach: in words that follow."""

    step: int
    reach: int


@dataclass(frozen=True)
class Lexicon:
    """One language. Sequences are normalised words as `words` gives them.

    A text has a theme where one of its expressions stands in the text as consecutive words.
    How sentiment reads a text: from left to right, the longest entry that starts at a word counts and
    its words are used up; an intensifier among the `reach` words before it moves the size of its weight
    by `step`, never below 1; a negator among the `reach` words before it turns its sign. Several of a
    kind count once, the nearest first. A negator or intensifier inside an entry is part of the entry.
    """

    language: str
    stopwords: frozenset[str]
    """With the calendar's words and what elisions leave behind."""
    sentiment: Mapping[tuple[str, ...], int]
    """1 to 3 words -> -3 to 3, never 0."""
    negators: Mapping[str, int]
    """Word -> how many words it reaches."""
    intensifiers: Mapping[str, Intensifier]
    themes: Mapping[tuple[str, ...], tuple[str, ...]]
    """1 to 4 words -> theme keys, sorted."""


@dataclass(frozen=True)
class Lexicons:
    languages: Mapping[str, Lexicon]
    themes: Mapping[str, Theme]
    version: str
    """BLAKE2b of the normalised content, 32 hexadecimal digits."""


def load_lexicons(languages: Sequence[str], extra: Path | None = None) -> Lexicons:
    """The lexicons of some languages (ISO 639-1), read once a process.

    extra: a user's folder with the same layout. Its stop words and theme expressions are added to
    ours; its theme rows, sentiment entries, negators and intensifiers replace ours of the same key.
    Raises SettingsError with every fault, one a line; a language without lexicon is one.
    """
    return _load(tuple(sorted(set(languages))), extra)


def has_lexicon(language: str, folders: Sequence[Path]) -> bool:
    """Whether one of the folders has a lexicon of the language."""
    return any((folder / language).is_dir() for folder in folders)


@cache
def _load(languages: tuple[str, ...], extra: Path | None) -> Lexicons:
    if extra is not None and not extra.is_dir():
        raise SettingsError(f"{extra}: no such folder; give the folder that holds your lexicons")
    readers = [FolderReader(folder) for folder in (FOLDER, extra) if folder is not None]
    rows: dict[str, ThemeRow] = {}
    for reader in readers:
        rows.update(reader.theme_rows())
    parts = {language: _read(language, readers, rows) for language in languages}
    folders = [reader.folder for reader in readers]
    faults = [
        f"language '{language}': no folder '{language}' in {' or '.join(map(str, folders))}; every language "
        "listed needs a lexicon: add the folder, or leave the language out"
        for language in languages
        if not has_lexicon(language, folders)
    ]
    faults += [fault for reader in readers for fault in reader.faults]
    if faults:
        raise SettingsError("\n".join(faults))
    found = {language: _merge(language, parts[language]) for language in languages}
    themes = {key: Theme(key=key, **row.model_dump()) for key, row in sorted(rows.items())}
    return Lexicons(languages=found, themes=themes, version=_version(content_of(found, themes)))


def _read(
    language: str, readers: Sequence[FolderReader], rows: Mapping[str, ThemeRow]
) -> list[LanguageFiles]:
    parts = []
    for reader in readers:
        part = reader.language(language)
        reader.faults += [
            f"{reader.folder / language / 'themes.toml'}: {key}: no such theme; describe it in "
            f"{reader.folder / 'themes.toml'}"
            for key in part.themes
            if key not in rows
        ]
        parts.append(part)
    return parts


def _merge(language: str, parts: Sequence[LanguageFiles]) -> Lexicon:
    sentiment: dict[Words, int] = {}
    negators: dict[Words, int] = {}
    intensifiers: dict[Words, tuple[int, int]] = {}
    stopwords: dict[Words, int] = {(piece,): 1 for piece in ELISIONS if language == "fr"}
    themes: dict[Words, set[str]] = {}
    for part in parts:
        sentiment |= part.sentiment
        negators |= {(word,): reach for word, reach in part.negators.items()}
        intensifiers |= {(word,): value for word, value in part.intensifiers.items()}
        stopwords |= {(word,): 1 for word in part.stopwords}
        for key, sequences in part.themes.items():
            for sequence in sequences:
                themes.setdefault(sequence, set()).add(key)
    kept = _accents_kept(parts)
    sentiment = _with_variants(sentiment, kept, _milder)
    themes = _with_variants(themes, kept, set.union)
    negators, stopwords = _with_variants(negators, kept, min), _with_variants(stopwords, kept, min)
    intensifiers = _with_variants(intensifiers, kept, min)
    return Lexicon(
        language=language,
        stopwords=frozenset(word for (word,) in stopwords),
        sentiment={sequence: weight for sequence, weight in sorted(sentiment.items()) if weight},
        negators={word: reach for (word,), reach in sorted(negators.items())},
        intensifiers={word: Intensifier(*value) for (word,), value in sorted(intensifiers.items())},
        themes={sequence: tuple(sorted(keys)) for sequence, keys in sorted(themes.items())},
    )


def _accents_kept(parts: Sequence[LanguageFiles]) -> frozenset[str] | None:
    """Words whose accents tell them from another word; None where accents are never left out."""
    declared = [part.accents_kept for part in parts if part.accents_kept is not None]
    return frozenset().union(*declared) if declared else None


def _with_variants(
    entries: dict[Words, T], accents_kept: frozenset[str] | None, clash: Callable[[T, T], T]
) -> dict[Words, T]:
    """The entries, and each as typed without some or all of its accents.

    An entry written as such wins over a variant; `clash` (commutative) settles two variants alike.
    Alone, a word in accents_kept keeps its accents; among others, its neighbours make it plain.
    """
    if accents_kept is None:
        return entries
    variants: dict[Words, T] = {}
    for sequence, value in entries.items():
        if len(sequence) == 1 and sequence[0] in accents_kept:
            continue
        for variant in product(*({word, strip_accents(word)} for word in sequence)):
            if variant not in entries:
                variants[variant] = clash(variants[variant], value) if variant in variants else value
    return entries | variants


def _milder(one: int, other: int) -> int:
    """The weight nearer to zero; the negative one of two opposites."""
    return min(one, other, key=lambda weight: (abs(weight), weight))


def content_of(languages: Mapping[str, Lexicon], themes: Mapping[str, Theme]) -> bytes:
    """All that lexicons say, as JSON: what `Lexicons.version` is the hash of, and `from_content` reads."""
    content = {
        "themes": [asdict(theme) for theme in themes.values()],
        "languages": [
            [
                lexicon.language,
                sorted(lexicon.stopwords),
                list(lexicon.sentiment.items()),
                list(lexicon.negators.items()),
                [[word, *asdict(value).values()] for word, value in lexicon.intensifiers.items()],
                list(lexicon.themes.items()),
            ]
            for lexicon in languages.values()
        ],
    }
    return json.dumps(content, ensure_ascii=False).encode()


def from_content(content: bytes) -> Lexicons:
    """The lexicons that `content_of` wrote. ValueError, KeyError or TypeError for anything else."""
    found = json.loads(content)
    themes = {row["key"]: Theme(**row) for row in found["themes"]}
    languages = {
        language: Lexicon(
            language=language,
            stopwords=frozenset(stopwords),
            sentiment={tuple(words): weight for words, weight in sentiment},
            negators=dict(negators),
            intensifiers={word: Intensifier(step, reach) for word, step, reach in intensifiers},
            themes={tuple(words): tuple(keys) for words, keys in named},
        )
        for language, stopwords, sentiment, negators, intensifiers, named in found["languages"]
    }
    return Lexicons(languages, themes, _version(content))


def _version(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
