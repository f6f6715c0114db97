"""What the database refuses, whoever writes: every attempt is SQL of the writer role itself."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import decode, encode_trusted
from ledger.chain import check_event, parse_entry
from ledger.errors import IntegrityError
from ledger.events.envelope import LARGEST_EVENT_BYTES, Draft, PreparedEvent
from ledger.store.ledger import Ledger
from ledger.verify import verify_ledger
from tests.support.direct import WRITER, DirectWriter, Row, direct_writer
from tests.support.examples import EVENT_ID, EXAMPLES, TIME, deposit, draft_json, event_of_size, prepared
from tests.support.postgres import fresh_database
from tests.support.strategies import free_data, plain_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORIGIN = "venue.example/perpetuals"
NOT_NEXT, COLUMN_DIFFERS, NOT_CANONICAL, UNCHANGEABLE = "LG001", "LG002", "LG003", "LG004"
COLUMNS = "sequence, id, type, occurred_at, appended_at, writer, canonical"
INSUFFICIENT_PRIVILEGE, DUPLICATE_KEY = "42501", "23505"


@pytest.fixture(scope="module")
def url(database_server_url: str) -> Iterator[str]:
    """One database for the whole file: what is refused leaves no trace."""
    with fresh_database(database_server_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.initialise(url, origin=ORIGIN) as opened:
        opened.append([deposit()])
        yield opened


@pytest.fixture(scope="module")
def writer(url: str, ledger: Ledger) -> Iterator[DirectWriter]:
    assert ledger.origin == ORIGIN
    with direct_writer(url) as session:
        yield session


@pytest.fixture
def nothing_recorded(ledger: Ledger) -> Iterator[None]:
    before = ledger.head()
    yield
    assert ledger.head() == before


def raw_event(text: str, event_id: uuid.UUID | None = None) -> PreparedEvent:
    """An event whose bytes are what a hostile writer says they are."""
    return PreparedEvent(
        event_id or uuid.UUID(EVENT_ID),
        "DepositRecorded",
        datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        text.encode("utf-8", "surrogatepass"),
    )


def event_text(data: str = '{"account":"A17"}', **members: str | None) -> str:
    """The JSON text of an event, keys in order; values are JSON text, None leaves a member out."""
    every: dict[str, str | None] = {
        "data": data,
        "id": f'"{EVENT_ID}"',
        "occurred_at": f'"{TIME}"',
        "schema": "1",
        "type": '"DepositRecorded"',
        **members,
    }
    inner = ",".join(f'"{key}":{value}' for key, value in sorted(every.items()) if value is not None)
    return f"{{{inner}}}"


def test_a_right_row_is_taken_from_any_writer_and_verifies(ledger: Ledger, writer: DirectWriter) -> None:
    row = writer.row(prepared(deposit("A18")))
    writer.insert(row)
    recorded = ledger.event(row.sequence)
    assert recorded.writer == WRITER
    assert verify_ledger(ledger).ok


def spoil_prev(row: Row) -> None:
    prev = parse_entry(row.canonical).link.prev
    row.replace(prev, "a" * 64)


def spoil_sequence_in_bytes(row: Row) -> None:
    row.replace(f'"sequence":{parse_entry(row.canonical).link.sequence},', '"sequence":1000000,')


def spoil_sequence_column(row: Row) -> None:
    row.sequence += 1


def spoil_both_sequences(row: Row) -> None:
    row.replace(f'"sequence":{row.sequence},', f'"sequence":{row.sequence + 1},')
    row.sequence += 1


def spoil_ledger(row: Row) -> None:
    row.replace(f'"ledger":"{ORIGIN}"', '"ledger":"venue.example/other"')


def spoil_nonce_length(row: Row) -> None:
    row.replace("0" * 32, "0" * 31)


def spoil_nonce_case(row: Row) -> None:
    row.replace("0" * 32, "A" * 32)


def spoil_writer_in_bytes(row: Row) -> None:
    row.replace(f'"writer":"{WRITER}"', '"writer":"ledger"')


def spoil_both_writers(row: Row) -> None:
    spoil_writer_in_bytes(row)
    row.writer = "ledger"


def spoil_appended_at(row: Row) -> None:
    row.appended_at += timedelta(microseconds=1)


def spoil_id(row: Row) -> None:
    row.id = uuid.uuid4()


def spoil_type(row: Row) -> None:
    row.type = "WithdrawalRecorded"


def spoil_occurred_at(row: Row) -> None:
    row.occurred_at = datetime(2026, 1, 31, 9, 30, 0, 1, tzinfo=UTC)


def spoil_link_order(row: Row) -> None:
    row.replace('"nonce":"' + "0" * 32 + '",', "")
    row.replace('"sequence":', '"nonce":"' + "0" * 32 + '","sequence":')


def spoil_link_member(row: Row) -> None:
    row.canonical = row.canonical[:-2] + b',"x":"y"}}'


def spoil_line_end(row: Row) -> None:
    row.canonical += b"\n"


@pytest.mark.usefixtures("nothing_recorded")
@pytest.mark.parametrize(
    ("spoil", "sqlstate"),
    [
        (spoil_prev, NOT_NEXT),
        (spoil_sequence_in_bytes, NOT_NEXT),
        (spoil_sequence_column, NOT_NEXT),
        (spoil_both_sequences, NOT_NEXT),
        (spoil_ledger, NOT_NEXT),
        (spoil_nonce_length, NOT_NEXT),
        (spoil_nonce_case, NOT_NEXT),
        (spoil_writer_in_bytes, NOT_NEXT),
        (spoil_both_writers, COLUMN_DIFFERS),
        (spoil_appended_at, NOT_NEXT),
        (spoil_id, COLUMN_DIFFERS),
        (spoil_type, COLUMN_DIFFERS),
        (spoil_occurred_at, COLUMN_DIFFERS),
        (spoil_link_order, NOT_NEXT),
        (spoil_link_member, NOT_NEXT),
        (spoil_line_end, NOT_NEXT),
    ],
)
def test_a_row_that_is_not_the_next_link_or_differs_from_its_bytes_is_refused(
    writer: DirectWriter, spoil: Callable[[Row], None], sqlstate: str
) -> None:
    row = writer.row(prepared())
    spoil(row)
    assert writer.refusal(row) == sqlstate


@pytest.mark.usefixtures("nothing_recorded")
@pytest.mark.parametrize(
    "text",
    [
        event_text().replace('{"data"', '{ "data"'),
        event_text().replace(",", ", ", 1),
        event_text()[:-1] + " }",
        event_text(data='{"b":"1","a":"2"}'),
        event_text(data='{"a":"1","a":"2"}'),
        event_text(data='{"a":{"c":"1","b":"2"}}'),
        event_text(data='{"a":[{"c":"1","b":"2"}]}'),
        event_text(data='{"a":{"b":"1","b":"2"}}'),
        event_text(data='{"a":null}'),
        event_text(data='{"a":[null]}'),
        event_text(data='{"a":{"b":null}}'),
        event_text(data='{"a":1}'),
        event_text(data='{"a":1.5}'),
        event_text(data='{"a":-0}'),
        event_text(data='{"a":1e5}'),
        event_text(data='{"a":[1]}'),
        event_text(data='{"a":{"b":12345678901234567890}}'),
        event_text(data='{"a":NaN}'),
        event_text(data='{"a":"\\u0041"}'),
        event_text(data='{"a":"\\/"}'),
        event_text(data='{"a":"\\u0000"}'),
        event_text(data='{"a":"\\u0001"}'),
        event_text(data='{"a":"\\n"}'),
        event_text(data='{"a":"\\\\\\n"}'),
        event_text(data='{"a":"\\ud800"}'),
        event_text(data='{"a":"\x01"}'),
        event_text(data='{"a":"\x7f"}'),
        event_text(data='{"a":"\x85"}'),
        event_text(data='{"é":"x"}'),
        event_text(data='{"a":{"é":"x"}}'),
        event_text(data='{"a":' + "[" * 60 + "]" * 60 + "}"),
        event_text(data='{"a":' + "[" * 20_000 + "]" * 20_000 + "}"),
        event_text(data='"x"'),
        event_text(data="[]"),
        event_text(data=""),
        event_text(data='{"a":"x"'),
        event_text(data="{'a':'x'}"),
        event_text().replace('"data":', '"data":{},"data":'),
        event_text().replace('"id":', '"zid":'),
        "{" + event_text()[1:-1].split(",", 1)[1] + "}",
        event_text(schema=None),
        event_text(schema="0"),
        event_text(schema="-1"),
        event_text(schema="1.0"),
        event_text(schema='"1"'),
        event_text(schema="9007199254740993"),
        event_text(schema="true"),
        event_text(surprise='"x"'),
        event_text(actor="5"),
        event_text(actor="null"),
        event_text(actor="[]"),
        event_text(correlation="true"),
        event_text(source="{}").replace('"source":{}', '"source":{"system":"a","file":"b"}'),
        event_text(source='{"row":5}'),
        event_text(source='"x"'),
        event_text(source='{"a":{"c":"1","b":"2"}}'),
        event_text(data='{"a":"' + "x" * 65_000 + '"}'),
        "[]",
        '"x"',
        "{}",
        "",
        "5",
    ],
)
def test_bytes_that_are_not_a_canonical_event_are_refused(writer: DirectWriter, text: str) -> None:
    assert writer.refusal(writer.row(raw_event(text))) == NOT_CANONICAL


@pytest.mark.usefixtures("nothing_recorded")
def test_bytes_that_are_not_utf_8_are_refused(writer: DirectWriter) -> None:
    row = writer.row(raw_event(event_text()))
    row.canonical = row.canonical.replace(b"A17", b"A\xff7")
    assert writer.refusal(row) == NOT_CANONICAL


@pytest.mark.usefixtures("nothing_recorded")
@pytest.mark.parametrize(
    ("occurred_at", "in_bytes"),
    [
        ("infinity", None),
        ("-infinity", None),
        ("infinity", '"infinity"'),
        ("10000-01-01T00:00:00Z", '"10000-01-01T00:00:00.000000Z"'),
        ("0001-01-01T00:00:00Z BC", '"0001-01-01T00:00:00.000000Z"'),
        ("2026-01-31T09:30:00Z", '"2026-01-31T09:30:00Z"'),
        ("2026-01-31T09:30:00Z", '"2026-01-31T10:30:00.000000+01:00"'),
        ("2026-03-02T00:00:00Z", '"2026-02-30T00:00:00.000000Z"'),
    ],
)
def test_only_times_that_every_reader_has_are_taken(
    writer: DirectWriter, occurred_at: str, in_bytes: str | None
) -> None:
    row = writer.row(raw_event(event_text(occurred_at=in_bytes)))
    row.occurred_at = occurred_at
    assert writer.refusal(row) == COLUMN_DIFFERS


@pytest.mark.usefixtures("nothing_recorded")
@pytest.mark.parametrize("hours", [-1, 1])
def test_the_time_of_an_append_is_the_clocks(writer: DirectWriter, hours: int) -> None:
    row = writer.row(prepared(), later_by=timedelta(hours=hours))
    assert writer.refusal(row) == COLUMN_DIFFERS


@pytest.mark.usefixtures("nothing_recorded")
def test_no_second_opening_is_taken(ledger: Ledger, writer: DirectWriter) -> None:
    opening = prepared(Draft.from_json(draft_json("LedgerOpened")))
    assert writer.refusal(writer.row(opening)) == NOT_NEXT
    with pytest.raises(IntegrityError, match="LedgerOpened is the first event, and no other"):
        ledger.append_prepared([opening])


@pytest.mark.usefixtures("nothing_recorded")
def test_gaps_duplicates_and_repeats_are_refused(ledger: Ledger, writer: DirectWriter) -> None:
    assert writer.refusal(writer.row(prepared(), ahead=1)) == NOT_NEXT
    assert writer.refusal(writer.row(prepared(), ahead=-1)) == DUPLICATE_KEY
    recorded = ledger.event(1)
    repeated = writer.row(prepared(deposit("A99"), str(recorded.id)))
    assert writer.refusal(repeated) == DUPLICATE_KEY
    row = writer.row(prepared())
    assert writer.refusal(row, row) == DUPLICATE_KEY


@pytest.mark.usefixtures("nothing_recorded")
def test_every_row_of_a_statement_is_checked(writer: DirectWriter) -> None:
    first = writer.row(prepared())
    unlinked = writer.row(prepared(), ahead=1)
    assert writer.refusal(first, unlinked) == NOT_NEXT


@pytest.mark.usefixtures("nothing_recorded")
def test_two_inserts_in_one_statement_are_checked_together(writer: DirectWriter) -> None:
    first, unlinked = writer.row(prepared()), writer.row(prepared(), ahead=1)
    columns, row = f"({COLUMNS})", "(%s, %s, %s, %s, %s, %s, %s)"
    values = [getattr(each, name) for each in (first, unlinked) for name in COLUMNS.split(", ")]
    statement = (
        f"WITH one AS (INSERT INTO events {columns} VALUES {row}) INSERT INTO events {columns} VALUES {row}"
    )
    assert writer.refusal_of(statement, *values) == NOT_NEXT


@pytest.mark.parametrize("role", [WRITER, f"röle 😀 {WRITER}"], ids=["plain", "odd"])
def test_the_largest_event_is_taken_and_a_larger_one_is_not(url: str, ledger: Ledger, role: str) -> None:
    """The limit counts the event's bytes, whatever its writer is called."""
    largest = prepared(event_of_size(LARGEST_EVENT_BYTES), EVENT_ID)
    larger = replace(largest, event_bytes=largest.event_bytes.replace(b'"yy', b'"yyy', 1))
    assert (len(largest.event_bytes), len(larger.event_bytes)) == (
        LARGEST_EVENT_BYTES,
        LARGEST_EVENT_BYTES + 1,
    )
    with direct_writer(url, role) as writer:
        assert writer.refusal(writer.row(larger)) == NOT_CANONICAL
        fresh = uuid.uuid4()
        row = writer.row(prepared(event_of_size(LARGEST_EVENT_BYTES), str(fresh)))
        assert writer.refusal(row) is None
    assert ledger.event(row.sequence).writer == role


