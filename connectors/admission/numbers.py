"""Numbers that give a person away: bank accounts, social security, payment cards, telephones.

Each function takes a text and returns it with what it found replaced by a bracketed word. They run in
this order, for a social-security number holds what looks like a telephone. Digits must be ASCII.

What must survive is as important: prices, dates, opening hours, postcodes, references of products and
orders. So a number is replaced for its check digits or its shape, never for its length alone.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn
from stdnum.fr import nir

_GAP = r"[\s.\-‐‑–/_·*]{0,2}"
_NOT_AFTER_WORD = r"(?<![^\W_])"

_IBAN = re.compile(rf"{_NOT_AFTER_WORD}[A-Z]{{2}}{_GAP}\d{{2}}(?:{_GAP}[A-Z0-9]){{11,30}}", re.IGNORECASE)
_FRENCH_IBAN = re.compile(r"FR\d{12}[A-Z0-9]{11}\d{2}")
_IBAN_LENGTH = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24,
    "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21,
    "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31,
    "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VG": 24, "XK": 20,
}  # fmt: skip

_NIR = re.compile(
    rf"{_NOT_AFTER_WORD}(?P<sex>[1-478])(?P<g1>{_GAP})\d\d(?P<g2>{_GAP})(?:0[1-9]|1[0-2]|[2-9]\d)(?P<g3>{_GAP})"
    rf"(?:\d\d|2[AB])(?P<g4>{_GAP})\d{{3}}(?P<g5>{_GAP})\d{{3}}(?:{_GAP}\d\d)?(?![^\W_])",
    re.IGNORECASE,
)

# First digits of the issuers of cards in use, by length: without them, one number in ten would pass.
_MAESTRO = r"(?:5018|5020|5038|5893|6304|6759|676[1-3])"
_ISSUERS = re.compile(
    rf"4\d{{12}}|3(?:0[0-5]|[689]\d)\d{{11}}|3[47]\d{{13}}"
    rf"|(?:4\d{{3}}|5[1-5]\d\d|2[2-7]\d\d|35\d\d|6011|62\d\d|64[4-9]\d|65\d\d|{_MAESTRO})\d{{12}}"
    rf"|(?:4\d{{3}}|62\d\d|{_MAESTRO})\d{{15}}|{_MAESTRO}\d{{14}}"
)

# Patterns that begin with a plain set of characters are searched several times faster.
_RUN = re.compile(r"[0-9][0-9]*(?:(?:[^\S\t]|[.\-‐‑–/()_·*,]){1,4}[0-9]+)*")
_DIGITS = re.compile(r"[0-9][0-9]*")
_DATE = re.compile(
    r"[0-9](?<![0-9/.\-].)(?:\d?([/.\-])\d{1,2}\1(?:19|20)\d\d|\d?/\d{1,2}/\d\d"
    r"|(?:(?<=1)9|(?<=2)0)\d\d([/.\-])\d{1,2}\2\d{1,2})(?![/.\-]?\d)"
)
_PHONE_LABEL = re.compile(r"(?:t[eé]l|tph|phone|port|mob|gsm|fax|sms|whatsapp)$", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\+[\s(]{0,2}$")
_NATIONAL_REGIONS = ("BE", "CH", "GB", "DE", "NL")


def redact_ibans(text: str) -> str:
    """Replace valid IBANs, and French ones even mistyped, by `[iban]`.

    >>> redact_ibans("Mon compte FR76 3000 6000 0112 3456 7890 189 merci")
    'Mon compte [iban] merci'
    """
    return _replace(text, _IBAN, _iban_end, "[iban]")


def _iban_end(match: re.Match[str]) -> int | None:
    compact = re.sub(r"[\W_]", "", match[0]).upper()
    length = _IBAN_LENGTH.get(compact[:2])
    if length is None or len(compact) < length:
        return None
    if not (_FRENCH_IBAN.fullmatch(compact[:length]) or iban.is_valid(compact[:length], check_country=False)):
        return None
    return _end_of_characters(match, length)


def _end_of_characters(match: re.Match[str], count: int) -> int:
    """Position in the text just after the count-th letter or digit of the match."""
    places = [i for i, char in enumerate(match[0]) if char.isalnum()]
    return match.start() + places[count - 1] + 1


def redact_nirs(text: str) -> str:
    """Replace French social-security numbers by `[nir]`: the key fits, or it is written in its groups.

    >>> redact_nirs("NIR 2 69 05 49 588 157 80, commande 269054958815781")
    'NIR [nir], commande 269054958815781'
    """
    return _replace(text, _NIR, _nir_end, "[nir]")


def _nir_end(match: re.Match[str]) -> int | None:
    gaps = {match[gap] for gap in ("g1", "g2", "g3", "g4", "g5")}
    written_in_groups = len(gaps) == 1 and gaps != {""}
    fits = written_in_groups or nir.is_valid(re.sub(r"[\W_]", "", match[0]).upper())
    return match.end() if fits else None


def redact_cards(text: str) -> str:
    """Replace payment cards by `[card]`: digits of an issuer, 13 to 19 of them, Luhn's check.

    >>> redact_cards("carte 4111 1111 1111 1111 12/27, EAN 3017620422003")
    'carte [card] 12/27, EAN 3017620422003'
    """
    return _replace_in_runs(text, _card_spans, "[card]")


def _card_spans(run: "_Run") -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(run.groups):
        ends = run.ends(start, at_least=13, at_most=19) if not run.is_decimal_part(start) else []
        end = next((end for end in reversed(ends) if _is_card(run.groups[start:end])), None)
        if end is None:
            start += 1
        else:
            yield start, end
            start = end


def _is_card(groups: Sequence[str]) -> bool:
    sizes = list(map(len, groups))
    # Written in fours (4-4-4-4, 4-6-5, 4-6-4) or evenly; odd groups are versions and references.
    if min(sizes[:-1], default=4) < 4 and len(set(sizes)) > 1:
        return False
    digits = "".join(groups)
    return _ISSUERS.fullmatch(digits) is not None and luhn.is_valid(digits)


def redact_phones(text: str) -> str:
    """Replace telephone numbers, French and international, by `[phone]`.

    >>> redact_phones("rappelez le 06.12.34.56.78 ou +44 20 7946 0958 après le 01/02/2024 10:30")
    'rappelez le [phone] ou [phone] après le 01/02/2024 10:30'
    """
    return _replace_in_runs(text, _phone_spans, "[phone]")


def _phone_spans(run: "_Run") -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(run.groups):
        end = _phone_end(run, start)
        if end is None:
            start += 1
        else:
            yield start, end
            start = end


def _phone_end(run: "_Run", start: int) -> int | None:
    """Index after the last group of the telephone number that begins at group `start`, None if none does."""
    if run.is_international(start):
        return _international_end(run, start, prefix="")
    first = run.groups[start]
    if not run.may_begin(start):
        return None
    if first.startswith("00") and (end := _international_end(run, start, prefix="00")):
        return end
    for end in run.ends(start, at_least=9, at_most=11):
        if _is_french(run, start, end):
            return end
    alone = start == 0 and _is_foreign(run.groups, run.gaps(0, len(run.groups)))
    return len(run.groups) if alone else None


def _international_end(run: "_Run", start: int, *, prefix: str) -> int | None:
    ends = run.ends(start, at_least=8 + len(prefix), at_most=16 + len(prefix))
    numbers = {end: run.international_digits(start, end)[len(prefix) :] for end in ends}
    for end in reversed(ends):
        if _is_number(numbers[end], phonenumbers.is_valid_number):
            return end
    # Numbers of ranges kept free (fiction, new operators) are possible without being valid. After `00`,
    # which also begins references, only the French length is taken on trust.
    for end in reversed(ends):
        trusted = not prefix or re.fullmatch(r"33[1-9]\d{8}", numbers[end])
        if trusted and _is_number(numbers[end], phonenumbers.is_possible_number):
            return end
    return None


def _is_number(digits: str, judge: Callable[[phonenumbers.PhoneNumber], bool]) -> bool:
    try:
        return len(digits) >= 8 and judge(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


def _is_french(run: "_Run", start: int, end: int) -> bool:
    digits = "".join(run.groups[start:end])
    sizes = tuple(map(len, run.groups[start:end]))
    gaps = run.gaps(start, end)
    if re.fullmatch(r"0[1-9]\d{8}", digits):
        if _holds_date(sizes) or (sizes[0] == 1 and gaps[0] in {".", ","}):
            return False
        kinds = len(set(gaps))
        return kinds <= 1 or (kinds == 2 and not _are_times(run.groups[start:end]))
    if sizes == (1, 2, 2, 2, 2) and digits[0] in "67":
        return len(set(gaps)) == 1
    return sizes == (11,) and re.fullmatch(r"33[1-9]\d{8}", digits) is not None


def _is_foreign(groups: Sequence[str], gaps: Sequence[str]) -> bool:
    """A number as written in a country whose numbers are met here; it must stand alone and in groups."""
    digits = "".join(groups)
    sizes = tuple(map(len, groups))
    if len(groups) < 2 or not 9 <= len(digits) <= 12:
        return False
    if sizes in ((3, 3, 4), (1, 3, 3, 4)) and not digits.startswith("0"):
        return _is_valid_in(digits, ("US",))
    if not digits.startswith("0") or sizes[0] == 1 or _holds_date(sizes):
        return False
    return not (len(set(gaps)) > 1 and _are_times(groups)) and _is_valid_in(digits, _NATIONAL_REGIONS)


def _holds_date(sizes: tuple[int, ...]) -> bool:
    """Day, month, year, and another number; or month, year, and others."""
    return sizes[:3] == (2, 2, 4) or (sizes[:2] == (2, 4) and len(sizes) > 3)


def _are_times(groups: Sequence[str]) -> bool:
    """Hours and minutes by turns, as in `08.30-12.30 14.00`."""
    return all(len(group) == 2 and int(group) < (60 if i % 2 else 24) for i, group in enumerate(groups))


def _is_valid_in(digits: str, regions: Sequence[str]) -> bool:
    for region in regions:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


@dataclass(frozen=True, slots=True)
class _Run:
    """Groups of digits that only separators part. spans: their places in the text."""

    text: str
    spans: list[tuple[int, int]]
    groups: list[str]

    def ends(self, start: int, *, at_least: int, at_most: int) -> list[int]:
        """Indexes after the last group, such that the digits from group `start` are that many."""
        ends, count = [], 0
        for i in range(start, len(self.groups)):
            count += len(self.groups[i])
            if count > at_most:
                break
            if count >= at_least:
                ends.append(i + 1)
        return ends

    def gaps(self, start: int, end: int) -> list[str]:
        """What parts the groups, without blanks where something else is there."""
        between = (self.text[self.spans[i][1] : self.spans[i + 1][0]] for i in range(start, end - 1))
        return [gap.strip() or " " for gap in between]

    def may_begin(self, start: int) -> bool:
        """A number glued to a word is a reference, unless the word says telephone."""
        place = self.spans[start][0]
        before = self.text[max(0, place - 10) : place]
        return not before[-1:].isalpha() or _PHONE_LABEL.search(before) is not None

    def is_decimal_part(self, start: int) -> bool:
        """Whether a point or comma ties the group to digits before it."""
        return start > 0 and self.text[self.spans[start - 1][1] : self.spans[start][0]] in {".", ","}

    def is_international(self, start: int) -> bool:
        place = self.spans[start][0]
        return _INTERNATIONAL.search(self.text, max(0, place - 4), place) is not None

    def international_digits(self, start: int, end: int) -> str:
        """All digits but a `(0)`, which is not dialled from abroad."""
        return "".join(
            "" if group == "0" and self.text[span[1] : span[1] + 1] == ")" else group
            for group, span in zip(self.groups[start:end], self.spans[start:end], strict=True)
        )


def _runs(text: str) -> Iterator[_Run]:
    """The runs of digits of a text; dates part them."""
    undated = _DATE.sub(lambda match: "x" * len(match[0]), text)
    for run in _RUN.finditer(undated):
        if run.end() - run.start() >= 8:
            found = list(_DIGITS.finditer(undated, run.start(), run.end()))
            yield _Run(text, [match.span() for match in found], [match[0] for match in found])


def _replace_in_runs(text: str, spans: Callable[[_Run], Iterator[tuple[int, int]]], word: str) -> str:
    places = [
        (_opening(text, run.spans[start][0]), run.spans[end - 1][1])
        for run in _runs(text)
        for start, end in spans(run)
    ]
    for start, end in reversed(places):
        text = text[:start] + word + text[end:]
    return text


def _opening(text: str, place: int) -> int:
    """Where a number begins, its plus sign and bracket included."""
    match = re.search(r"(?:\(?\+[\s(]{0,2}|\()$", text[max(0, place - 5) : place])
    return place - len(match[0]) if match else place


def _replace(
    text: str, pattern: re.Pattern[str], end_of: Callable[[re.Match[str]], int | None], word: str
) -> str:
    """Replace from each match's start to the end its judge gives; None leaves it and looks further on."""
    parts, kept, place = [], 0, 0
    while match := pattern.search(text, place):
        end = end_of(match)
        if end is None:
            place = match.start() + 1
        else:
            parts += [text[kept : match.start()], word]
            kept = place = end
    return "".join([*parts, text[kept:]]) if parts else text
