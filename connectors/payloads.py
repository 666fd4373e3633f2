"""A record's payload as JSON and back, without loss: bytes, or a mapping with whatever a reader found."""

import base64
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

# JSON has no word for these: each is one key, a tag, and a string. A mapping that looks like one is
# written as a list of pairs.
_PARSERS: dict[str, Any] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$seconds": lambda text: timedelta(microseconds=int(text)),
    "$decimal": Decimal,
    "$bytes": base64.b64decode,
}
_PAIRS = "$pairs"


def payload_to_json(payload: bytes | Mapping[str, Any]) -> Any:
    """Plain JSON values. Raises TypeError for a value that no reader produces.

    >>> payload_to_json({"date": date(2024, 3, 1), "note": 4})
    {'date': {'$date': '2024-03-01'}, 'note': 4}
    """
    return _to_json(payload)


def payload_from_json(value: Any) -> bytes | Mapping[str, Any]:
    """The payload as it was."""
    payload: bytes | Mapping[str, Any] = _from_json(value)
    return payload


def _to_json(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": value.isoformat()}
        case timedelta():
            return {"$seconds": str(value // timedelta(microseconds=1))}
        case Decimal():
            return {"$decimal": str(value)}
        case np.generic():
            return _to_json(value.item())
        case list() | tuple() | np.ndarray():
            return [_to_json(item) for item in value]
        case Mapping():
            return _mapping_to_json(value)
    raise TypeError(f"a payload holds a {type(value).__name__}; it must be plain JSON, a date or bytes")


def _mapping_to_json(value: Mapping[Any, Any]) -> dict[str, Any]:
    plain = all(isinstance(key, str) for key in value)
    if plain and not (len(value) == 1 and next(iter(value)).startswith("$")):
        return {key: _to_json(item) for key, item in value.items()}
    return {_PAIRS: [[_to_json(key), _to_json(item)] for key, item in value.items()]}


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key == _PAIRS:
            return {_from_json(name): _from_json(inner) for name, inner in item}
        if key in _PARSERS:
            return _PARSERS[key](item)
    return {key: _from_json(item) for key, item in value.items()}
