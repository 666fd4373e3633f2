"""Redaction: contact and bank identifiers, addresses on the web, and known names leave the text.

Rules are kept cheap for the many texts that hold nothing: a look over the whole batch at once says which
texts deserve a closer one.

URLs: one that says more than a host (`https://suivi.example/x?id=4`) may identify a person and becomes
`[url]`; a host alone (`www.example.fr`) is kept.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from connectors.admission.names import NameMatcher, fold, fold_all, read_names
from connectors.admission.numbers import redact_cards, redact_ibans, redact_nirs, redact_phones

__all__ = ["Redacted", "Redactor", "clean", "read_names"]

_CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_INVISIBLE = (
    "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
# Joiners belong to emoji and to some scripts; between these characters they only disguise.
_JOINER = re.compile(r"(?<=[\w@.+:/-])[\u200c\u200d](?=[\x21-\x7e])")
_DISGUISED = rf"[{_INVISIBLE}\u200c\u200d\uff01-\uff5e\p{{M}}]|[\p{{Nd}}--0-9]"
_DROP = dict.fromkeys(map(ord, _INVISIBLE))
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_FOREIGN_DIGIT = re.compile(r"[^\W\D0-9]")

_MAY_NUMBER = r"[0-9](?:[^\p{L}0-9]{0,4}[0-9]){7}|[0-9A-Za-z]{2}[0-9]{6}"
_MAY_URL = r"(?i)://|www\.|[a-z0-9]\.[a-z]{2,6}/"

# Glued or with a blank on both sides; a handle (`merci @Enseigne`, `bonjour@Enseigne`) is not an address.
_PROVIDERS = (
    "gmail|hotmail|yahoo|outlook|orange|wanadoo|free|laposte|sfr|icloud|live|msn|aol|bbox|neuf|gmx|proton"
)
_EMAIL = re.compile(
    r"[^\W_][\w.+%'’-]{0,63}(?:@|\s@\s)"
    r"(?:[^\W_][\w-]{0,62}\.)+(?:[a-zà-ÿ]{2,24}|[A-Z]{2,24}|(?i:com|fr|net|org|eu|edu|gov|info|be|ch|de|es|it|uk|ca|us))(?![^\W_])"
    rf"|[^\W_][\w.+%'’-]{{0,63}}@(?i:{_PROVIDERS})(?![^\W_])"
)
_URL = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,10}://|\bwww\.)[^\s<>\"'«»]+"
    r"|(?<![@\w.-])(?:[\w-]+\.)+(?:fr|com|net|org|eu|be|ch|lu|ca|de|es|it|uk|us|io|co|ly|gl|me|info|app|shop|store|link)"
    r"(?::\d+)?/[^\s<>\"'«»]+",
    re.IGNORECASE,
)
_BARE_HOST = re.compile(r"(?:https?://)?(?:[^\W_][\w-]*\.)+[^\W\d_]{2,}/?", re.IGNORECASE)
_URL_TAIL = ".,;:!?)]}'’…"


@dataclass(frozen=True, slots=True)
class Redacted:
    """texts: polars String, as long as the input; changed: for each text, whether something was replaced."""

    texts: pl.Series
    changed: list[bool]


class Redactor:
    """Replaces personal data by `[email] [phone] [iban] [card] [nir] [url] [name]`. names: a directory's."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = NameMatcher(names)

    def redact(self, texts: Sequence[str], persons: Sequence[Sequence[str]] | None = None) -> Redacted:
        """Clean and redact each text; persons: for each, the folded names of its own author and agent."""
        cleaned = clean(texts)
        current = cleaned.to_list()
        changed = [False] * len(current)
        for flagged, rule in self._rules(cleaned):
            for i in flagged:
                text = rule(current[i])
                if text != current[i]:
                    current[i], changed[i] = text, True
        self._redact_names(current, changed, persons)
        return Redacted(pl.Series(current, dtype=pl.String), changed)

    def redact_one(self, text: str) -> str:
        """The same for one text, such as a message that quotes a value."""
        return str(self.redact([text]).texts[0])

    def _rules(self, texts: pl.Series) -> Iterator[tuple[list[int], Callable[[str], str]]]:
        """Which texts deserve a closer look, and which look; in the order the rules rely on."""
        yield _indexes(texts.str.contains(_MAY_URL)), _redact_urls
        yield _indexes(texts.str.contains("@", literal=True)), _redact_emails
        yield _indexes(texts.str.contains(_MAY_NUMBER)), _redact_numbers

    def _redact_names(
        self, current: list[str], changed: list[bool], persons: Sequence[Sequence[str]] | None
    ) -> None:
        """Replace in place the directory's names and those of each text's own author and agent."""
        if not self._names and not any(persons or ()):
            return
        folded = fold_all(pl.Series(current, dtype=pl.String))
        plain = folded.to_list()
        for i, own in enumerate(persons or ()):
            for name in own:
                if name in plain[i] and (text := _redact_own(current[i], plain[i], name)) != current[i]:
                    current[i], changed[i] = text, True
                    plain[i] = fold(text)
        for i in self._names.may_hold(folded) if self._names else ():
            text = self._names.redact(current[i], plain[i])
            if text != current[i]:
                current[i], changed[i] = text, True


def clean(texts: Sequence[str]) -> pl.Series:
    """The texts in composed form, without control characters, invisible ones and full-width disguises.

    What cannot be encoded becomes U+FFFD, so that every store can hold the result.
    """
    try:
        series = pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        series = pl.Series([_encodable(text) for text in texts], dtype=pl.String)
    if series.str.contains(_CONTROL).any():
        series = series.str.replace_all(_CONTROL, " ")
    disguised = _indexes(series.str.contains(_DISGUISED))
    if disguised:
        plain = series.to_list()
        for i in disguised:
            plain[i] = _undisguise(plain[i])
        series = pl.Series(plain, dtype=pl.String)
    return series


def _indexes(mask: pl.Series) -> list[int]:
    return mask.arg_true().to_list()


def _encodable(text: str) -> str:
    return (
        text.encode("utf-8", "replace").decode()
        if text.isascii()
        else re.sub("[\ud800-\udfff]", "\ufffd", text)
    )


def _undisguise(text: str) -> str:
    text = _JOINER.sub("", unicodedata.normalize("NFC", text).translate(_DROP)).translate(_FULL_WIDTH)
    return _FOREIGN_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)


def _redact_urls(text: str) -> str:
    return _URL.sub(_url_word, text)


def _url_word(match: re.Match[str]) -> str:
    url = match[0].rstrip(_URL_TAIL)
    tail = match[0][len(url) :]
    return match[0] if _BARE_HOST.fullmatch(url) else f"[url]{tail}"


def _redact_emails(text: str) -> str:
    return _EMAIL.sub("[email]", text)


def _redact_numbers(text: str) -> str:
    return redact_phones(redact_cards(redact_nirs(redact_ibans(text))))


def _redact_own(text: str, folded: str, name: str) -> str:
    """Replace a folded name where it stands between word boundaries."""
    for place in reversed([match.start() for match in re.finditer(re.escape(name), folded)]):
        end = place + len(name)
        if not (folded[place - 1 : place].isalnum() or folded[end : end + 1].isalnum()):
            text = f"{text[:place]}[name]{text[end:]}"
    return text
