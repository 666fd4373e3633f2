"""What the signal store takes, keeps and gives back, on an embedded server."""

from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Accounting
from connectors.errors import StoreError
from connectors.events import SchemaError
from connectors.store import Store
from connectors.store.loading import copy_text

T0 = datetime(2024, 3, 4, 8, 30, 15, 250_000, tzinfo=UTC)
AWKWARD = [
    "",
    "\\",
    "\\N",
    "\\.",
    "a\tb",
    "a\nb\r\nc",
    '"',
    "'; DROP TABLE vigie.signal; --",
    "{a,b}",
    "é 𝄞 ﷽",
    "%_",
]


def test_a_signal_comes_back_as_it_went_in(store: Store, made: ModuleType) -> None:
    store.upsert_signals(made.signals(made.signal()), made.proofs(made.proof()))
    expected = made.signal() | {
        "channels": {"email": 4, "survey": 3},
        "voices": {"customer": 6, "field": 1},
        "explanation": {"baseline": {"a": 1.5}, "buckets": [1, 2]},
    }
    assert store.signal(f"{1:032x}") == expected
    assert store.signals() == [expected]
    assert store.evidence(f"{1:032x}") == [made.proof()]
    assert store.signal("0" * 32) is None
    assert store.evidence("0" * 32) == []


_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.sampled_from(AWKWARD)
_MAYBE = st.none() | _TEXT
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.fixed_dictionaries(
        {
            "label": _TEXT,
            "terms": st.lists(_TEXT, max_size=4),
            "theme": _MAYBE,
            "dimension": _MAYBE,
            "stance": _MAYBE,
            "owning_function": _MAYBE,
            "observed": _FINITE.map(abs),
            "expected": _FINITE.map(abs),
            "evidence": _FINITE,
            "mean_score": st.none() | st.floats(0, 1),
            "retrospective": st.booleans(),
            "sentence_fr": _TEXT,
            "first_seen": st.timedeltas(timedelta(days=-9_000), timedelta(0)).map(T0.__add__),
        }
    ),
    excerpt=_MAYBE,
)
def test_any_value_survives_the_round_trip(
    store: Store, values: dict[str, Any], excerpt: str | None, made: ModuleType
) -> None:
    store.upsert_signals(made.signals(made.signal(**values)), made.proofs(made.proof(excerpt=excerpt)))
    found = store.signal(f"{1:032x}")
    assert found is not None
    assert {name: found[name] for name in values} == values
    assert [row["excerpt"] for row in store.evidence(f"{1:032x}")] == [excerpt]


