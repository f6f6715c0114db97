"""The audit against days of an independent generator: it finds what was planted, and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import pytest

from replay.audit import CHECKS, audit
from tests.simulation.days import KINDS, planted_day, venue_day

if TYPE_CHECKING:
    from ledger.events.envelope import Event

Found: TypeAlias = Counter[tuple[str, str | None, int | None]]

SEEDS = range(1, 21)
KNOWN = {kind.code for check in CHECKS for kind in check.kinds}


def found_in(events: list[Event]) -> Found:
    """Return the findings of an audit as (code, account, sequence)."""
    return Counter((each.code, each.account, each.sequence) for each in audit(events).findings)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_that_keeps_the_rules_has_no_finding(seed: int) -> None:
    assert found_in(venue_day(seed)) == Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_planted_fault_is_found_where_it_was_planted_and_nothing_else(seed: int) -> None:
    events, planted = planted_day(seed, KINDS)
    expected: Found = Counter(
        (each.code, each.account, each.sequence) for each in planted if each.code in KNOWN
    )
    found = found_in(events)
    assert {"not found": expected - found, "not planted": found - expected} == {
        "not found": Counter(),
        "not planted": Counter(),
    }
