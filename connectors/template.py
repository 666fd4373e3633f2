"""Paths made of a record's fields: `enseigne/{Région}/{Magasin}`."""

import re
from collections.abc import Mapping

_FIELD = re.compile(r"\{([^{}]+)\}")


class Template:
    """Text with fields in braces; a constant where it has none.

    `fields`: names in order of appearance, without repeats, stripped.
    Raises ValueError on a brace without its pair.

    >>> Template("enseigne/{Région}/{Magasin}").fill({"Région": "Nord", "Magasin": " Lille 1/2 "})
    'enseigne/Nord/Lille 1-2'
    """

    def __init__(self, text: str) -> None:
        literals_and_names = _FIELD.split(text)
        if any(brace in literal for literal in literals_and_names[::2] for brace in "{}"):
            raise ValueError(f"{text!r} has a brace without its pair; write fields as {{name}}")
        self._literals = literals_and_names[::2]
        self._names = [name.strip() for name in literals_and_names[1::2]]
        self.fields = tuple(dict.fromkeys(self._names))

    def fill(self, values: Mapping[str, object]) -> str | None:
        """The text with each field replaced; None if any field is missing, None or blank.

        Values are stripped, and a slash inside one becomes `-`: a value is one step of the path.
        """
        parts = [self._literals[0]]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            value = values.get(name)
            filled = "" if value is None else str(value).strip()
            if not filled:
                return None
            parts += [filled.replace("/", "-"), literal]
        return "".join(parts)
