"""Which messages no person wrote: auto-replies, bounces, newsletters."""

import re
from collections.abc import Mapping, Sequence

_AUTO_SUBJECT = re.compile(
    r"""\s*(?:\[[^\]]*\]\s*)?(?:
    auto(?:matic|mated)?[\s-]*(?:reply|response) | out\s+of\s+(?:the\s+)?office | on\s+vacation
  | r[ée]ponse\s+automatique | absence\s+du\s+bureau | absente?\s+du\s+bureau | message\s+d['’]absence
  | automatische\s+(?:antwort|abwesenheitsnotiz) | abwesenheits(?:notiz|nachricht|meldung)
  | nicht\s+im\s+b[üu]ro
  | respuesta\s+autom[áa]tica | fuera\s+de\s+(?:la\s+)?oficina
  | risposta\s+automatica | fuori\s+(?:sede|ufficio)
  | resposta\s+autom[áa]tica | aus[êe]ncia\s+tempor[áa]ria | fora\s+do\s+escrit[óo]rio
  | automatisch\s+antwoord | afwezigheids(?:bericht|melding) | niet\s+op\s+kantoor
    )\s*(?:[:;\-–—(].*|re\s*:.*)?$""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DAEMON = re.compile(r"\b(?:mailer-daemon|mail-daemon|mdaemon)\b", re.IGNORECASE)
_NEWSLETTER_SENDER = re.compile(r"\b(?:newsletters?|infolettres?)[\w.+-]*@", re.IGNORECASE)
_AUTO_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-reply", "x-autoreply-from")
_BULK_HEADERS = ("list-unsubscribe-post", "feedback-id", "x-campaign", "x-campaignid", "x-mc-user", "list-id")
_DISCUSSION_HEADERS = ("x-mailman-version", "x-beenthere", "mailing-list", "in-reply-to", "references")


def kind(headers: Mapping[str, Sequence[str]], *, content_type: str, subject: str) -> str | None:
    """`auto_reply`, `bounce` or `newsletter`; None for a message somebody wrote.

    headers: values by lower-case name. subject: decoded, its prefixes kept: `Re: Out of office` is a
    person's answer. Members of a discussion list are persons writing, so bulk marks count only without
    List-Post, list software's own headers, or an answer's references.
    """
    if content_type == "multipart/report" or "x-failed-recipients" in headers:
        return "bounce"
    if _DAEMON.search(_first(headers, "from")):
        return "bounce"
    if _is_auto_reply(headers, subject):
        return "auto_reply"
    if re.fullmatch(r"<\s*>", _first(headers, "return-path")):
        return "bounce"
    return "newsletter" if _is_bulk(headers) and not _is_discussion(headers) else None


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name)
    return values[0].strip() if values else ""


def _is_auto_reply(headers: Mapping[str, Sequence[str]], subject: str) -> bool:
    submitted = _first(headers, "auto-submitted").lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or any(name in headers for name in _AUTO_HEADERS)
        or _first(headers, "precedence").lower() in ("auto_reply", "auto-reply")
        or _AUTO_SUBJECT.match(subject) is not None
    )


def _is_bulk(headers: Mapping[str, Sequence[str]]) -> bool:
    if _first(headers, "precedence").lower() in ("bulk", "junk"):
        return True
    if _NEWSLETTER_SENDER.search(_first(headers, "from")):
        return True
    return "list-unsubscribe" in headers and any(name in headers for name in _BULK_HEADERS)


def _is_discussion(headers: Mapping[str, Sequence[str]]) -> bool:
    post = _first(headers, "list-post").upper()
    return (bool(post) and not post.startswith("NO")) or any(name in headers for name in _DISCUSSION_HEADERS)
