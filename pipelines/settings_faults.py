"""Faults of `vigie.toml` in plain words, each with its key, its value and the rule."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.errors import SettingsError
from connectors.files import at_home, is_there
from connectors.perimeters import read_perimeters, slugify
from pipelines.lexicon import FOLDER, has_lexicon
from pipelines.rules import rule_of

NAMES_DIFFER = "source names must differ: {} stands twice"

_WITHOUT_VALUE = frozenset({"missing", "extra_forbidden", "union_tag_not_found"})

_SECRET = "store.dsn"
"""It may hold a password: only its scheme is shown."""

_NAMED: Sequence[tuple[str, str, Callable[[Path], bool], str]] = (
    ("organisation", "tree", Path.is_file, "file"),
    ("privacy", "directory", Path.is_file, "file"),
    ("understanding", "sentiment", Path.is_file, "file, `vigie learn` makes one"),
    ("detection", "lexicon", Path.is_dir, "folder"),
    ("alerts", "smtp_password_file", Path.is_file, "file that holds the password"),
)
"""Settings that name what must be there: section, key, the test, and what it is."""


def form_faults(content: Mapping[str, Any], error: ValidationError) -> Iterator[str]:
    """What the models refuse, and sources of one name: the models see those only where all else is right."""
    rules = []
    for fault in error.errors(include_url=False):
        location, value = fault["loc"], fault["input"]
        if fault["type"].startswith("union_tag_"):
            location, value = (*location, "kind"), value.get("kind")
        rules.append(rule_of(fault))
        key = _key(location, content)
        if key == _SECRET:
            value = _scheme(value)
        yield _fault(key, None if fault["type"] in _WITHOUT_VALUE else value, rules[-1])
    names = [source.get("name") for _, source in _sources(content)]
    twice = sorted({name for name in names if isinstance(name, str) and names.count(name) > 1})
    if twice and NAMES_DIFFER.format(", ".join(twice)) not in rules:
        yield _fault("source", None, NAMES_DIFFER.format(", ".join(twice)))


def unmet(content: Mapping[str, Any], base: Path) -> Iterator[str]:
    """Files, folders and lexicons that are named and not there; those of sources apart.

    base: where paths start from. Values that are no text are for the models to refuse.
    """
    for section, key, is_right, what in _NAMED:
        value = _at(content, section, key)
        if isinstance(value, str) and not is_right(base / at_home(value)):
            yield _fault(f"{section}.{key}", value, _not_there(what, base))
    own = _at(content, "detection", "lexicon")
    folders = [FOLDER, *([base / at_home(own)] if isinstance(own, str) else [])]
    languages = _at(content, "organisation", "languages")
    for number, language in enumerate(languages if isinstance(languages, list) else [], start=1):
        if isinstance(language, str) and not has_lexicon(language, folders):
            rule = "there is no lexicon of this language; leave it out, or add one in detection.lexicon"
            yield _fault(f"organisation.languages[{number}]", language, rule)


def unmet_sources(content: Mapping[str, Any], base: Path) -> Iterator[str]:
    """Paths of sources where there is nothing."""
    for number, source in _sources(content):
        path = source.get("path")
        if isinstance(path, str) and path and not is_there(base, path):
            yield _fault(f"source[{number}].path", path, _not_there("file or folder", base))


def tree_faults(content: Mapping[str, Any], base: Path) -> list[str]:
    """Faults of the CSV of perimeters, each with its file; none where it is not named or not there."""
    tree, root = _at(content, "organisation", "tree"), _at(content, "organisation", "root")
    if not isinstance(tree, str) or not (base / at_home(tree)).is_file():
        return []
    try:
        # A root that is no slug is a fault of its own.
        is_slug = isinstance(root, str) and root != "" and slugify(root) == root
        read_perimeters(base / at_home(tree), root=root if is_slug else None)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def _scheme(dsn: object) -> str | None:
    match = re.match(r"[a-z][a-z+]*://", dsn, re.IGNORECASE) if isinstance(dsn, str) else None
    return f"{match[0]}..." if match else None


def _not_there(what: str, base: Path) -> str:
    return f"there is no such {what}; correct the path, which starts from {base.absolute()}"


def _fault(key: str, value: object, rule: str) -> str:
    """`privacy.min_authors is 2; must be 3 at least`. value: None to leave out, as tables and lists are."""
    if value is None or isinstance(value, Mapping | list):
        return f"{key or 'the file'}: {rule}"
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
    return f"{key} is {shown}; {rule}"


def _at(content: Mapping[str, Any], section: str, key: str) -> Any:
    keys = content.get(section)
    return keys.get(key) if isinstance(keys, Mapping) else None


def _sources(content: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The sources that are tables of keys, with their numbers from 1."""
    found = content.get("source")
    listed = enumerate(found if isinstance(found, list) else [], start=1)
    return [(number, source) for number, source in listed if isinstance(source, Mapping)]


def _key(location: Sequence[str | int], content: Mapping[str, Any]) -> str:
    """`source[2].columns.text`, without the kind that pydantic puts into the path of a source."""
    key = ""
    here: Any = content
    for step in location:
        inside: Any = None
        if isinstance(step, int) and isinstance(here, list):
            key += f"[{step + 1}]"
            inside = here[step] if step < len(here) else None
        elif isinstance(here, Mapping) and here.get("kind") == step and step not in here:
            inside = here
        else:
            key += f".{step}" if key else str(step)
            inside = here.get(str(step)) if isinstance(here, Mapping) else None
        here = inside
    return key
