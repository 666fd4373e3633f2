"""Every record of the demo, ordinary and planted, before it takes the form of its source."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random

import numpy as np

from pipelines.demo.compose import Composer, Matter, Scene
from pipelines.demo.content import Content, Subject
from pipelines.demo.everyday import Everyday
from pipelines.demo.grammar import pick
from pipelines.demo.organisation import Organisation, Store
from pipelines.demo.plot import Act, Draft
from pipelines.demo.rhythm import day_date, draw_volumes
from pipelines.demo.voices import Customer, Customers, Style
from pipelines.words import strip_accents, words

SHARES = {"survey": 0.6433, "field_notes": 0.15, "complaints": 0.1167, "mail": 0.0833, "letters": 0.0067}
"""Of all texts, by source; they sum to 1."""
IDENTIFIERS = {
    "survey": "R{number:06d}",
    "field_notes": "N{number:06d}",
    "complaints": "REC-{number:06d}",
    "mail": "<{day:%Y%m%d}.{number:06d}.genere@lavoine.invalid>",
    "letters": "LET-{number:05d}",
}

_SCORES = range(11)
_SCORE_WEIGHTS = (2.5, 1, 1.5, 2.5, 3, 5, 6, 12, 20, 17, 29)
_CONTENT_SHARE = (0.02, 0.03, 0.04, 0.06, 0.08, 0.2, 0.4, 0.65, 0.86, 0.95, 0.97)
"""Share of texts that praise, by score: most people mean what they tick."""
_HALF_POINT = 0.02
_PLANTED_SCORES = {"hidden_by_scores": (8, 8, 9, 9, 10), "praise": (9, 10, 10), "loud_customer": (0, 0, 1)}
_TROUBLED_SCORES = (1, 2, 3, 3, 4, 5, 5, 6)
_ANY_SCORES = (3, 5, 6, 7, 8, 8, 9, 10)
_HAPPY_ITEMS = ("hidden_by_scores", "praise")
_SPLIT_ITEMS = ("season",)


@dataclass(slots=True)
class Entry:
    """One record.

    own_id: given once all are sorted. moment: local time of Europe/Paris. author: the customer. agent: who
    wrote the note, or took the complaint. title: subject of a mail. score: 0 to 10, surveys only.
    planted: the item's name.
    """

    source: str
    moment: datetime
    store: Store
    text: str
    author: Customer | None = None
    agent: str = ""
    title: str = ""
    score: float | None = None
    planted: str | None = None
    own_id: str = ""


class Writer:
    """Writes the entries of one source after another."""

    def __init__(
        self,
        content: Content,
        organisation: Organisation,
        *,
        composer: Composer,
        everyday: Everyday,
        customers: Customers,
        acts: Sequence[Act],
        rng: Random,
    ) -> None:
        self._content = content
        self._organisation = organisation
        self._composer = composer
        self._everyday = everyday
        self._customers = customers
        self._variants = {act.name: act.variant for act in acts}
        self._drafts: dict[str, list[Draft]] = defaultdict(list)
        for act in acts:
            for draft in act.drafts:
                self._drafts[draft.source].append(draft)
        self._rng = rng
        self._planted_keys: set[str] = set()
        self._everyday_writers = {
            "survey": self._survey,
            "field_notes": self._note,
            "complaints": self._complaint,
            "mail": self._mail,
            "letters": self._letter,
        }

    def entries(self, source: str, total: int, volumes: np.random.Generator) -> list[Entry]:
        """All records of a source in the order of time, identified; `total` counts the planted ones."""
        planted = self._drafts[source]
        stores = self._organisation.stores
        counts = draw_volumes(
            self._organisation,
            total=max(0, total - len(planted)),
            busy=self._everyday.busy(len(stores)),
            rng=volumes,
        )
        found = [self._planted(draft) for draft in planted]
        write = self._everyday_writers[source]
        for day, store in zip(*np.nonzero(counts), strict=True):
            found += [write(int(day), stores[store]) for _ in range(counts[day, store])]
        found.sort(key=lambda entry: entry.moment)
        for number, entry in enumerate(found, start=1):
            entry.own_id = IDENTIFIERS[source].format(number=number, day=entry.moment)
        return found

    def _moment(self, day: int) -> datetime:
        """Some second between eight in the morning and ten in the evening."""
        return datetime.combine(day_date(day), time(8)) + timedelta(seconds=int(self._rng.random() * 50_400))

    def _subject(self, day: int, store: Store, *, remote: bool, voice: str = "customer") -> Subject:
        return self._everyday.subject(voice, remote=remote, day=day, store=store.index)

    def _survey(self, day: int, store: Store) -> Entry:
        rng = self._rng
        score = rng.choices(_SCORES, _SCORE_WEIGHTS)[0]
        author = self._customers.writer(store.index)
        scene = Scene(day, store, author.style)
        text = self._answer(scene, score)
        shown = score + 0.5 if score < 10 and rng.random() < _HALF_POINT else float(score)
        known = author if rng.random() > 0.15 else None
        return Entry("survey", self._moment(day), store, text, author=known, score=shown)

    def _answer(self, scene: Scene, score: int) -> str:
        """The free text that goes with a score; often empty."""
        rng = self._rng
        positive = rng.random() < _CONTENT_SHARE[score]
        if rng.random() < (0.38 if score >= 8 else 0.18):
            return ""
        kind = rng.random()
        if kind < 0.012:
            return self._composer.compose_english(scene, positive=positive)
        if kind < 0.2:
            return self._composer.compose_short(scene, Matter((), positive))
        subject = self._subject(scene.day, scene.store, remote=False)
        if 4 <= score <= 9 and rng.random() < 0.22:
            other = self._subject(scene.day, scene.store, remote=False)
            return self._composer.compose_turned(
                scene,
                self._everyday.matter(subject, positive=True, sentences=1),
                self._everyday.matter(other, positive=False, sentences=1),
            )
        sentences = 2 if rng.random() < 0.5 else 1
        return self._composer.compose_survey(
            scene, self._everyday.matter(subject, positive=positive, sentences=sentences)
        )

    def _mail(self, day: int, store: Store) -> Entry:
        subject, positive = self._subject(day, store, remote=True), self._rng.random() < 0.14
        matter = self._long_matter(subject, positive, day, store)
        author = self._customers.writer(store.index)
        text = self._composer.compose_mail(Scene(day, store, author.style, author.name), matter)
        return Entry(
            "mail", self._moment(day), store, text, author=author, title=self._title(subject, positive)
        )

    def _letter(self, day: int, store: Store) -> Entry:
        subject, positive = self._subject(day, store, remote=True), self._rng.random() < 0.1
        matter = self._long_matter(subject, positive, day, store)
        author = self._customers.writer(store.index)
        text = self._composer.compose_letter(Scene(day, store, author.style, author.name), matter)
        return Entry("letters", self._moment(day), store, text, author=author)

    def _complaint(self, day: int, store: Store) -> Entry:
        subject = self._subject(day, store, remote=True)
        matter = self._everyday.matter(
            subject, positive=False, sentences=2 if self._rng.random() < 0.45 else 1
        )
        author = self._customers.writer(store.index)
        text = self._composer.compose_complaint(Scene(day, store, author.style), matter)
        return Entry(
            "complaints", self._moment(day), store, text, author=author, agent=pick(self._rng, store.agents)
        )

    def _note(self, day: int, store: Store) -> Entry:
        rng = self._rng
        subject = self._subject(day, store, remote=False, voice="field")
        positive = rng.random() < 0.3
        matter = self._everyday.matter(subject, positive=positive, sentences=2 if rng.random() < 0.5 else 1)
        text = self._composer.compose_note(Scene(day, store, _agent_style(rng)), matter)
        return Entry("field_notes", self._moment(day), store, text, agent=pick(rng, store.agents))

    def _long_matter(self, subject: Subject, positive: bool, day: int, store: Store) -> Matter:
        """Two or three sentences on the subject, at times one more on something else."""
        rng = self._rng
        matter = self._everyday.matter(subject, positive=positive, sentences=2 + (rng.random() < 0.6))
        if rng.random() < 0.3:
            other = self._subject(day, store, remote=True)
            extra = self._everyday.matter(other, positive=positive, sentences=1)
            return Matter([*matter.sentences, *extra.sentences], positive)
        return matter

    def _title(self, subject: Subject, positive: bool) -> str:
        general = (
            ("Remerciements", "Satisfaction", "Bravo")
            if positive
            else ("Réclamation", "Mécontentement", "Votre magasin")
        )
        return pick(self._rng, subject.titles if not positive and self._rng.random() < 0.7 else general)

    def _planted(self, draft: Draft) -> Entry:
        """The draft's wording among ordinary sentences of the same mood."""
        rng = self._rng
        entry = Entry(
            draft.source, self._moment(draft.day), draft.store, "", author=draft.author, planted=draft.item
        )
        if draft.source == "survey":
            entry.score = float(pick(rng, _scores(draft.item)))
        if draft.source == "mail":
            entry.title = pick(rng, self._variants[draft.item].titles)
        if draft.source in ("complaints", "field_notes"):
            entry.agent = pick(rng, draft.store.agents)
        entry.text = self._unlike_others(lambda: self._planted_text(draft, entry.score))
        return entry

    def _unlike_others(self, write: Callable[[], str]) -> str:
        """A text that differs from every planted one in more than accents and punctuation."""
        while True:
            text = write()
            key = strip_accents(" ".join(words(text, "fr")))
            if key not in self._planted_keys:
                self._planted_keys.add(key)
                return text

    def _planted_text(self, draft: Draft, score: float | None) -> str:
        author = draft.author
        if author is None:
            scene = Scene(draft.day, draft.store, _agent_style(self._rng))
            return self._composer.compose_note(scene, Matter((draft.pattern,), positive=False))
        scene = Scene(draft.day, draft.store, author.style, author.name)
        if draft.item == "campaign":
            return self._composer.compose_campaign(scene, draft.pattern)
        positive = draft.item in _HAPPY_ITEMS or (draft.item in _SPLIT_ITEMS and (score or 0) > 6)
        sentences = [draft.pattern]
        if draft.source != "survey" or self._rng.random() < 0.6:
            remote = draft.source != "survey"
            subject = self._subject(draft.day, draft.store, remote=remote)
            extra = self._everyday.matter(subject, positive=positive, sentences=1).sentences
            sentences = [draft.pattern, *extra] if self._rng.random() < 0.7 else [*extra, draft.pattern]
        compose = {
            "survey": self._composer.compose_survey,
            "mail": self._composer.compose_mail,
            "letters": self._composer.compose_letter,
            "complaints": self._composer.compose_complaint,
        }[draft.source]
        return compose(scene, Matter(sentences, positive))


def _scores(item: str) -> Sequence[int]:
    if item in _SPLIT_ITEMS:
        return _ANY_SCORES
    return _PLANTED_SCORES.get(item, _TROUBLED_SCORES)


def _agent_style(rng: Random) -> Style:
    return Style(
        typo_rate=0.02 if rng.random() < 0.3 else 0.0,
        accents=rng.random() > 0.12,
        abbreviates=rng.random() < 0.15,
        capitals=rng.random() > 0.4,
        full_stop=rng.random() > 0.6,
    )
