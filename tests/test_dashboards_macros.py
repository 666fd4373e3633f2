"""Grafana's PostgreSQL macros and variables: expected texts are those of Grafana's documentation."""

from datetime import UTC, datetime

import pytest

from dashboards.macros import TimeRange, Values, expand, variables_of

DURING = TimeRange(datetime(2018, 4, 12, 18, 0, tzinfo=UTC), datetime(2018, 4, 12, 18, 5, tzinfo=UTC), 60)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "WHERE $__timeFilter(time_column)",
            "WHERE time_column BETWEEN '2018-04-12T18:00:00Z' AND '2018-04-12T18:05:00Z'",
        ),
        ("select $__timeFrom()", "select '2018-04-12T18:00:00Z'"),
        ("select $__timeTo()", "select '2018-04-12T18:05:00Z'"),
        ("SELECT $__time(at)", 'SELECT at AS "time"'),
        ("SELECT $__timeEpoch(at)", 'SELECT extract(epoch from at) as "time"'),
        ("$__timeGroup(time_column , '5m')", "floor(extract(epoch from time_column)/300)*300"),
        ("$__timeGroup(time_column,'7d', 0)", "floor(extract(epoch from time_column)/604800)*604800"),
        ("$__timeGroupAlias(at,'5m')", 'floor(extract(epoch from at)/300)*300 AS "time"'),
        ("$__timeGroup(at, $__interval)", "floor(extract(epoch from at)/60)*60"),
        ("$__unixEpochGroupAlias(at,'1h')", 'floor((at)/3600)*3600 AS "time"'),
        ("$__unixEpochFilter(at)", "at >= 1523556000 AND at <= 1523556300"),
        ("SELECT $__interval_ms", "SELECT 60000"),
    ],
)
def test_macros(sql: str, expected: str) -> None:
    assert expand(sql, DURING, {}) == expected


@pytest.mark.parametrize(
    ("sql", "values", "expected"),
    [
        ("= '$place'", {"place": "l'Isle"}, "= 'l''Isle'"),
        ("= ${place:sqlstring}", {"place": "l'Isle"}, "= 'l''Isle'"),
        ("IN ($channel)", {"channel": ["a", "b'c"]}, "IN ('a','b''c')"),
        ("IN (${channel:sqlstring})", {"channel": ["a", "b"]}, "IN ('a','b')"),
        ("${column:raw}", {"column": "texts"}, "texts"),
        ("$a $ab ${a}b", {"a": "1", "ab": "2"}, "1 2 1b"),
    ],
)
def test_variables(sql: str, values: Values, expected: str) -> None:
    assert expand(sql, DURING, values) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("$nowhere", "variable nowhere is not one of the board's"),
        ("${a:csv}", "format 'csv'"),
        ("$__timeFilter()", "wants a column"),
        ("$__timeGroup(at)", "wants a column and an interval"),
        ("$__timeGroup(at, 'soon')", "'soon' is no interval"),
        ("$__timeShift(at)", r"\$__timeShift is no macro"),
        ("$__unknown", r"\$__unknown is no macro"),
    ],
)
def test_what_grafana_would_refuse_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(sql, DURING, {"a": "1"})


def test_variables_are_found_and_macros_are_none() -> None:
    assert variables_of("$__timeFilter(at) AND $a IN (${b:sqlstring})") == {"a", "b"}
