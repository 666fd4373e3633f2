"""The words of a message: what an alert or a digest says to its subscriber."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.alerts.actions import ACTIONS, Actions
from connectors.alerts.envelope import Envelope
from connectors.alerts.links import Links
from connectors.alerts.outbox import Message
from connectors.alerts.subscription import Subscription
from connectors.alerts.subscriptions import Kept
from connectors.store import Store
from dashboards.desk.pictures import Pictures
from dashboards.desk.render import as_png, render
from dashboards.desk.shown import NOT_SUSTAINED, Organisation, Shown, name_of, show
from dashboards.desk.words import Words, words_of

MAIL_EXCERPTS, DIGEST_EXCERPTS = 3, 1
PICTURE = "observed"
_PICTURE_PIXELS = 1040
"""Twice what mails show it at: screens of phones are dense."""
_ANSWERS = tuple(action for action in ACTIONS if action != "comment")


@dataclass(frozen=True, slots=True)
class _Item:
    """A signal in a message. answers: link and words of each."""

    raised: date
    signal: Shown
    link: str
    answers: Sequence[tuple[str, str]]
    capped: bool


class Composer:
    """Words messages from what the store holds now. link_days: how long links are good."""

    def __init__(self, store: Store, links: Links, organisation: Organisation, *, link_days: int) -> None:
        self._store = store
        self._actions = Actions(store)
        self._pictures = Pictures(store)
        self._links = links
        self._organisation = organisation
        self._link_days = link_days
        self._names = {row["path"]: row["name"] for row in store.perimeters()}

    def compose(self, message: Message, kept: Kept) -> Envelope | None:
        """The message; None where none of its signals is there to be told of any more."""
        words = words_of(kept.subscription.lang)
        items = [item for signal_id, _ in message.signals if (item := self._item(message, kept, signal_id))]
        if not items:
            return None
        common = {
            "w": words,
            "organisation": self._organisation.name,
            "reason": reason(kept.subscription, self._names, words),
            "unsubscribe": self._links.unsubscribe(kept.id),
            "link_days": self._link_days,
        }
        if message.kind == "digest":
            return self._digest(message, kept, items, words, common)
        return self._alert(message, items[0], words, common)

    def _item(self, message: Message, kept: Kept, signal_id: str) -> _Item | None:
        words = words_of(kept.subscription.lang)
        signal = self._store.signal(signal_id)
        shown = show(
            signal,
            self._store.evidence(signal_id),
            self._actions.of(signal_id),
            wanted=kept.subscription,
            names=self._names,
            organisation=self._organisation,
            words=words,
            excerpts=DIGEST_EXCERPTS if message.kind == "digest" else MAIL_EXCERPTS,
        )
        if signal is None or shown is None or shown.merged:
            return None
        if shown.standing == NOT_SUSTAINED and signal_id not in message.withdrawals:
            # Who was told of it learns that it is withdrawn by a message of its own, who was not need not.
            return None
        link = self._links.signal(kept.id, signal_id)
        answers = [(f"{link}?do={action}#answer", words.of("actions", action)) for action in _ANSWERS]
        return _Item(signal["bucket"], shown, link, answers, signal_id in message.capped)

    def _alert(self, message: Message, item: _Item, words: Words, common: Mapping[str, Any]) -> Envelope:
        shown = item.signal
        (signal_id, _), *_ = message.signals
        svg = self._pictures.compact(signal_id, words.lang)
        change = _change(shown, grown=bool(message.earlier))
        again = words[f"mail.{change}"] if change in ("grown", "withdrawn") else ""
        values = {**common, "item": item, "s": shown, "again": again, "picture": PICTURE if svg else None}
        return Envelope(
            message_id=message.id,
            subject=_subject(shown, change, words),
            text=render("alert.txt", **values),
            html=render("alert.html", **values),
            brief=render("brief.txt", **values),
            unsubscribe=common["unsubscribe"],
            pictures={PICTURE: as_png(svg, width=_PICTURE_PIXELS)} if svg else {},
            follows=message.earlier,
            facts={"signal_id": signal_id, "perimeter": shown.place, "label": shown.label, "link": item.link},
        )

    def _digest(
        self,
        message: Message,
        kept: Kept,
        items: Sequence[_Item],
        words: Words,
        common: Mapping[str, Any],
    ) -> Envelope:
        # The newest first, and of a day those of one place together.
        items = sorted(items, key=lambda one: (-one.raised.toordinal(), one.signal.place, one.signal.label))
        groups = [
            (words.fill("mail.capped", kept.subscription.weekly_cap), [one for one in items if one.capped]),
            (words["mail.new"], [one for one in items if not one.capped]),
        ]
        values = {**common, "groups": [group for group in groups if group[1]], "items": items}
        places = ", ".join(dict.fromkeys(one.signal.place for one in items))
        if len(items) == 1:
            subject = words.fill("mail.subject_digest_one", places)
        else:
            subject = words.fill("mail.subject_digest", len(items), places)
        return Envelope(
            message_id=message.id,
            subject=_short(subject),
            text=render("digest.txt", **values),
            html=render("digest.html", **values),
            brief=render("brief_digest.txt", **values),
            unsubscribe=common["unsubscribe"],
            facts={"signals": str(len(items))},
            left_out=frozenset(dict(message.signals)) - {one.signal.signal_id for one in items},
        )


def reason(wanted: Subscription, names: Mapping[str, str], words: Words) -> str:
    """Why a message comes to its subscriber, in one sentence."""
    places = ", ".join(name_of(path, names) for path in wanted.perimeters)
    if wanted.descendants:
        several = "mail.reason_inside_many" if len(wanted.perimeters) > 1 else "mail.reason_inside"
        places = words.fill(several, places)
    about = [
        *(words.of("dimensions", one) for one in wanted.dimensions),
        *(one.replace("_", " ") for one in wanted.themes),
    ]
    parts = [places]
    if about:
        parts.append(words.fill("mail.reason_about", ", ".join(about)))
    if wanted.functions:
        named = ", ".join(words.of("functions", one) for one in wanted.functions)
        parts.append(words.fill("mail.reason_kinds", named))
    if wanted.kinds:
        parts.append(
            words.fill("mail.reason_kinds", ", ".join(words.of("kinds", one) for one in wanted.kinds))
        )
    parts.append(words[f"mail.rhythm_{wanted.rhythm}"])
    return words.fill("mail.reason", wanted.subscriber, ", ".join(parts))


def _change(shown: Shown, *, grown: bool) -> str:
    """What an alert tells of a signal: what it is, or what became of it since it was told of."""
    if shown.standing == NOT_SUSTAINED:
        return "withdrawn"
    if shown.people is None:
        return "silence"
    return "grown" if grown else shown.standing or "new"


def _subject(shown: Shown, change: str, words: Words) -> str:
    return _short(words.fill(f"mail.subject_{change}", shown.place, shown.label, shown.people))


def _short(subject: str, most: int = 150) -> str:
    """One line, not too long for a list of mails."""
    line = " ".join(subject.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
