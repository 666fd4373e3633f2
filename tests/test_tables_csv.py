"""CSV and its kin: delimiters, encodings, quotes left open, fields too many or too few."""

import csv
import io
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.contract import Outcome, Parsed, Record, Rejected, SetAside
from connectors.errors import SourceError
from connectors.source_settings import TableSource
from connectors.tables import Table
from connectors.tables.csv_rows import MOST_CHARACTERS
from connectors.tables.detect import ONE_COLUMN, find_delimiter


def table(base: Path, **given: Any) -> Table:
    """A source over `base`/t.csv with columns `date` and `avis`, unless told otherwise."""
    plain: dict[str, Any] = {
        "kind": "table",
        "name": "avis",
        "path": "t.csv",
        "channel": "survey",
        "perimeter": "enseigne",
        "columns": {"text": "avis", "occurred_at": "date"},
    }
    return Table(TableSource.model_validate(plain | given), base=base, zone="Europe/Paris")


def read(base: Path, content: bytes | str, **given: Any) -> list[tuple[Record, Outcome]]:
    data = content.encode() if isinstance(content, str) else content
    (base / given.get("path", "t.csv")).write_bytes(data)
    source = table(base, **given)
    return [(record, source.parse(record)) for record in source.records()]


def texts(rows: list[tuple[Record, Outcome]]) -> list[str]:
    return [outcome.text for _, outcome in rows if isinstance(outcome, Parsed)]


