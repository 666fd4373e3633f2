"""What ordinary texts are about: seasons, Saturdays, each store's own habits, and small rushes."""

from bisect import bisect
from itertools import accumulate
from operator import mul
from random import Random

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.compose import Matter
from pipelines.demo.content import Content, Subject
from pipelines.demo.grammar import Pattern, pick
from pipelines.demo.organisation import Organisation
from pipelines.demo.rhythm import DAYS, SATURDAY, day_date, season_level

HABIT = 5.0
"""Factor of a store's recurrent subjects, all year."""
RUSHES = 80
RUSH_DAYS = 2
RUSH_VOLUME = 2.0
RUSH_SHARE = 0.5
"""Share of a rush's texts that are about its subject."""


class Everyday:
    """Draws subjects and sentences. Rushes are spells of RUSH_DAYS in one store about one subject."""

    def __init__(self, content: Content, organisation: Organisation, rng: Random) -> None:
        self._rng = rng
        self._subjects = {"customer": content.customer, "field": content.field}
        stores = len(organisation.stores)
        self._habits = {"customer": self._draw_habits(stores), "field": [[1.0] * len(content.field)] * stores}
        self._rushes = self._draw_rushes(stores)
        self._of_day: dict[tuple[str, bool, int], list[float]] = {}
        self._cumulative: dict[tuple[str, bool, int, int], list[float]] = {}

    def _draw_habits(self, stores: int) -> list[list[float]]:
        """Factor of each subject in each store: two subjects come back all year."""
        subjects = self._subjects["customer"]
        habits = [[1.0] * len(subjects) for _ in range(stores)]
        for factors in habits:
            for place in self._rng.sample(range(len(subjects)), 2):
                factors[place] = HABIT
        return habits

    def _draw_rushes(self, stores: int) -> dict[tuple[int, int], Subject]:
        always = [subject for subject in self._subjects["customer"] if subject.season is None]
        rushes: dict[tuple[int, int], Subject] = {}
        for _ in range(RUSHES):
            store, first, subject = (
                self._rng.randrange(stores),
                self._rng.randrange(DAYS),
                pick(self._rng, always),
            )
            rushes.update({(day, store): subject for day in range(first, first + RUSH_DAYS)})
        return rushes

    def busy(self, stores: int) -> NDArray[np.float64]:
        """Factor of the volume of each day and store, shape (DAYS, stores)."""
        factors = np.ones((DAYS, stores))
        for day, store in self._rushes:
            if day < DAYS:
                factors[day, store] = RUSH_VOLUME
        return factors

    def subject(self, voice: str, *, remote: bool, day: int, store: int) -> Subject:
        """voice: customer or field. remote: whether in a mail, letter or complaint."""
        rush = self._rushes.get((day, store))
        if rush is not None and voice == "customer" and self._rng.random() < RUSH_SHARE:
            return rush
        key = (voice, remote, day, store)
        if key not in self._cumulative:
            self._cumulative[key] = self._weigh(*key)
        cumulative = self._cumulative[key]
        return self._subjects[voice][bisect(cumulative, self._rng.random() * cumulative[-1])]

    def _weigh(self, voice: str, remote: bool, day: int, store: int) -> list[float]:
        """Cumulative weights of the voice's subjects that day in that store."""
        key = (voice, remote, day)
        if key not in self._of_day:
            self._of_day[key] = [_weight(subject, remote, day) for subject in self._subjects[voice]]
        return list(accumulate(map(mul, self._of_day[key], self._habits[voice][store])))

    def matter(self, subject: Subject, *, positive: bool, sentences: int) -> Matter:
        """Some sentences of one subject, none twice."""
        patterns = subject.positive if positive else subject.negative
        first = pick(self._rng, patterns)
        chosen: list[Pattern] = [first]
        if sentences > 1:
            others = [pattern for pattern in patterns if pattern is not first]
            chosen += self._rng.sample(others, min(sentences - 1, len(others)))
        return Matter(chosen, positive)


def _weight(subject: Subject, remote: bool, day: int) -> float:
    """How often the subject comes up on a day, in a store without habits."""
    saturday = subject.saturday if day % 7 == SATURDAY else 1.0
    distance = subject.remote if remote else 1.0
    return subject.weight * season_level(subject.season, day_date(day)) * saturday * distance