@pytest.mark.usefixtures("nothing_recorded")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = 'x'",
        "UPDATE events SET type = 'x' WHERE false",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE event_subjects SET subject = 'x'",
        "DELETE FROM event_subjects",
        "TRUNCATE event_subjects",
        "INSERT INTO event_subjects VALUES ('account/X', 1)",
        "UPDATE ledger_head SET sequence = 100",
        "DELETE FROM ledger_head",
        "TRUNCATE ledger_head",
        f"INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM events ON CONFLICT (id) DO UPDATE SET type=''",
        "MERGE INTO events USING (VALUES (1)) AS v (n) ON sequence = n WHEN MATCHED THEN DELETE",
        "MERGE INTO events USING (VALUES (1)) AS v (n) ON sequence = n WHEN MATCHED THEN UPDATE SET id = id",
    ],
)
@pytest.mark.parametrize("replica", [False, True])
def test_recorded_rows_do_not_change_for_anyone(
    url: str, ledger: Ledger, writer: DirectWriter, statement: str, *, replica: bool
) -> None:
    """The writer has no right to; a superuser meets the triggers, also while playing a replica."""
    assert writer.refusal_of(statement) == INSUFFICIENT_PRIVILEGE
    with psycopg.connect(url) as superuser:
        if replica:
            superuser.execute("SET session_replication_role = replica")
        assert DirectWriter(superuser).refusal_of(statement) == UNCHANGEABLE
    assert verify_ledger(ledger).ok