def rejections(rows: list[tuple[Record, Outcome]]) -> list[tuple[int, str]]:
    return [(record.line, outcome.reason) for record, outcome in rows if isinstance(outcome, Rejected)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = ["date|avis|note", '2024-03-12|"a|b; c, d"|3', "2024-03-13|plain|4"]
    rows = read(tmp_path, end.join(line.replace("|", delimiter) for line in lines))
    assert texts(rows) == [f"a{delimiter}b; c, d".replace("|", delimiter), "plain"]
    assert [record.line for record, _ in rows] == [2, 3]


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", '"sep=;"\r', "\ufeffsep=;\n"])
def test_the_line_that_tells_excel_the_delimiter_is_no_header(tmp_path: Path, first: str) -> None:
    rows = read(tmp_path, first + 'date;avis\n2024-03-12;"a, b, c"\n2024-03-13;"d\ne"\n')
    assert texts(rows) == ["a, b, c", "d\ne"]
    assert [record.line for record, _ in rows] == [3, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    rows = read(tmp_path, "date;avis\n2024-03-12;Déçu : l’été à 5 €\n".encode(encoding))
    assert texts(rows) == ["Déçu : l’été à 5 €"]


def test_cp1252_bytes_within_utf8(tmp_path: Path) -> None:
    content = "date;avis\n2024-03-12;Élodie à côté\n".encode() + "2024-03-13;déçu d’été\n".encode("cp1252")
    assert texts(read(tmp_path, content)) == ["Élodie à côté", "déçu d’été"]


def test_cp1252_bytes_far_beyond_the_sample(tmp_path: Path) -> None:
    rows = "2024-03-12;bonjour tout le monde\n" * 60_000
    content = b"date;avis\n" + rows.encode() + "2024-03-13;déçu\n".encode("cp1252")
    assert texts(read(tmp_path, content))[-1] == "déçu"


def test_declared_encoding(tmp_path: Path) -> None:
    content = "date;avis\n2024-03-12;Žluťoučký kůň\n".encode("cp1250")
    assert texts(read(tmp_path, content, encoding="cp1250")) == ["Žluťoučký kůň"]


def test_lines_are_physical(tmp_path: Path) -> None:
    rows = read(tmp_path, 'date,avis\n\n2024-03-12,"un\ndeux\n\ntrois"\n\n\n2024-03-13,quatre\n')
    assert [record.line for record, _ in rows] == [3, 9]
    assert texts(rows) == ["un\ndeux\n\ntrois", "quatre"]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_one_record_set_aside(tmp_path: Path, content: str) -> None:
    [(record, outcome)] = read(tmp_path, content)
    assert (record.line, outcome) == (0, SetAside("empty_file"))


def test_a_header_alone_has_no_records(tmp_path: Path) -> None:
    assert read(tmp_path, "date,avis\n") == []


def test_a_file_of_one_column_keeps_its_commas(tmp_path: Path) -> None:
    content = "avis\nBonjour, tout va bien\nOui, non; peut-être\nRien\n"
    rows = read(tmp_path, content, columns={"text": "avis", "occurred_at": "avis"})
    assert [record.payload for record, _ in rows][:2] == [
        {"avis": "Bonjour, tout va bien"},
        {"avis": "Oui, non; peut-être"},
    ]


def test_delimiter_by_the_columns_wanted() -> None:
    sample = "date;note, sur 5;avis, libre\n2024-03-12;3;bien, merci\n2024-03-13;4;oui, voilà\n"
    assert find_delimiter(sample, wanted=["date", "avis, libre"], header=True) == ";"
    assert find_delimiter("avis\noui, bien\nnon, mal\n", wanted=["avis"], header=True) == ONE_COLUMN
    assert find_delimiter("", wanted=[], header=True) == ONE_COLUMN


def test_delimiter_as_declared(tmp_path: Path) -> None:
    rows = read(tmp_path, "date~avis\n2024-03-12~a, b\n", delimiter="~")
    assert texts(rows) == ["a, b"]


@pytest.mark.parametrize("delimiter", ["", "||", '"', "\n"])
def test_a_delimiter_is_one_character(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ValidationError, match="one character"):
        table(tmp_path, delimiter=delimiter)


def test_missing_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"t\.csv"):
        list(table(tmp_path).records())


def test_missing_columns_reject_the_whole_file(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "Date,Texte,Auteur\n2024-03-12,x,y\n2024-03-13,x,y\n",
        columns={"text": "avis", "occurred_at": "Date", "author": 9},
        perimeter="{Magasin}",
    )
    [(record, outcome)] = rows
    assert record.line == 0
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "missing_column"
    assert "no column 'avis', 9, 'Magasin'; found 'Date', 'Texte', 'Auteur';" in outcome.detail


def test_a_first_row_of_data_is_not_taken_for_names(tmp_path: Path) -> None:
    rows = read(tmp_path, "12/03/2024,bien,Camille Durand\n13/03/2024,mal,Dominique Petit\n")
    [(_, outcome)] = rows
    assert isinstance(outcome, Rejected)
    assert "found a name shaped '99/99/9999', a name shaped 'aaaa'" in outcome.detail
    assert "Camille" not in outcome.detail


def test_no_canary_in_any_detail(tmp_path: Path, canaries: ModuleType) -> None:
    planted = [canaries.AUTHOR, canaries.AGENT, *canaries.TEXT_CANARIES.values(), canaries.planted_text()]
    details = []
    for value in planted:
        lines = [
            f'2024-03-12;"{value}";{value};web',
            f'"{value}";bien;3;web',
            f"2024-03-12;{value}",
            f"2024-03-12;bien;3;{value};{value};{value}",
            f'2024-03-12;"{value};3;web',
        ]
        headers = ["date;avis;note;canal", f"2024-03-11;{value};3;web", f"{value};{value}", value]
        for header in headers:
            columns = {"text": "avis", "occurred_at": "date", "score": "note"}
            scale = {"worst": 1, "best": 5}
            rows = read(tmp_path, "\n".join([header, *lines]), columns=columns, score=scale)
            details += [outcome.detail for _, outcome in rows if isinstance(outcome, Rejected)]
    assert len(details) > 40
    assert canaries.found_in("\n".join(details)) == []


def test_names_repeated_and_blank(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis,avis,, \n2024-03-12,un,deux,trois,quatre\n")
    assert rows[0][0].payload == {
        "date": "2024-03-12",
        "avis": "un",
        "avis.2": "deux",
        "4": "trois",
        "5": "quatre",
    }


def test_a_column_cannot_take_a_reserved_name(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis,vigie:fault\n2024-03-12,bien,bad_row\n")
    assert texts(rows) == ["bien"]


def test_too_many_fields(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis\n2024-03-12,un,deux\n2024-03-13,trois,,\n2024-03-14,quatre\n")
    assert rejections(rows) == [(2, "field_count")]
    # Blank fields beyond the last column are an export's habit, not a fault.
    assert texts(rows) == ["trois", "quatre"]


def test_too_few_fields(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis,note,canal\n2024-03-12,un\n2024-03-13\n2024-03-14,deux,3,web\n")
    assert rejections(rows) == [(3, "field_count")]
    assert texts(rows) == ["un", "deux"]


def test_short_row_with_a_perimeter_beyond(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis,ville\n2024-03-12,un\n2024-03-12,deux,Lille\n", perimeter="{ville}")
    assert rejections(rows) == [(2, "field_count")]


def test_quote_left_open_to_the_end_costs_one_line(tmp_path: Path) -> None:
    rows = read(tmp_path, 'date,avis\n2024-03-12,un\n2024-03-13,"deux\n2024-03-14,trois\n2024-03-15,quatre\n')
    assert rejections(rows) == [(3, "bad_row")]
    assert texts(rows) == ["un", "trois", "quatre"]
    assert [record.line for record, _ in rows] == [2, 3, 4, 5]


def test_quote_left_open_until_the_next_quote_costs_one_line(tmp_path: Path) -> None:
    content = 'date,avis\n2024-03-12,"un\n2024-03-13,deux\n2024-03-14,"trois, bis"\n2024-03-15,quatre\n'
    rows = read(tmp_path, content)
    assert rejections(rows) == [(2, "bad_row")]
    assert texts(rows) == ["deux", "trois, bis", "quatre"]


def test_quote_left_open_on_the_last_line(tmp_path: Path) -> None:
    rows = read(tmp_path, 'date,avis\n2024-03-12,un\n2024-03-13,"deux')
    assert rejections(rows) == [(3, "bad_row")]
    assert texts(rows) == ["un"]


def test_quote_left_open_in_the_header(tmp_path: Path) -> None:
    rows = read(tmp_path, 'date,"avis\n2024-03-12,un\n')
    assert rejections(rows) == [(0, "bad_row")]


def test_quotes_inside_a_field_are_text(tmp_path: Path) -> None:
    rows = read(tmp_path, 'date,avis\n2024-03-12,un "vrai" souci\n2024-03-13,"dit ""non"""\n')
    assert texts(rows) == ['un "vrai" souci', 'dit "non"']


def test_many_quotes_left_open_take_linear_time(tmp_path: Path) -> None:
    line = '2024-03-12,"ouvert\n' + "2024-03-12,plat\n" * 9
    rows = read(tmp_path, "date,avis\n" + line * 2001)
    assert len(rows) == 20_010
    assert len(rejections(rows)) == 2001
    assert texts(rows) == ["plat"] * (9 * 2001)


def test_a_large_field_is_kept(tmp_path: Path) -> None:
    long = "mot " * 100_000
    assert texts(read(tmp_path, f'date,avis\n2024-03-12,"{long}"\n')) == [long.strip()]


def test_a_row_beyond_the_bound_costs_one_line(tmp_path: Path) -> None:
    endless = "x" * (MOST_CHARACTERS + 10)
    rows = read(tmp_path, f"date,avis\n2024-03-12,{endless}\n2024-03-13,deux\n")
    assert rejections(rows) == [(2, "bad_row")]
    assert texts(rows) == ["deux"]


def test_a_quote_left_open_beyond_the_bound_costs_one_line(tmp_path: Path) -> None:
    filler = "2024-03-13," + "y" * 1000 + "\n"
    count = MOST_CHARACTERS // len(filler) + 10
    rows = read(tmp_path, 'date,avis\n2024-03-12,"un\n' + filler * count)
    assert rejections(rows) == [(2, "bad_row")]
    assert len(texts(rows)) == count


def test_nul_bytes_are_dropped_from_text(tmp_path: Path) -> None:
    assert texts(read(tmp_path, b"date,avis\n2024-03-12,a\x00b\n")) == ["ab"]


def test_no_header(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "A1\t2024-03-12\tbien\tLille\nA2\t2024-03-13\tmal\t\n",
        header_rows=0,
        columns={"text": 3, "occurred_at": 2, "id": 1},
        perimeter="{4}",
    )
    assert rejections(rows) == [(2, "no_perimeter")]
    outcome = rows[0][1]
    assert isinstance(outcome, Parsed)
    assert (outcome.own_id, outcome.text, outcome.perimeter) == ("A1", "bien", "Lille")


def test_numbers_beside_names(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis\n2024-03-12,bien\n", columns={"text": 2, "occurred_at": "date"})
    assert texts(rows) == ["bien"]
    assert isinstance(rows[0][0].payload, dict)
    assert rows[0][0].payload["avis"] == "bien"


def test_three_header_rows(tmp_path: Path) -> None:
    content = 'date,avis,\nDate,"Votre avis,\nen clair",\n"{""ImportId"":""d""}",x,\n2024-03-12,bien,\n'
    rows = read(tmp_path, content, header_rows=3)
    assert [record.line for record, _ in rows] == [5]
    assert texts(rows) == ["bien"]


def test_the_column_decides_the_order_of_day_and_month(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis\n03/04/2024,un\n04/25/2024,deux\n")
    outcome = rows[0][1]
    assert isinstance(outcome, Parsed)
    assert outcome.occurred_at.isoformat() == "2024-03-03T23:00:00+00:00"


def test_an_empty_row_is_set_aside(tmp_path: Path) -> None:
    rows = read(tmp_path, "date,avis\n,\n2024-03-12, \n")
    assert [outcome for _, outcome in rows] == [SetAside("blank"), SetAside("blank")]


def test_memory_does_not_follow_the_length_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("date,avis\n" + ("2024-03-12," + "x" * 988 + "\n") * 20_000)
    records = table(tmp_path).records()
    tracemalloc.start()
    read_rows = sum(1 for _ in records)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_rows == 20_000
    # The file has 20 MB; a sample of 1 MiB and a thousand rows are held.
    assert peak < 8_000_000


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\ufdd0\ufeff"), max_size=12)
# Delimiters and quotes everywhere are what the reader must survive.
NASTY_CHARACTERS = st.sampled_from(list(',;|\t"\n\r aé'))
NASTY = st.text(NASTY_CHARACTERS, max_size=8)


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_what_the_csv_module_writes_is_read_back(data: st.DataObject) -> None:
    width = data.draw(st.integers(2, 5))
    row = st.lists(CELLS | NASTY, min_size=width, max_size=width)
    body = data.draw(st.lists(row, max_size=6))
    names = [f"colonne {number}" for number in range(width)]
    quoting: Literal[0, 1] = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    # With \n alone the writer leaves a lone \r bare, which no reader can tell from a line end.
    end = "\r\n" if quoting == csv.QUOTE_MINIMAL else data.draw(st.sampled_from(["\n", "\r\n"]))
    delimiter = data.draw(st.sampled_from(",;\t|"))
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([names, *body])
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    with TemporaryDirectory() as folder:
        columns = {"text": names[0], "occurred_at": names[1]}
        rows = read(Path(folder), buffer.getvalue().encode(encoding), columns=columns)
    payloads = [record.payload for record, _ in rows if isinstance(record.payload, dict)]
    assert [[payload[name] for name in names] for payload in payloads] == body


@settings(deadline=None, max_examples=100)
@given(
    content=st.binary(max_size=300) | st.text(NASTY_CHARACTERS, max_size=300).map(str.encode),
    header=st.integers(0, 3),
)
def test_malformed_bytes_never_raise(content: bytes, header: int) -> None:
    columns = {"text": 2, "occurred_at": 1}
    with TemporaryDirectory() as folder:
        base = Path(folder)
        rows = read(base, b"date,avis\n" * bool(header) + content, header_rows=header, columns=columns)
        for record, outcome in rows:
            assert table(base, header_rows=header, columns=columns).parse(record) == outcome
