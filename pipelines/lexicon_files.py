"""The files of one lexicon folder: their shape, their rules, their faults.

    themes.toml               what each theme is, once for all languages
    fr/themes.toml            theme = "expression, expression, ..."
    fr/sentiment.toml         weighted entries, negators, intensifiers
    fr/stopwords.toml         group = "word word ..."
    fr/calendar.toml          group = "word word ..."
    fr/accents.toml           keep = "word word ...": words never matched without their accents

Every file is optional. An entry may hold alternatives, `colis (non|pas) (reçu|livré)`, and stands for
each of them. A language with an accents.toml is one whose writers leave accents out.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from connectors.source_settings import Slug
from pipelines.rules import rule_of
from pipelines.words import words

LONGEST_SENTIMENT = 3
LONGEST_THEME = 4

_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_FORBIDDEN = re.compile(r"[^\w\s'’-]|[\d_]")

Words = tuple[str, ...]
T = TypeVar("T")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ThemeRow(_Model):
    label_fr: Annotated[str, Field(min_length=1)]
    label_en: Annotated[str, Field(min_length=1)]
    dimension: Literal["conformity", "accessibility", "solicitude", "trust"]
    stance: Literal["imposed", "shared", "none"]
    function: Slug
    polarity: Literal["complaint", "praise", "neutral"]


class _Entries(_Model):
    weight: Annotated[int, Field(ge=-3, le=3)]
    """-3 to 3; 0 takes an entry out of the sentiment."""
    endings: str = ""
    """Added to every entry: `(|e|s|es)`."""
    words: str


class _Negators(_Model):
    reach: Annotated[int, Field(ge=1, le=5)]
    words: str


class _Intensifiers(_Model):
    step: Literal[-1, 1]
    reach: Annotated[int, Field(ge=1, le=5)]
    words: str


class _SentimentFile(_Model):
    entries: tuple[_Entries, ...] = Field(default=(), strict=False)
    negators: tuple[_Negators, ...] = Field(default=(), strict=False)
    intensifiers: tuple[_Intensifiers, ...] = Field(default=(), strict=False)


class _AccentsFile(_Model):
    keep: str


@dataclass
class LanguageFiles:
    """What one folder says of one language, normalised."""

    stopwords: set[str] = field(default_factory=set)
    sentiment: dict[Words, int] = field(default_factory=dict)
    negators: dict[str, int] = field(default_factory=dict)
    intensifiers: dict[str, tuple[int, int]] = field(default_factory=dict)
    themes: dict[str, list[Words]] = field(default_factory=dict)
    accents_kept: set[str] | None = None


def expand(entry: str) -> list[str]:
    """Every reading of an entry with alternatives.

    >>> expand("déçu(|e) (par|de)")
    ['déçu par', 'déçu de', 'déçue par', 'déçue de']
    """
    match = _ALTERNATIVES.search(entry)
    if match is None:
        return [entry]
    return [
        reading
        for choice in match[1].split("|")
        for reading in expand(entry[: match.start()] + choice + entry[match.end() :])
    ]


class FolderReader:
    """Reads a lexicon folder and gathers every fault, one line each: file, key, rule."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []

    def theme_rows(self) -> dict[str, ThemeRow]:
        return self._load(self.folder / "themes.toml", TypeAdapter(dict[Slug, ThemeRow])) or {}

    def language(self, language: str) -> LanguageFiles:
        files = LanguageFiles()
        folder = self.folder / language
        for name in ("stopwords.toml", "calendar.toml"):
            self._read_word_list(folder / name, language, files)
        self._read_sentiment(folder / "sentiment.toml", language, files)
        self._read_themes(folder / "themes.toml", language, files)
        accents = self._load(folder / "accents.toml", TypeAdapter(_AccentsFile))
        if accents is not None:
            where = f"{folder / 'accents.toml'}: keep"
            files.accents_kept = set(self._single_words(accents.keep, language, where))
        return files

    def _load(self, path: Path, shape: TypeAdapter[T]) -> T | None:
        """The file's content, or None where the file is absent or faulty."""
        if not path.is_file():
            return None
        try:
            return shape.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.faults.append(f"{path}: not TOML in UTF-8 ({error}); correct the file")
        except ValidationError as error:
            self.faults.extend(f"{path}: {_key(fault['loc'])}: {rule_of(fault)}" for fault in error.errors())
        return None

    def _read_word_list(self, path: Path, language: str, files: LanguageFiles) -> None:
        for group, text in (self._load(path, TypeAdapter(dict[str, str])) or {}).items():
            for word in self._single_words(text, language, f"{path}: {group}"):
                if word in files.stopwords:
                    self.faults.append(f"{path}: {group}: '{word}' stands twice; remove one")
                files.stopwords.add(word)

    def _read_sentiment(self, path: Path, language: str, files: LanguageFiles) -> None:
        content = self._load(path, TypeAdapter(_SentimentFile))
        if content is None:
            return
        for number, group in enumerate(content.entries, start=1):
            where = f"{path}: entries {number} (weight {group.weight})"
            text = ",".join(entry + group.endings for entry in _split(group.words))
            for sequence in self._sequences(text, language, LONGEST_SENTIMENT, where):
                self._put(files.sentiment, sequence, group.weight, where)
        for negators in content.negators:
            for word in self._single_words(negators.words, language, f"{path}: negators"):
                self._put(files.negators, word, negators.reach, f"{path}: negators")
        for intensifiers in content.intensifiers:
            value = (intensifiers.step, intensifiers.reach)
            for word in self._single_words(intensifiers.words, language, f"{path}: intensifiers"):
                self._put(files.intensifiers, word, value, f"{path}: intensifiers")

    def _read_themes(self, path: Path, language: str, files: LanguageFiles) -> None:
        for theme, text in (self._load(path, TypeAdapter(dict[Slug, str])) or {}).items():
            where = f"{path}: {theme}"
            seen: dict[Words, None] = {}
            for sequence in self._sequences(text, language, LONGEST_THEME, where):
                self._put(seen, sequence, None, where)
            files.themes[theme] = list(seen)

    def _put(self, into: dict[Any, Any], key: Words | str, value: object, where: str) -> None:
        if key in into:
            shown = key if isinstance(key, str) else " ".join(key)
            self.faults.append(f"{where}: '{shown}' stands twice; remove one")
        into[key] = value

    def _single_words(self, text: str, language: str, where: str) -> Iterator[str]:
        for entry in text.split():
            yield from (first for (first,) in self._sequences(entry, language, 1, where))

    def _sequences(self, text: str, language: str, longest: int, where: str) -> Iterator[Words]:
        """The normalised readings of comma-separated entries; faulty entries are noted and left out."""
        for entry in _split(text):
            readings = expand(entry)
            sequences = [tuple(words(reading, language)) for reading in readings]
            lengths = [len(sequence) for sequence in sequences]
            if any(_FORBIDDEN.search(reading) for reading in readings):
                self.faults.append(f"{where}: '{entry}' may hold letters, ' and - and (a|b), nothing else")
            elif not 1 <= min(lengths) <= max(lengths) <= longest:
                spread = f"{min(lengths)} to {max(lengths)}"
                self.faults.append(f"{where}: '{entry}' makes {spread} words; the rule is 1 to {longest}")
            else:
                yield from sequences


def _split(text: str) -> list[str]:
    """Entries between commas; a comma after the last one is allowed."""
    entries = [" ".join(entry.split()) for entry in text.split(",")]
    return entries[:-1] if entries and not entries[-1] else entries


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "content"