@pytest.mark.usefixtures("nothing_recorded")
def test_a_replica_session_is_checked_as_any_other(
    url: str,
) -> None:
    with psycopg.connect(url) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.commit()
        writer = DirectWriter(superuser)
        row = writer.row(prepared())
        spoil_prev(row)
        assert writer.refusal(row) == NOT_NEXT


def test_the_guard_cannot_be_put_to_work_on_another_table(
    url: str, ledger: Ledger, writer: DirectWriter
) -> None:
    """Run on rows of one's own, it would move the head past events that are not there."""
    attack = (
        "CREATE TEMP TABLE mine AS TABLE events WITH NO DATA; "
        "CREATE TRIGGER guard AFTER INSERT ON mine REFERENCING NEW TABLE AS new_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_guard_append(); "
        "INSERT INTO mine (sequence) VALUES (2)"
    )
    assert writer.refusal_of(attack) == INSUFFICIENT_PRIVILEGE
    with psycopg.connect(url) as superuser:
        assert DirectWriter(superuser).refusal_of(attack) == UNCHANGEABLE
    assert ledger.append([deposit("A20")]).appended == 1


def recorded_as_given(ledger: Ledger, draft: Draft) -> None:
    sequence = ledger.append([draft]).first_sequence
    assert sequence is not None
    event = ledger.event(sequence)
    assert event.data == draft.data
    assert check_event(parse_entry(event.canonical)).event_bytes == prepared(draft, str(event.id)).event_bytes


