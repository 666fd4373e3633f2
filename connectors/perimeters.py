"""The tree of perimeters: which place in the organisation a text belongs to.

A perimeter is a path from the root, `enseigne/nord/lille-2`. The tree comes from a CSV, and then a name that
is not in it is unknown; or it is made of the paths met, and then every name is a place.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import SettingsError

_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d", "ł": "l"})
_NOT_WORD = re.compile(r"[\W_]+")
_CACHE_LIMIT = 100_000
COLUMNS = ("perimeter", "name", "aliases", "moved_from")
"""Of a CSV of perimeters; the first is needed."""


def slugify(name: str) -> str:
    """Lower case, without accents, words joined by hyphens; empty if nothing is left.

    >>> slugify("  Hauts-de-France / Cœur d'Été ")
    'hauts-de-france-coeur-d-ete'
    """
    # Compatibility forms hide capitals, and folding capitals can bring accents back.
    plain = _without_accents(_without_accents(name).casefold().translate(_LETTERS))
    return _NOT_WORD.sub("-", plain).strip("-")


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def slug_path(path: str) -> str:
    """Slugify each segment of a path; blank segments vanish.

    >>> slug_path("Enseigne/ Nord /Lille 2/")
    'enseigne/nord/lille-2'
    """
    return "/".join(slug for segment in path.split("/") if (slug := slugify(segment)))


def parent(path: str) -> str | None:
    """The perimeter above; None for the root."""
    return path.rpartition("/")[0] or None


def division(path: str) -> str:
    """The first level under the root; the root itself for the root.

    >>> division("enseigne/nord/lille-2"), division("enseigne")
    ('enseigne/nord', 'enseigne')
    """
    return "/".join(path.split("/", 2)[:2])


def levels(path: str) -> tuple[str, ...]:
    """The perimeter and those above it, from the smallest to the root.

    >>> levels("enseigne/nord/lille-2")
    ('enseigne/nord/lille-2', 'enseigne/nord', 'enseigne')
    """
    return (path, *_ancestors(path))


def _ancestors(path: str) -> Iterator[str]:
    while above := parent(path):
        yield above
        path = above


def moved(path: str, moves: Mapping[str, str]) -> str:
    """Where a path stands today. moves: old paths to new ones; what stood under an old one moves along.

    >>> moved("e/nord/lille", {"e/nord": "e/hauts"}), moved("e/hauts/lille", {"e/nord": "e/hauts"})
    ('e/hauts/lille', 'e/hauts/lille')
    """
    # A move may lead to another one, of a place that moved again; never more often than there are moves.
    for _ in moves:
        old = next((level for level in levels(path) if level in moves), None)
        if old is None:
            break
        path = moves[old] + path[len(old) :]
    return path


@dataclass(frozen=True, slots=True)
class Perimeter:
    """One node of a tree read from a CSV. name: for people; aliases: what sources also call it.

    moved_from: paths it had before.
    """

    path: str
    name: str | None = None
    aliases: tuple[str, ...] = ()
    moved_from: tuple[str, ...] = ()


class PerimeterTree:
    """Turns what a source calls a place into a path of the tree.

    root: the organisation's slug. perimeters: the nodes, None for a tree made of the paths met.
    """

    def __init__(self, root: str, perimeters: Mapping[str, Perimeter] | None = None) -> None:
        self.root = slugify(root)
        if not self.root:
            raise ValueError(f"root is {root!r}; it needs a letter or a digit")
        self.closed = perimeters is not None
        self._nodes = dict(perimeters or {})
        self._nodes.setdefault(self.root, Perimeter(self.root))
        self._aliases = {slugify(alias): node.path for node in self._nodes.values() for alias in node.aliases}
        self.moves = {old: node.path for node in self._nodes.values() for old in node.moved_from}
        """Paths that places had before, to those they have now."""
        self._labels = {path: _labels(node) for path, node in self._nodes.items()}
        self._by_label: dict[str, list[str]] = {}
        for path, labels in self._labels.items():
            for label in labels:
                self._by_label.setdefault(label, []).append(path)
        self._resolved: dict[str, str | None] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path known so far, sorted; without a CSV, those met and the ones above them."""
        return tuple(sorted(self._nodes))

    def name(self, path: str) -> str:
        """What people call the perimeter; its last segment where no name was given."""
        node = self._nodes.get(path)
        return (node.name if node else None) or path.rpartition("/")[2]

    def resolve(self, raw: str) -> str | None:
        """The path of what a source calls `raw`; None if the tree does not know it, or knows several.

        In turn: a full path, of today or of before a move; an alias or a name; a name whose parents, where
        given, are above it. Case, accents and punctuation do not count. Without a CSV every name that has a
        letter or a digit is a place under the root.
        """
        if raw not in self._resolved:
            if len(self._resolved) >= _CACHE_LIMIT:
                self._resolved.clear()
            self._resolved[raw] = self._known(raw) if self.closed else self._met(raw)
        return self._resolved[raw]

    def _met(self, raw: str) -> str | None:
        path = slug_path(raw)
        if not path:
            return None
        if path != self.root and not path.startswith(f"{self.root}/"):
            path = f"{self.root}/{path}"
        for level in levels(path):
            self._nodes.setdefault(level, Perimeter(level))
        return path

    def _known(self, raw: str) -> str | None:
        path = slug_path(raw)
        if not path:
            return None
        for full in (path, f"{self.root}/{path}"):
            if (now := moved(full, self.moves)) in self._nodes and (full == path or now != full):
                return now
        alias = self._aliases.get(slugify(raw))
        if alias is not None:
            return alias
        whole = self._by_label.get(slugify(raw), [])
        found = whole or self._by_segments(path.split("/"))
        return found[0] if len(found) == 1 else None

    def _by_segments(self, segments: list[str]) -> list[str]:
        """Nodes labelled like the last segment, under nodes labelled like the others, in order."""
        *above, last = segments
        return [path for path in self._by_label.get(last, []) if self._is_under(path, above)]

    def _is_under(self, path: str, above: list[str]) -> bool:
        ancestors = _ancestors(path)
        return all(
            any(label in self._labels[ancestor] for ancestor in ancestors) for label in reversed(above)
        )


