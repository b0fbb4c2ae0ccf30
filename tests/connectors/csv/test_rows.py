"""Good rows come out exact; broken ones are named by line, and none of them becomes a good one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from connectors.base import Connector, FetchRequest
from connectors.delimited import MAX_CELL_CHARACTERS, MAX_ROW_BYTES
from connectors.errors import ConfigError, SchemaError
from tests.connectors.csv.conftest import pages_of, payloads_of, records_of

Maker = Callable[..., Connector]


def test_cells_keep_their_text(table: Maker) -> None:
    connector = table('a,b\n 007 ,"say ""hi"",\r\nthere"\n=1+1,😀\n')
    assert payloads_of(connector) == [
        {"a": " 007 ", "b": 'say "hi",\r\nthere'},
        {"a": "=1+1", "b": "😀"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_row(table: Maker, end: str) -> None:
    assert payloads_of(table(end.join(["a,b", "1,2", "3,4", ""]))) == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]


def test_empty_lines_are_skipped_but_counted(table: Maker) -> None:
    records = records_of(table("\n\na,b\n\n1,2\n\n\n3,4\n\n"))
    assert [record.position for record in records] == ["line 5", "line 8"]


def test_line_of_a_row_is_the_one_it_starts_on(table: Maker) -> None:
    records = records_of(table('a,b\n"1\n2\n3",x\n4,5\n'))
    assert [record.position for record in records] == ["line 2", "line 5"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,2", "Invalid row format at line 3: 2 cells where the header has 3"),
        ("1,2,3,4", "Invalid row format at line 3: 4 cells where the header has 3"),
        ("1,2\0,3", "Invalid row format at line 3: it holds a NUL character"),
        ('1,"2"x,3', "Invalid row format at line 3: ',' expected after '\"'"),
        (
            f"1,{'x' * (MAX_CELL_CHARACTERS + 1)},3",
            "Invalid row format at line 3: a cell is longer than 1048576",
        ),
    ],
)
def test_broken_row_is_a_problem_and_its_neighbours_are_not(table: Maker, row: str, said: str) -> None:
    good, broken, after = records_of(table(f"a,b,c\n0,0,0\n{row}\n9,9,9\n"))
    assert broken.problem.startswith(said)
    assert broken.external_id == ""
    assert json.loads(broken.body) == {"line": 3, "text": f"{row}\n".replace("\0", "\\u0000")}
    assert (good.problem, after.problem, after.position) == ("", "", "line 4")


def test_quote_broken_in_the_second_line_of_a_row_costs_that_row_only(table: Maker) -> None:
    records = records_of(table('a,b\n1,"x\ny"z\n3,4\n'))
    assert [(record.position, bool(record.problem)) for record in records] == [
        ("line 2", True),
        ("line 4", False),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a,b\n1,"2\n3,4\n5,6\n', 2),
        ('a,b\n1,2\n3,"4\n5,6', 3),
        ('a,b\n"1\n2","3\n4,5\n', 3),
        ('a,b\n1,"x ""y""\nz\n', 2),
        ('a,b\n1,"x\nsay ""y""\nz\n', 2),
        ('a,b\n"1""\n""\n2","3\n4\n', 4),
    ],
)
def test_unclosed_quote_names_the_line_it_was_opened_on(table: Maker, text: str, line: int) -> None:
    connector = table(text)
    with pytest.raises(
        SchemaError, match=rf"table\.csv: Invalid row format at line {line}: the quote opened there"
    ):
        pages_of(connector)


def test_unclosed_quote_in_a_large_file_does_not_swallow_it(table: Maker) -> None:
    text = 'a,b\n1,"2\n' + "3,4\n" * (MAX_CELL_CHARACTERS // 2)
    with pytest.raises(
        SchemaError, match="line 2: the quote opened there is not closed before 1048576 characters"
    ):
        pages_of(table(text))


def test_rows_before_an_unclosed_quote_are_kept(table: Maker) -> None:
    connector = table('a,b\n1,2\n3,4\n5,"6\n')
    stream = connector.streams()[0]
    page = connector.fetch(stream, FetchRequest())
    assert [record.position for record in page.records] == ["line 2", "line 3"]
    with pytest.raises(SchemaError, match="at line 4"):
        connector.fetch(stream, FetchRequest(cursor=page.next_cursor))


def test_escaped_quotes_do_not_mislead_the_search_for_the_open_one(table: Maker) -> None:
    connector = table('a,b\n"1\\"\n2","3\n4\n', escapechar="\\")
    with pytest.raises(SchemaError, match="at line 3: the quote"):
        pages_of(connector)


def test_text_without_any_line_end_is_refused(table: Maker) -> None:
    with pytest.raises(SchemaError, match="no line ends within"):
        pages_of(table(b"\x01" * (MAX_ROW_BYTES + 1_000_000)))


def test_row_of_endless_lines_is_refused(table: Maker) -> None:
    cell = '"' + "x" * 500_000 + '\n",'
    with pytest.raises(SchemaError, match="at line 2: the row is over"):
        pages_of(table("a,b\n" + cell * 40 + "\n"))


def test_last_row_without_line_end_counts_when_it_is_whole(table: Maker) -> None:
    assert payloads_of(table("a,b\n1,2\n3,4")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_last_row_cut_short_is_a_problem(table: Maker) -> None:
    *_, last = records_of(table("a,b\n1,2\n3"))
    assert last.problem == (
        "Invalid row format at line 3: 1 cells where the header has 2;"
        " the file ends here without a line end, so it may be cut off"
    )


@pytest.mark.parametrize("first", ["sep=;\r\n", "sep=\t\n", "sep=|\n"])
def test_separator_line_of_spreadsheets_is_obeyed(table: Maker, first: str) -> None:
    delimiter = first[4]
    records = records_of(table(f"{first}a{delimiter}b\n1{delimiter}2,5\n"))
    assert [json.loads(record.body) for record in records] == [{"a": "1", "b": "2,5"}]
    assert records[0].position == "line 3"


def test_separator_line_that_names_none_is_refused(table: Maker) -> None:
    with pytest.raises(ConfigError, match="line 1 says 'sep=', which names no single delimiter"):
        pages_of(table("sep=\na,b\n"))


def test_lines_above_the_header_are_skipped(table: Maker) -> None:
    records = records_of(table('Report "2026\n\na,b\n1,2\n', skipRows=2))
    assert [(json.loads(record.body), record.position) for record in records] == [
        ({"a": "1", "b": "2"}, "line 4")
    ]


def test_dialect_follows_the_settings(table: Maker) -> None:
    connector = table("a;b\n'1;''x''';2\\;3\n", delimiter=";", quotechar="'", escapechar="\\")
    assert payloads_of(connector) == [{"a": "1;'x'", "b": "2;3"}]


def test_column_without_a_name_is_called_by_its_number(table: Maker) -> None:
    assert payloads_of(table("a,,c\n1,2,3\n")) == [{"a": "1", "2": "2", "c": "3"}]


def test_file_without_a_header_where_one_is_due_is_refused(table: Maker) -> None:
    with pytest.raises(SchemaError, match="has not even a header row"):
        pages_of(table("\n\n"))


def test_broken_header_is_refused(table: Maker) -> None:
    with pytest.raises(SchemaError, match=r"at line 1: .* \(the header row\)"):
        pages_of(table('a,"b"c\n1,2\n'))


def test_empty_file_without_header_has_no_rows(table: Maker) -> None:
    assert records_of(table("", hasHeader=False)) == []