@settings(deadline=None, max_examples=60)
@given(
    reference=plain_texts(min_size=1),
    actor=st.none() | plain_texts(min_size=1),
    system=st.none() | plain_texts(min_size=1),
)
def test_the_database_takes_every_text_that_the_library_takes(
    ledger: Ledger, reference: str, actor: str | None, system: str | None
) -> None:
    data = {**EXAMPLES["DepositRecorded"], "reference": reference}
    source = None if system is None else {"system": system}
    draft = Draft.from_json(draft_json("DepositRecorded", data=data, actor=actor, source=source))
    recorded_as_given(ledger, draft)


@settings(deadline=None, max_examples=60)
@given(replacement=free_data())
def test_the_database_takes_all_free_data_that_the_library_takes(
    ledger: Ledger, replacement: dict[str, Any]
) -> None:
    data = {**EXAMPLES["CorrectionRecorded"], "replacement": replacement}
    recorded_as_given(ledger, Draft.from_json(draft_json("CorrectionRecorded", data=data)))


def test_the_database_takes_every_type(ledger: Ledger) -> None:
    for event_type in sorted(EXAMPLES.keys() - {"LedgerOpened"}):
        recorded_as_given(ledger, Draft.from_json(draft_json(event_type)))
    assert verify_ledger(ledger).ok


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_changed_byte_of_an_event_is_refused_or_still_an_entry(url: str, data: st.DataObject) -> None:
    """What the database lets in can always be read as a canonical entry, payload apart."""
    draft = Draft.from_json(
        draft_json(
            data.draw(st.sampled_from(["LiquidationExecuted", "DepositRecorded", "CorrectionRecorded"]))
        )
    )
    with direct_writer(url) as writer:
        row = writer.row(prepared(draft))
        end = len(b'{"event":') + len(row.event)
        at = data.draw(st.integers(0, end - 1))
        byte = data.draw(
            st.one_of(st.sampled_from(b'"\\{}[],: 0129-+.eEtfn\x00\x7f\xc3'), st.integers(0, 255))
        )
        keep = data.draw(st.sampled_from([at, at + 1]))
        row.canonical = row.canonical[:at] + bytes([byte]) + row.canonical[keep:]
        if writer.refusal(row) is None:
            assert encode_trusted(decode(row.canonical)) == row.canonical
            assert parse_entry(row.canonical).link.sequence == row.sequence
