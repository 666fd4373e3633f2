"""What the sender of a mail wrote: the text without quoted mail, attributions and signature.

Line rules that take linear time; they err on the side of keeping text, since a lost sentence cannot be
found again and a quoted one is at worst counted twice.
"""

import re

from connectors import mail_phrases as phrases

MAX_CHARS = 65_536
"""What follows is not read: nobody writes that much, and machines do."""

_MAX_LINE = 400
_MAX_HEADER_LINES = 4
_MAX_BLOCK_LINES = 10
_MAX_SIGNATURE_LINES = 12
_SIGNATURE_LINE_CHARS = 60
_WRAPPED_CHARS = 60

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_INLINE_IMAGE = re.compile(r"\[(?:cid:|image:)[^\]\n]*\]", re.IGNORECASE)
_LINK_TARGET = re.compile(r"<(?:mailto:|https?://)[^<>\s]*>", re.IGNORECASE)
_BLANK_RUN = re.compile(r"\n{3,}")

# `> text`, or `JD> text`; but an address that a mail program broke ends with `>:` on a line of its own.
_QUOTED = re.compile(r"[A-Z]{0,3}>(?!:)")
_ATTRIBUTION_ENDS = (":", "：", "-", "wrote", "écrit")
_TIME = re.compile(r"(?<![\d.])\d{1,2}[:.h]\d{2}(?![\d.]?\d)")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_ENDS_WITH_ADDRESS = re.compile(r"@[^\s:]+[>)\]\s]*(?:\w+\s*)?:$")
_LABEL_CHARS = 40
_LABEL = re.compile(r"[>\s*_|]*([^\W\d_][^:*]{0,20}?)\s*[*_]*\s*:")
_SEPARATOR_LINE = re.compile(r"[-_=*\s]*([^-_=*\s].*?)\s*([-_=*\s]*:?)$")
_RULE_STARTS = ("-", "_", "=", "*", "—", "–")
_RULE = re.compile(r"[-_=*—–~#\s]{2,}|[—–]")
_SIGNATURE_RULE = re.compile(r"--|[—–_]{1,}|[-—–_=*]{2,}")
_CONTACT = re.compile(
    r"https?://|www\.|\S@\S|@\w|(?:\+|\b0)\d[\d .()/-]{6,}\d|\b\d{3}[-.)] ?\d{3}[-. ]\d{4}", re.I
)
_NAME = r"(?:[^\W\d_a-zà-ÿ][\w'’.-]*[\s,]*)"
_NAME_REST = re.compile(rf"[\W_]*{_NAME}{{0,4}}\W*")
_WORDS = re.compile(r"[^\W\d_]{2,}")


def visible(text: str, *, sender: str = "") -> str:
    """The reply alone, stripped; empty where all is quoted.

    sender: name and address of the sender, to know a signature by. Text written between or below quotes
    is kept. Only the first MAX_CHARS characters are read.

    >>> visible("Toujours en panne.\\n\\nLe 3 mai 2024 à 10:12, SAV <sav@ex.fr> a écrit :\\n> Bonjour")
    'Toujours en panne.'
    """
    lines = _clean(text).split("\n")
    lines = _without_quotes(lines)
    lines = _without_signature(lines, sender)
    return _BLANK_RUN.sub("\n\n", "\n".join(lines)).strip()


