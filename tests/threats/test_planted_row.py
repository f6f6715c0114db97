"""Attack: as a writer, plant a row that readers trip over. The database checks its form, not its content."""

from __future__ import annotations

import pytest

from ledger.errors import RecordUnreadableError
from ledger.store.ledger import Ledger
from ledger.verify import verify_database
from tests.support.direct import direct_writer
from tests.support.examples import deposit, prepared
from tests.support.keys import ORIGIN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"amount":"1"', '"amount":"1e3"'),
        ('"amount":"1"', '"amount":"-5"'),
        ('"amount":"1",', ""),
        ('"account":"A1"', '"account":"A 1"'),
    ],
)
def test_a_payload_out_of_the_catalogue_is_taken_and_then_named_by_verification_with_its_writer(
    database_url: str, old: str, new: str
) -> None:
    """What remains of this attack: the row cannot go away again, and a replay stops there."""
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        ledger.append([deposit("A0")])
    with direct_writer(database_url) as writer:
        row = writer.row(prepared(deposit("A1")))
        row.replace(old, new)
        assert writer.refusal(row) is None
        role = row.writer
    with Ledger.open(database_url) as ledger:
        ledger.append([deposit("A2")])
        with pytest.raises(RecordUnreadableError) as unreadable:
            list(ledger.events())
        assert unreadable.value.sequence == 2
        rows = {sequence: canonical for sequence, canonical, _ in ledger.entries()}
    report = verify_database(database_url)
    assert [(failure.sequence, failure.check) for failure in report.failures] == [(2, "well_formed")]
    assert f'"writer":"{role}"'.encode() in rows[2]