@given(st.lists(_MAYBE, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_copy_text_is_read_back_by_postgresql(raw: psycopg.Connection, values: list[str | None]) -> None:
    schema = pa.schema([("position", pa.int64()), ("value", pa.string())])
    table = pa.table({"position": range(len(values)), "value": values}, schema=schema)
    with raw.transaction(force_rollback=True):
        raw.execute("CREATE TEMPORARY TABLE awkward (position bigint, value text)")
        with raw.cursor().copy("COPY awkward FROM STDIN") as copy:
            copy.write(copy_text(table, schema))
        rows = raw.execute("SELECT value FROM awkward ORDER BY position").fetchall()
    assert [value for (value,) in rows] == values


def test_nul_which_postgresql_lacks_becomes_the_replacement_character(store: Store, made: ModuleType) -> None:
    store.upsert_signals(
        made.signals(made.signal(label="a\0b", terms=["\0"])), made.proofs(made.proof(excerpt="\0fin"))
    )
    found = store.signal(f"{1:032x}")
    assert found is not None
    assert (found["label"], found["terms"]) == ("a�b", ["�"])
    assert store.evidence(f"{1:032x}")[0]["excerpt"] == "�fin"


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"evidence": float("inf")}, "evidence is not finite"),
        ({"evidence": float("-inf")}, "evidence is not finite"),
        ({"evidence": float("nan")}, "evidence is not finite"),
        ({"expected": float("inf")}, "negative or not finite"),
        ({"expected": float("nan")}, "negative or not finite"),
        ({"expected": -1.0}, "expected value is negative or not finite"),
        ({"observed": -1.0}, "observed value is negative or not finite"),
        ({"observed": float("nan"), "kind": "mood_drift"}, "observed value is negative or not finite"),
        ({"distinct_authors": 0, "kind": "silence", "expected": 2.9}, "fewer distinct authors"),
        ({"distinct_authors": 2}, "fewer distinct authors than the minimum"),
        ({"min_authors": 0}, "fewer distinct authors than the minimum"),
        ({"signal_id": "12"}, "16 bytes in hexadecimal"),
        ({"tone": "angry"}, "complaint, praise or mixed"),
        ({"perimeter": "enseigne//lille"}, "not a path"),
        ({"mean_score": 1.5}, "signal_mean_score"),
        ({"first_seen": T0 + timedelta(days=1)}, "signal_seen"),
        ({"label": None}, "its rule on label"),
        ({"explanation": "[]"}, "signal_explanation"),
        ({"explanation": '{"a": NaN}'}, "does not fit its column"),
    ],
)
def test_a_wrong_signal_is_refused_and_changes_nothing(
    store: Store, raw: psycopg.Connection, values: dict[str, Any], rule: str, made: ModuleType
) -> None:
    store.upsert_signals(made.signals(made.signal(9)), made.proofs(made.proof(9)))
    before = made.dump(raw)
    wrong = made.signal(**({"sentence_fr": "Mme Canari"} | values))
    with pytest.raises(StoreError, match=rule) as caught:
        store.upsert_signals(made.signals(made.signal(2), wrong), made.proofs())
    assert "Canari" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert made.dump(raw) == before


def test_evidence_without_its_signal_is_refused(store: Store, made: ModuleType) -> None:
    with pytest.raises(StoreError, match="names a signal that is not there"):
        store.upsert_signals(made.signals(made.signal(1)), made.proofs(made.proof(2)))


def test_excerpts_of_a_voice_with_too_few_authors_are_never_stored(store: Store, made: ModuleType) -> None:
    store.upsert_signals(
        made.signals(made.signal(voices='{"customer": 3, "field": 2}')),
        made.proofs(
            made.proof(event=1), made.proof(event=2, voice="field"), made.proof(event=3, voice="unheard")
        ),
    )
    assert [row["excerpt"] for row in store.evidence(f"{1:032x}")] == ["le badge est refusé", None, None]


def test_wrong_columns_are_all_listed(store: Store) -> None:
    with pytest.raises(SchemaError, match=r"missing .*'theme'.*differing .*texts is double, not int64"):
        store.upsert_tallies(pa.table({"texts": [1.5]}))


def test_the_same_upserts_twice_rewrite_no_row(
    store: Store, raw: psycopg.Connection, made: ModuleType
) -> None:
    def load() -> None:
        store.upsert_signals(
            made.signals(made.signal(1), made.signal(2)), made.proofs(made.proof(1), made.proof(2, 7))
        )
        store.upsert_tallies(made.tallies(made.tally(), made.tally(day=1)))
        store.record_ingest("load-1", T0, {"avis": Accounting(read=2, events=2)})

    load()
    before = made.dump(raw)
    load()
    assert made.dump(raw) == before


def test_upserts_update_by_key(store: Store, made: ModuleType) -> None:
    store.upsert_tallies(made.tallies(made.tally(), made.tally(theme="attente", texts=2)))
    store.upsert_tallies(made.tallies(made.tally(texts=6), made.tally(day=1)))
    assert store.tallies("enseigne/nord/lille-2")["texts"].to_pylist() == [6, 5]
    assert store.tallies("enseigne/nord/lille-2", theme="attente").to_pylist() == [
        made.tally(theme="attente", texts=2)
    ]

    store.upsert_signals(
        made.signals(made.signal(1), made.signal(2)),
        made.proofs(made.proof(1, 1), made.proof(1, 2), made.proof(2, 3)),
    )
    store.upsert_signals(
        made.signals(made.signal(1, status="not_sustained")), made.proofs(made.proof(1, 2, excerpt="neuf"))
    )
    assert [(row["signal_id"][-1], row["status"]) for row in store.signals()] == [
        ("1", "not_sustained"),
        ("2", "confirmed"),
    ]
    assert store.evidence(f"{1:032x}") == [made.proof(1, 2, excerpt="neuf")]
    assert store.evidence(f"{2:032x}") == [made.proof(2, 3)]


