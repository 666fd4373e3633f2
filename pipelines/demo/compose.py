"""Turns a subject into a whole text, as a survey answer, mail, letter, complaint or agent's note."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from pipelines.demo.content import Content
from pipelines.demo.goods import Goods, with_determiner
from pipelines.demo.grammar import Pattern, pick
from pipelines.demo.organisation import Store
from pipelines.demo.voices import Style, type_as

Say = Callable[[Pattern], str]
Frame = Mapping[str, Sequence[Pattern]]

AGENT_STYLE = Style(capitals=False, full_stop=False)
_JOINTS = (". ", ". ", ". ", ", ", " ; ", " ... ")
_BRANDED = 0.45
"""Share of articles named with their brand."""
_LINKED = 0.35
_SIGNATORY = Pattern.compile("Signataire n° {ref}")
_TURNS = ("mais", "par contre", "en revanche", "cependant", "seul bémol,")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when something is written, and by whom."""

    day: int
    store: Store
    style: Style
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """What a text is about. sentences: patterns, told in order; positive: whether it is praise."""

    sentences: Sequence[Pattern]
    positive: bool


class Composer:
    """compose_<kind>(scene, matter): the finished text."""

    def __init__(self, content: Content, goods: Goods, rng: Random) -> None:
        self._content = content
        self._goods = goods
        self._rng = rng

    def compose_survey(self, scene: Scene, matter: Matter) -> str:
        rng, frame = self._rng, self._content.frames["survey"]
        say = self._speaker(scene)
        told = self._told(say, matter)
        if rng.random() < 0.08:
            told[0] = f"{say(pick(rng, frame['opening']))} {told[0]}"
        if rng.random() < 0.4:
            told.append(say(pick(rng, frame["after_positive" if matter.positive else "after_negative"])))
        return self._typed(join(told, pick(rng, _JOINTS)), scene)

    def compose_short(self, scene: Scene, matter: Matter) -> str:
        """A survey answer of a few words, about nothing in particular."""
        frame = self._content.frames["survey"]
        say = self._speaker(scene)
        short = say(pick(self._rng, frame["short_positive" if matter.positive else "short_negative"]))
        after = (
            say(pick(self._rng, frame["after_positive"]))
            if matter.positive and self._rng.random() < 0.3
            else ""
        )
        return self._typed(join([part for part in (short, after) if part], ", "), scene)

    def compose_turned(self, scene: Scene, matter: Matter, other: Matter) -> str:
        """A survey answer of two minds: first one matter, then, by contrast, another."""
        say = self._speaker(scene)
        first, second = self._told(say, matter)[0], self._told(say, other)[0]
        return self._typed(
            join([first + pick(self._rng, (", ", " ")) + pick(self._rng, _TURNS) + " " + second], ". "), scene
        )

    def compose_english(self, scene: Scene, *, positive: bool) -> str:
        patterns = self._content.frames["english"]["positive" if positive else "negative"]
        say = self._speaker(scene)
        told = [say(pattern) for pattern in self._rng.sample(patterns, 1 + (self._rng.random() < 0.5))]
        return join(told, ". ")

    def compose_complaint(self, scene: Scene, matter: Matter) -> str:
        rng, frame = self._rng, self._content.frames["complaint"]
        say = self._speaker(scene)
        told = self._told(say, matter)
        if rng.random() < 0.35:
            told[0] = f"{say(pick(rng, frame['opening']))} {told[0]}"
        if rng.random() < 0.55:
            told.append(say(pick(rng, frame["request"])))
        return self._typed(join(told, ". "), scene)

    def compose_note(self, scene: Scene, matter: Matter) -> str:
        rng, frame = self._rng, self._content.frames["note"]
        say = self._speaker(scene)
        told = self._told(say, matter)
        if rng.random() < 0.2:
            told[0] = f"{say(pick(rng, frame['opening']))} {told[0]}"
        if rng.random() < 0.3:
            told.append(say(pick(rng, frame["closing"])))
        return self._typed(join(told, pick(rng, (". ", " - ", " / ", ", "))), scene)

    def compose_mail(self, scene: Scene, matter: Matter) -> str:
        """Greeting, one or two paragraphs, closing and name, as lines."""
        rng, frame = self._rng, self._content.frames["mail"]
        say = self._speaker(scene)
        told = self._linked(say, matter)
        if rng.random() < 0.55:
            told.insert(0, say(pick(rng, frame["context"])))
        ask = ""
        if rng.random() < 0.7:
            ask = say(pick(rng, frame["request_positive" if matter.positive else "request_negative"]))
        return self._letter(frame, say, told, ask, scene)

    def compose_letter(self, scene: Scene, matter: Matter) -> str:
        """Like a mail, longer and more formal."""
        rng, frame = self._rng, self._content.frames["letter"]
        say = self._speaker(scene)
        told = [say(pick(rng, frame["context"])), *self._linked(say, matter)]
        requests = self._content.frames["mail"]["request_positive" if matter.positive else "request_negative"]
        return self._letter(frame, say, told, say(pick(rng, requests)), scene)

    def compose_campaign(self, scene: Scene, body: Pattern) -> str:
        """The mail everybody sends: only greeting, closing, name and number differ."""
        rng, frame = self._rng, self._content.frames["mail"]
        say = self._speaker(scene)
        opening, closing = say(pick(rng, frame["opening"])), say(pick(rng, frame["closing"]))
        number = say(_SIGNATORY)
        return f"{opening}\n\n{say(body)}\n\n{closing}\n{scene.signature}\n{number}"

    def _letter(self, frame: Frame, say: Say, told: Sequence[str], ask: str, scene: Scene) -> str:
        rng = self._rng
        paragraphs = [self._typed(join(told, ". "), scene)]
        if ask:
            paragraphs.append(self._typed(join([ask], ". "), scene))
        opening, closing = say(pick(rng, frame["opening"])), say(pick(rng, frame["closing"]))
        return "\n\n".join([opening, *paragraphs, f"{closing}\n{scene.signature}"])

    def _told(self, say: Say, matter: Matter) -> list[str]:
        return [say(pattern) for pattern in matter.sentences]

    def _linked(self, say: Say, matter: Matter) -> list[str]:
        """The sentences, some tied to the one before by a word."""
        links = self._content.frames["mail"]["link"]
        first, *others = self._told(say, matter)
        return [
            first,
            *(
                f"{say(pick(self._rng, links))} {other}" if self._rng.random() < _LINKED else other
                for other in others
            ),
        ]

    def _typed(self, text: str, scene: Scene) -> str:
        return type_as(text, scene.style, abbreviations=self._content.abbreviations, rng=self._rng)

    def _speaker(self, scene: Scene) -> Say:
        filler = _Filler(self._content, self._goods, scene, self._rng)
        return lambda pattern: pattern.render(self._rng, filler.fill)


