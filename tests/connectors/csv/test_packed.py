"""Packed files hold the same rows as plain ones; what could hurt is refused before it does."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import packed
from connectors.base import Connector, FetchRequest
from connectors.errors import BadResponse, ConfigError, CursorExpired, SchemaError, TransientError
from connectors.providers.csv import reading
from tests.connectors.csv.conftest import pages_of, payloads_of, records_of
from tests.connectors.csv.test_over_http import Shelf

Maker = Callable[..., Connector]
TEXT = "a,b\n" + "".join(f'{number},"x\n{number}"\n' for number in range(400))


def zipped(members: dict[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


PACKED = {
    "gzip": gzip.compress(TEXT.encode()),
    "two gzip members": gzip.compress(TEXT[:1000].encode()) + gzip.compress(TEXT[1000:].encode()),
    "zip": zipped({"rows.csv": TEXT}),
    "stored zip": zipped({"rows.csv": TEXT}, method=zipfile.ZIP_STORED),
}
each_packing = pytest.mark.parametrize("content", PACKED.values(), ids=PACKED)


@each_packing
@pytest.mark.parametrize("page_size", [7, 100, 500])
def test_a_packed_file_gives_the_records_of_the_plain_one(
    table: Maker, content: bytes, page_size: int
) -> None:
    expected = records_of(table(TEXT))
    assert records_of(table(content), page_size=page_size) == expected
    assert len(expected) == 400


@each_packing
def test_another_worker_goes_on_where_the_first_one_stopped(table: Maker, content: bytes) -> None:
    connector = table(content)
    whole = pages_of(connector, page_size=90)
    for number, page in enumerate(whole[:-1], 1):
        other = another(connector)
        after = other.fetch(other.streams()[0], FetchRequest(cursor=page.next_cursor, page_size=90))
        other.close()
        assert (after.records, after.next_cursor) == (whole[number].records, whole[number].next_cursor)


def another(connector: Connector) -> Connector:
    return type(connector)(
        config=connector.config, credentials=connector.credentials, access=connector.access
    )


@each_packing
def test_a_run_unpacks_a_file_once(table: Maker, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []

    def count(*args: Any, **options: Any) -> Any:
        unpacked.append(args)
        return packed.unpacked(*args, **options)

    monkeypatch.setattr(reading, "unpacked", count)
    assert len(pages_of(table(content), page_size=50)) == 8
    assert len(unpacked) == 1


def test_no_file_stays_open(table: Maker) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    connector = table(PACKED["gzip"])
    before = opened()
    page = connector.fetch(connector.streams()[0], FetchRequest(page_size=10))
    assert page.next_cursor
    assert opened() == before + 1
    connector.close()
    assert opened() == before
    pages_of(connector, page_size=10)
    assert opened() == before


def test_an_unchanged_packed_file_is_not_read_again(table: Maker) -> None:
    connector = table(PACKED["zip"])
    state = pages_of(connector)[-1].stream_state
    assert records_of(connector, state=state) == []


def test_a_packed_file_that_was_replaced_is_read_again(table: Maker, folder: Path) -> None:
    connector = table(PACKED["gzip"])
    page = connector.fetch(connector.streams()[0], FetchRequest(page_size=10))
    connector.close()
    (folder / "table.csv").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    other = another(connector)
    with pytest.raises(CursorExpired, match="changed since the page before"):
        other.fetch(other.streams()[0], FetchRequest(cursor=page.next_cursor, page_size=10))


# Over HTTP


@pytest.fixture
def shelf(httpserver: HTTPServer, source: Maker) -> Callable[..., tuple[Shelf, Connector]]:
    def make(body: bytes, habits: dict[str, Any], **config: Any) -> tuple[Shelf, Connector]:
        made = Shelf(body, **habits)
        httpserver.expect_request("/file").respond_with_handler(made.answer)
        return made, source(sourceIdentifier=httpserver.url_for("/file"), targetTable="record", **config)

    return make


BIG = "a,b\n" + "".join(f"{number},{number * 7919 % 1_000_003:x}\n" for number in range(60_000))


@pytest.mark.parametrize(
    "habits",
    [
        {"headers": {"ETag": '"v1"'}},
        {"headers": {"ETag": '"v1"', "Content-Encoding": "gzip"}},
        {"headers": {"ETag": '"v1"'}, "most_bytes": 30_000},
        {"headers": {"ETag": '"v1"'}, "knows_ranges": False},
        {"headers": {"Content-Encoding": "gzip"}, "knows_ranges": False},
        {"names_total": False},
    ],
)
def test_gzip_over_http_is_read_by_any_server(shelf: Any, habits: dict[str, Any]) -> None:
    """Also where a store sends it as Content-Encoding: then a range is one of packed bytes."""
    _, connector = shelf(gzip.compress(BIG.encode()), habits)
    assert [row["a"] for row in payloads_of(connector, page_size=9000)] == [f"{n}" for n in range(60_000)]


@pytest.mark.parametrize("habits", [{"headers": {"ETag": '"v1"'}}, {"knows_ranges": False}])
def test_of_a_zip_archive_over_http_what_is_needed_is_fetched(shelf: Any, habits: dict[str, Any]) -> None:
    filler = os.urandom(3_000_000)
    archive = zipped({"other.bin": filler, "rows.csv": BIG, "last.bin": filler})
    made, connector = shelf(archive, habits, zipMember="*.csv")
    assert len(payloads_of(connector, page_size=9000)) == 60_000
    asked = [request.headers["Range"] for request in made.requests]
    assert len(set(asked)) == len(asked) <= (5 if made.knows_ranges else 1)


def test_a_zip_archive_somewhat_larger_than_the_first_answer_is_read(shelf: Any) -> None:
    archive = zipped({"rows.csv": BIG, "last.bin": os.urandom(100_000)})
    assert 64 * 1024 < len(archive) < packed.BLOCK_BYTES
    _, connector = shelf(archive, {"headers": {"ETag": '"v1"'}}, zipMember="*.csv")
    assert len(records_of(connector, page_size=100)) == 60_000


def test_a_zip_archive_of_unknown_length_is_told(shelf: Any) -> None:
    _, connector = shelf(PACKED["zip"] + bytes(100_000), {"names_total": False})
    with pytest.raises(SchemaError, match="does not say how long the zip archive is"):
        pages_of(connector)


# Which member


def test_the_one_file_among_folders_and_by_products_is_meant(table: Maker) -> None:
    by_products = {"out/": "", "__MACOSX/out/._rows.csv": "x", "out/.DS_Store": "x"}
    assert len(records_of(table(zipped({**by_products, "out/rows.csv": TEXT})))) == 400


@pytest.mark.parametrize(
    ("wanted", "found"), [("b/rows.csv", "b"), ("*/b*.csv", "c"), ("odd[1].csv", "d"), ("?/rows.csv", "")]
)
def test_a_member_is_named_or_fits_a_pattern(table: Maker, wanted: str, found: str) -> None:
    members = {"a/rows.csv": "a", "b/rows.csv": "b", "c/best.csv": "c", "odd[1].csv": "d"}
    content = zipped({name: f"x\n{letter}\n" for name, letter in members.items()})
    connector = table(content, zipMember=wanted)
    if found:
        assert payloads_of(connector) == [{"x": found}]
    else:
        with pytest.raises(ConfigError, match=r"2 of these fit '\?/rows.csv': set zipMember"):
            pages_of(connector)


def test_which_of_several_is_meant_has_to_be_said(table: Maker) -> None:
    content = zipped({f"{number}.csv": "x\n1\n" for number in range(30)})
    with pytest.raises(ConfigError, match=r"'0.csv', .* and 10 more; which one is meant is not said"):
        pages_of(table(content))


@pytest.mark.parametrize(
    "name", ["../rows.csv", "/etc/rows.csv", "a/../../rows.csv", "c:\\rows.csv", "..\\rows.csv"]
)
def test_names_that_lead_out_are_never_chosen(table: Maker, name: str) -> None:
    with pytest.raises(ConfigError, match="holds no file"):
        pages_of(table(zipped({name: TEXT}), zipMember="*"))


def test_an_archive_without_members_is_told(table: Maker) -> None:
    with pytest.raises(ConfigError, match="holds no file"):
        pages_of(table(zipped({})))


def test_a_link_in_an_archive_is_no_file(table: Maker) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("rows.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ConfigError, match="holds no file"):
        pages_of(table(made.getvalue()))


# What could hurt


@pytest.mark.parametrize("content", [gzip.compress(bytes(40_000_000)), zipped({"a.csv": bytes(40_000_000)})])
def test_a_bomb_is_refused_before_it_goes_off(table: Maker, content: bytes) -> None:
    with pytest.raises(BadResponse, match="as a gzip bomb or a zip bomb does"):
        pages_of(table(content))


@each_packing
def test_more_than_may_be_unpacked_is_refused(
    table: Maker, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(SchemaError, match=r"larger than 1000|over 1000"):
        pages_of(table(content))


def test_gzip_that_ends_too_soon_is_tried_again(table: Maker) -> None:
    with pytest.raises(TransientError, match="in the middle of its gzip stream"):
        pages_of(table(PACKED["gzip"][:-20]))


@pytest.mark.parametrize("damage", ["cut", "flipped", "lying", "encrypted", "method"])
def test_a_damaged_archive_is_told(table: Maker, damage: str) -> None:
    content = bytearray(zipped({"rows.csv": TEXT}, method=zipfile.ZIP_STORED))
    listed = content.index(b"PK\x01\x02")
    match damage:
        case "cut":
            content = content[:-30]
        case "flipped":
            content[content.index(b"200,")] ^= 1
        case "lying":
            content[listed + 24 : listed + 28] = (len(TEXT) - 100).to_bytes(4, "little")
        case "encrypted":
            content[listed + 8] |= 1
        case _:
            content[listed + 10] = 14
    with pytest.raises(
        (SchemaError, ConfigError), match=r"zip archive (cannot be read|is encrypted|is packed)"
    ):
        pages_of(table(bytes(content)))


def test_a_list_of_files_without_end_is_refused(table: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MAX_DIRECTORY_BYTES", 10_000)
    content = zipped({f"{number}.txt": "" for number in range(1000)})
    with pytest.raises(SchemaError, match="list of files is over 10000 bytes"):
        pages_of(table(content))


def test_an_error_in_a_packed_file_names_its_line(table: Maker) -> None:
    records = records_of(table(gzip.compress(b"a,b\n1,2\n3\n4,5\n")))
    assert [record.problem for record in records] == [
        "",
        "Invalid row format at line 3: 1 cells where the header has 2",
        "",
    ]
    connector = table(gzip.compress(b"a,b\n1,2\n" + b"\xff,1\n"))
    with pytest.raises(SchemaError, match="line 3, byte 8 of the file"):
        pages_of(connector, page_size=1)