def test_a_key_twice_in_one_load_is_refused(store: Store, made: ModuleType) -> None:
    with pytest.raises(StoreError, match="same key comes twice"):
        store.upsert_tallies(made.tallies(made.tally(), made.tally(texts=6)))


def test_tallies_come_by_days_in_the_schema_they_went_in(store: Store, made: ModuleType) -> None:
    store.upsert_tallies(made.tallies(*(made.tally(day=day) for day in (3, 0, 2, 1))))
    found = store.tallies("enseigne/nord/lille-2", since=date(2024, 3, 5), until=date(2024, 3, 6))
    assert found.equals(pa.table(made.tallies(made.tally(day=1), made.tally(day=2))))


def test_a_subtree_is_the_perimeter_and_what_is_under_it(store: Store, made: ModuleType) -> None:
    paths = [
        "e",
        "e/a_b",
        "e/a_b/x",
        "e/axb",
        "e/axb/x",
        "e/a%",
        "e/a%/x",
        "e/a",
        "e/a/x",
        "e/a-b",
        "e/é'",
        'e/"\\',
    ]
    store.upsert_signals(
        made.signals(*(made.signal(n, perimeter=path) for n, path in enumerate(paths, 1))), made.proofs()
    )

    def under(root: str) -> set[str]:
        return {row["perimeter"] for row in store.signals(root)}

    assert under("e") == set(paths)
    assert under("e/a_b") == {"e/a_b", "e/a_b/x"}
    assert under("e/a%") == {"e/a%", "e/a%/x"}
    assert under("e/a") == {"e/a", "e/a/x"}
    assert under('e/"\\') == {'e/"\\'}
    assert under("e/") == set()
    assert under("%") == set()


def test_signals_are_newest_then_strongest_first(store: Store, made: ModuleType) -> None:
    def at(number: int, day: int, evidence: float) -> Any:
        start = datetime(2024, 3, day, tzinfo=UTC)
        return made.signal(number, bucket=start.date(), bucket_at=start, evidence=evidence)

    store.upsert_signals(
        made.signals(at(1, 4, 5.0), at(2, 6, 1.0), at(3, 6, 9.0), at(4, 6, 1.0), at(5, 5, 99.0)),
        made.proofs(),
    )

    def order(**query: Any) -> list[int]:
        return [int(row["signal_id"], 16) for row in store.signals(**query)]

    assert order() == [3, 2, 4, 5, 1]
    assert order(limit=2) == [3, 2]
    assert order(since=date(2024, 3, 5)) == [3, 2, 4, 5]
    assert order(since=date(2024, 3, 7)) == []


def test_ingest_accounting_is_kept_by_load_and_source(store: Store) -> None:
    mail = Accounting(read=9, events=4, duplicates=1, set_aside={"bounce": 2}, quarantined={"no_date": 2})
    store.record_ingest("load-2", T0, {"mail": mail, "avis": Accounting(read=1, events=1)})
    store.record_ingest("load-1", T0 - timedelta(days=1), {"mail": Accounting()})
    found = store.ingests()
    assert [(row["load_id"], row["source"]) for row in found] == [
        ("load-1", "mail"),
        ("load-2", "avis"),
        ("load-2", "mail"),
    ]
    assert found[2] == {
        "load_id": "load-2",
        "source": "mail",
        "loaded_at": T0,
        "read": 9,
        "events": 4,
        "duplicates": 1,
        "set_aside": 2,
        "quarantined": 2,
        "set_aside_reasons": {"bounce": 2},
        "quarantine_reasons": {"no_date": 2},
    }


def test_accounting_that_does_not_close_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="rows read are not events"):
        store.record_ingest("load", T0, {"mail": Accounting(read=3, events=1)})
    assert store.ingests() == []
