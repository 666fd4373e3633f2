"""What pydantic finds wrong with a user's file, as rules in plain words."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_YES_OR_NO = "must be true or false"
_DATE = "must be a date such as 2024-03-31"
_LIST = "must be a list, in brackets; a table of a list has double ones, [[source]]"
_KEYS = "must be keys and their values, not a single value"

RULES: Mapping[str, str] = {
    "missing": "is missing; add it",
    "extra_forbidden": "no such key; look for a typing error",
    "string_type": "must be text, in quotes",
    "string_too_short": "must not be empty",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _WHOLE,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "date_type": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": "must hold {min_length} at least",
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} at least",
    "less_than_equal": "must be {le:g} at most",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "is missing; say 'mail', 'letters' or 'table'",
    "value_error": "{error}",
}
"""Rules by pydantic's type of error; what is in braces comes from the error."""


def rule_of(fault: ErrorDetails) -> str:
    """The rule that a value breaks."""
    rule = RULES.get(fault["type"])
    return fault["msg"] if rule is None else rule.format(**fault.get("ctx", {}))
