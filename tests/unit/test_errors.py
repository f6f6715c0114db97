from __future__ import annotations

import pytest

from ledger.errors import AmountError, EvidenceRefusedError, ExitCode, InvalidInputError, LedgerError


def every_error(base: type[LedgerError] = LedgerError) -> list[type[LedgerError]]:
    return [base, *(error for subclass in base.__subclasses__() for error in every_error(subclass))]


def test_an_input_error_names_its_place_from_the_outside_in() -> None:
    error = AmountError("'x' is not a plain decimal", place=("data.amount",), next_step="write numbers")
    outer = error.within("fills.ndjson", "line 7")
    assert isinstance(outer, AmountError)
    assert outer.place == ("fills.ndjson", "line 7", "data.amount")
    assert outer.message == "fills.ndjson, line 7, data.amount: 'x' is not a plain decimal"
    assert (outer.problem, outer.next_step) == (error.problem, "write numbers")


def test_a_place_cannot_write_to_the_terminal() -> None:
    error = InvalidInputError("there is no such field", place=("data.\n\x1b[31m\u2028red\x85",))
    assert error.message == "data.\\n\\x1b[31m\\u2028red\\x85: there is no such field"


def test_evidence_cannot_turn_around_or_hide_what_is_printed_after_it() -> None:
    error = EvidenceRefusedError("origin", "venue", "\u202eeunev\u2066\u200b\ufeff — é")
    assert error.message == "origin: expected venue, found \\u202eeunev\\u2066\\u200b\\ufeff — é"


@pytest.mark.parametrize("error", every_error())
def test_every_error_says_what_it_is_and_how_it_ends_a_command(error: type[LedgerError]) -> None:
    assert error.__doc__
    assert error.exit_code in set(ExitCode) - {ExitCode.OK, ExitCode.INTERRUPTED}