def _clean(text: str) -> str:
    text = text[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    text = _INVISIBLE.sub("", text)
    text = _LINK_TARGET.sub("", _INLINE_IMAGE.sub("", text))
    return _BLANK_RUN.sub("\n\n", "\n".join(line.strip() for line in text.split("\n")))


# Quoted mail


def _without_quotes(lines: list[str]) -> list[str]:
    attributions = _attributions(lines)
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if _is_quoted(line) or _is_overflow(lines, index):
            index += 1
        elif index in attributions:
            index = attributions[index]
            # Quote marks tell where the quoted mail ends; without them it runs to the end.
            if not _quote_follows(lines, index):
                break
        elif _is_separator(lines, index) or _is_header_block(lines, index):
            break
        else:
            kept.append(line)
            index += 1
    while kept and (not kept[-1] or _RULE.fullmatch(kept[-1])):
        kept.pop()
    return kept


def _is_quoted(line: str) -> bool:
    return ">" in line[:4] and _QUOTED.match(line) is not None


def _is_overflow(lines: list[str], index: int) -> bool:
    """A long quoted line that the mail program broke without marking the second half."""
    return (
        0 < index < len(lines) - 1
        and bool(lines[index])
        and _is_quoted(lines[index - 1])
        and _is_quoted(lines[index + 1])
        and len(lines[index - 1]) > _WRAPPED_CHARS
    )


def _quote_follows(lines: list[str], index: int) -> bool:
    # Runs of blank lines are one line long by now.
    following = next((line for line in lines[index : index + 2] if line), "")
    return _is_quoted(following)


def _attributions(lines: list[str]) -> dict[int, int]:
    """First line and line after the last of each `On ..., ... wrote:`, over up to four lines."""
    found: dict[int, int] = {}
    for last, line in enumerate(lines):
        if not line.endswith(_ATTRIBUTION_ENDS) or len(line) > _MAX_LINE or _is_quoted(line):
            continue
        first = _attribution_start(lines, last)
        if first is not None:
            found[first] = last + 1
    return found


def _attribution_start(lines: list[str], last: int) -> int | None:
    spans = [(last, lines[last])]
    while len(spans) < _MAX_HEADER_LINES and spans[-1][0] > 0:
        first, joined = spans[-1][0] - 1, spans[-1][1]
        if not lines[first] or _is_quoted(lines[first]) or len(joined) > _MAX_LINE:
            break
        spans.append((first, f"{lines[first]} {joined}"))
    quoted = _quote_follows(lines, last + 1)
    whole = (first for first, joined in spans if _is_attribution(joined, quoted=quoted))
    tail = (first for first, joined in spans if quoted and _ends_attribution(joined))
    return next(whole, None) or next(tail, None)


def _is_attribution(joined: str, *, quoted: bool) -> bool:
    """Whether this is an attribution from its first word to its last."""
    addressed = "@" in joined
    timed = _TIME.search(joined) is not None
    dated = _YEAR.search(joined) is not None
    if phrases.ATTRIBUTION_START.match(joined) and phrases.ATTRIBUTION_VERB.search(joined):
        return addressed or (joined.endswith(":") and (timed or dated or quoted))
    if timed and dated and _ENDS_WITH_ADDRESS.search(joined):
        return True
    return (
        phrases.OTHER_ATTRIBUTION_CUE.search(joined) is not None
        and phrases.OTHER_ATTRIBUTION.search(joined[:_MAX_LINE]) is not None
    )


def _ends_attribution(joined: str) -> bool:
    """Whether this, right above quoted lines, speaks of a mail: `Jean Dupont wrote:`."""
    speaks = phrases.ATTRIBUTION_VERB.search(joined) or _TIME.search(joined) or "@" in joined
    return joined.endswith(":") and bool(speaks)


def _is_separator(lines: list[str], index: int) -> bool:
    """`----- Message d'origine -----`, or the words alone above a header block."""
    line = lines[index]
    ruled = line.startswith(_RULE_STARTS) or line.endswith(":")
    if len(line) > _MAX_LINE or not (ruled or _is_header_block(lines, index + 1)):
        return False
    match = _SEPARATOR_LINE.match(line)
    words = phrases.SEPARATOR.match(match[1]) if match else None
    return match is not None and words is not None and words.end() >= len(match[1]) - 1


def _is_header_block(lines: list[str], index: int) -> bool:
    """Whether the header of a quoted mail starts here: sender, date, and recipient or subject in a row."""
    if index >= len(lines) or _label_of(lines[index]) is None:
        return False
    met: set[str] = set()
    unlabelled = 0
    for line in lines[index : index + _MAX_BLOCK_LINES]:
        label = _label_of(line)
        if label:
            met.add(label)
            unlabelled = 0
        else:
            unlabelled += 1
        if unlabelled > 1:
            break
    return {"from", "date"} <= met and bool(met & {"to", "subject"})


def _label_of(line: str) -> str | None:
    match = _LABEL.match(line[:_LABEL_CHARS]) if ":" in line[:_LABEL_CHARS] else None
    if not match:
        return None
    name = match[1].strip()
    return next((role for role, labels in phrases.HEADER_LABELS.items() if labels.fullmatch(name)), None)


# Signature


def _without_signature(lines: list[str], sender: str) -> list[str]:
    cuts = [_disclaimer_start(lines), _delimiter_start(lines), _mobile_start(lines)]
    lines = lines[: min(cut for cut in (*cuts, len(lines)) if cut is not None)]
    postscript = next((i for i, line in enumerate(lines) if phrases.POSTSCRIPT.match(line)), len(lines))
    # People sign above their postscript, or below, or both.
    return [*_without_closing(lines[:postscript], sender), "", *_without_closing(lines[postscript:], sender)]


def _disclaimer_start(lines: list[str]) -> int | None:
    for index, line in enumerate(lines):
        starts_paragraph = index == 0 or not lines[index - 1] or _RULE.fullmatch(lines[index - 1])
        if (
            line
            and starts_paragraph
            and phrases.DISCLAIMER.match(" ".join(lines[index : index + 4])[:_MAX_LINE])
        ):
            return index
    return None


def _delimiter_start(lines: list[str]) -> int | None:
    """`-- `, or another rule with nothing below but a few short lines and a way to reach somebody."""
    first = _signature_start(lines)
    for index, line in enumerate(lines):
        if line == "--":
            return index
        if index >= first and _SIGNATURE_RULE.fullmatch(line) and _has_contact(lines[index + 1 :]):
            return index
    return None


def _mobile_start(lines: list[str]) -> int | None:
    """`Sent from my iPhone`. Where nothing stands before it, it heads the text and only it goes."""
    for index, line in enumerate(lines):
        if len(line) > 80 or not phrases.MOBILE.match(line) or "," in line or len(line.split()) > 8:
            continue
        return index if any(lines[:index]) else None
    return None


def _without_closing(lines: list[str], sender: str) -> list[str]:
    """Cut at the first of the last lines below which there is nothing but name and contacts."""
    first = _signature_start(lines)
    for index in range(first, len(lines)):
        rest = lines[index + 1 :]
        if lines[index] and (
            _is_closing(lines, index) or _is_signed(lines[index], rest, sender) or _is_contacts(lines, index)
        ):
            return lines[:index]
    return lines


def _signature_start(lines: list[str]) -> int:
    """The line from which on only short lines follow, at most _MAX_SIGNATURE_LINES of them."""
    filled = 0
    for index in range(len(lines) - 1, -1, -1):
        if not lines[index]:
            continue
        filled += 1
        if filled > _MAX_SIGNATURE_LINES or not _is_signature_line(lines[index]):
            return index
    return 0


def _is_closing(lines: list[str], index: int) -> bool:
    """`Cordialement, Jean Dupont`, or a long formula that starts on this line."""
    line = lines[index]
    if len(line) > _MAX_LINE:
        return False
    long = phrases.LONG_CLOSING.match(" ".join(lines[index : index + 3])[:_MAX_LINE])
    if long:
        return long.end("lead") < len(line)
    formula = phrases.CLOSING.match(line) if len(line) <= _SIGNATURE_LINE_CHARS else None
    return formula is not None and _NAME_REST.fullmatch(line[formula.end() :]) is not None


def _is_signed(line: str, rest: list[str], sender: str) -> bool:
    """The sender's own name, or thanks and the name, with next to nothing below but contacts."""
    filled = [later for later in rest if later]
    if phrases.THANKS.fullmatch(line.rstrip(" ,.!")) and filled:
        line, filled = filled[0], filled[1:]
    return _is_name_of(line, sender) and (len(filled) <= 1 or _has_contact(filled))


def _is_name_of(line: str, sender: str) -> bool:
    words = {word.casefold() for word in _WORDS.findall(line[:_MAX_LINE])}
    return bool(words) and len(line.split()) <= 4 and words <= {w.casefold() for w in _WORDS.findall(sender)}


def _is_contacts(lines: list[str], index: int) -> bool:
    """A last paragraph of short lines, two or more of them ways to reach somebody."""
    paragraph = lines[index:]
    starts = index > 0 and not lines[index - 1] and any(lines[:index])
    contacts = sum(_CONTACT.search(line[:_MAX_LINE]) is not None for line in paragraph)
    return starts and contacts > 1 and "" not in paragraph and _is_signature_line(lines[index])


def _is_signature_line(line: str) -> bool:
    if _CONTACT.search(line[:_MAX_LINE]):
        return len(line) <= 2 * _SIGNATURE_LINE_CHARS
    return len(line) <= _SIGNATURE_LINE_CHARS and not line.endswith("?")


def _has_contact(lines: list[str]) -> bool:
    return any(_CONTACT.search(line[:_MAX_LINE]) for line in lines)