def _labels(node: Perimeter) -> frozenset[str]:
    own = {node.path.rpartition("/")[2], *map(slugify, node.aliases)}
    if node.name:
        own.add(slugify(node.name))
    return frozenset(own - {""})


def read_perimeters(path: Path, *, root: str | None = None) -> PerimeterTree:
    """Read a tree from a CSV with the columns `perimeter`, and if wanted `name`, `aliases` and `moved_from`.

    aliases and moved_from, the paths that the perimeter had before, may be several, split by `|`.
    root: the organisation's, which the tree's must be; any where None. Parents that are not listed are made.
    Raises SettingsError listing every fault, with its line where it has one.
    """
    return _Reader(path).read(root)


class _Reader:
    """Collects nodes and faults over the lines of one CSV."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.nodes: dict[str, Perimeter] = {}
        self.lines: dict[str, int] = {}
        self.aliases: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.faults: list[str] = []

    def read(self, root_wanted: str | None) -> PerimeterTree:
        rows = self._rows()
        for line, row in rows:
            self._add(line, row)
        roots = {path.split("/")[0]: self.lines[path] for path in reversed(self.nodes)}
        if not self.nodes and not self.faults:
            self.faults.append(f"{self.path}: no perimeter; list at least the root")
        for root, line in sorted(roots.items(), key=lambda item: item[1])[1:]:
            first = next(iter(self.nodes)).split("/")[0]
            self._fault(
                line, f"a second root {root!r}, the first is {first!r}; every path starts at one root"
            )
        if root_wanted is not None and roots and root_wanted not in roots:
            self.faults.append(
                f"{self.path}: the tree's root is '{next(iter(self.nodes)).split('/')[0]}' but "
                f"organisation.root is '{root_wanted}'; they must be the same"
            )
        for path in list(self.nodes):
            for level in _ancestors(path):
                self.nodes.setdefault(level, Perimeter(level))
        for old, line in self.moved.items():
            if old in self.nodes:
                self._fault(
                    line, f"moved_from is {old}, which is still in the tree; what is still there did not move"
                )
        if self.faults:
            raise SettingsError("\n".join(self.faults))
        return PerimeterTree(next(iter(roots)), self.nodes)

    def _rows(self) -> list[tuple[int, dict[str, str]]]:
        try:
            content = self.path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise SettingsError(f"{self.path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{self.path}: is not UTF-8; save it again as UTF-8 CSV") from error
        first = content.split("\n", 1)[0]
        reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=";" if ";" in first else ",")
        unknown = sorted({(name or "").strip() for name in reader.fieldnames or []} - set(COLUMNS))
        if "perimeter" not in (reader.fieldnames or []) or unknown:
            raise SettingsError(
                f"{self.path}:1: the columns are {reader.fieldnames or []}; they must be perimeter, "
                f"and if wanted {', '.join(COLUMNS[1:-1])} and {COLUMNS[-1]}"
            )
        return [(reader.line_num, {k: v or "" for k, v in row.items() if k}) for row in reader]

    def _add(self, line: int, row: dict[str, str]) -> None:
        path = slug_path(row["perimeter"])
        if not path:
            return self._fault(
                line, f"perimeter is {row['perimeter']!r}; it must be a path such as root/region/place"
            )
        if path in self.lines:
            return self._fault(line, f"perimeter {path} is already on line {self.lines[path]}; keep one")
        self.lines[path] = line
        aliases = tuple(alias.strip() for alias in row.get("aliases", "").split("|") if slugify(alias))
        for alias in dict.fromkeys(map(slugify, aliases)):
            if alias in self.aliases:
                self._fault(
                    line,
                    f"alias {alias!r} is already on line {self.aliases[alias]}; give it to one perimeter",
                )
            self.aliases.setdefault(alias, line)
        old = tuple(slug_path(one) for one in row.get("moved_from", "").split("|") if slug_path(one))
        for one in dict.fromkeys(old):
            if "/" not in one or one.split("/")[0] != path.split("/")[0]:
                self._fault(line, f"moved_from is {one}; it must be a path under {path.split('/')[0]}")
            elif one in self.moved:
                self._fault(
                    line, f"moved_from {one} is already on line {self.moved[one]}; a place moves to one place"
                )
            else:
                self.moved[one] = line
        self.nodes[path] = Perimeter(path, row.get("name", "").strip() or None, aliases, old)
        return None

    def _fault(self, line: int, text: str) -> None:
        self.faults.append(f"{self.path}:{line}: {text}")