class _Filler:
    """Fills the slots of one text. `{e}` agrees with the article named last."""

    def __init__(self, content: Content, goods: Goods, scene: Scene, rng: Random) -> None:
        self._slots = content.slots
        self._streets = content.vocabulary["streets"]
        self._goods = goods
        self._scene = scene
        self._rng = rng
        self._feminine = False

    def fill(self, name: str) -> str:
        """Raises KeyError where no slot has this name."""
        if name in self._slots:
            return pick(self._rng, self._slots[name])
        if name.endswith("produit"):
            return self._article(name)
        if name == "e":
            return "e" if self._feminine else ""
        if name == "prix":
            return _price(self._rng)
        if name == "agent":
            return _called(pick(self._rng, self._scene.store.agents), self._rng)
        if name == "ville":
            return self._scene.store.name
        if name == "rue":
            return pick(self._rng, self._streets)
        if name == "ref":
            return str(self._rng.randrange(100_000, 999_999))
        raise KeyError(f"no slot is called {name!r}")

    def _article(self, slot: str) -> str:
        article = self._goods.draw(self._scene.day)
        self._feminine = article.feminine
        branded = self._rng.random() < _BRANDED
        noun = f"{article.noun} {article.brand}" if branded else article.noun
        return with_determiner(slot, noun, feminine=article.feminine)


def join(sentences: Sequence[str], joint: str) -> str:
    """One paragraph: capitals after full stops, one mark at the end.

    >>> join(["trop long", "pourquoi ?", "merci"], ". ")
    'Trop long. Pourquoi ? Merci.'
    """
    out = ""
    for sentence in sentences:
        if not out or out.endswith(("?", "!")) or "." in joint:
            sentence = sentence[:1].upper() + sentence[1:]
        if out:
            out += " " if out.endswith(("?", "!", ".")) else joint
        out += sentence
    return out if out.endswith(("?", "!", ".")) else f"{out}."


def _price(rng: Random) -> str:
    euros = int(5 * 60 ** rng.random())
    return rng.choice((f"{euros} euros", f"{euros} €", f"{euros},90 €", f"{euros},99€", f"{euros}€"))


def _called(agent: str, rng: Random) -> str:
    """An agent as customers and colleagues name them."""
    return agent if rng.random() < 0.6 else f"{rng.choice(('M.', 'Mme'))} {agent.split(' ', 1)[1]}"
