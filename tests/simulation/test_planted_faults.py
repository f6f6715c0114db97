"""The audit against days of an independent generator: it finds what was planted, and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import pytest

from replay.audit import CHECKS, audit
from replay.projection import ANOMALIES
from tests.simulation.days import KINDS, planted_day, venue_day

if TYPE_CHECKING:
    from ledger.events.envelope import Event
    from replay.audit import FindingKind

Found: TypeAlias = Counter[tuple[str, str | None, int | None]]

SEEDS = range(1, 21)
# An anomaly is what replay cannot apply; a balance below zero is told for information. Neither is a rule.
NO_RULES = {*ANOMALIES, "negative_equity"}


def all_kinds() -> list[FindingKind]:
    """Return every kind of finding that the audit documents."""
    return [kind for check in CHECKS for kind in check.kinds]


def found_in(events: list[Event]) -> Found:
    """Return the findings of an audit as (code, account, sequence)."""
    return Counter((each.code, each.account, each.sequence) for each in audit(events).findings)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_that_keeps_the_rules_has_no_finding(seed: int) -> None:
    assert found_in(venue_day(seed)) == Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_planted_fault_is_found_where_it_was_planted_and_nothing_else(seed: int) -> None:
    events, planted = planted_day(seed, KINDS)
    expected: Found = Counter((each.code, each.account, each.sequence) for each in planted)
    assert {each.code for each in planted} == {kind.code for kind in all_kinds()} - NO_RULES
    found = found_in(events)
    assert {"not found": expected - found, "not planted": found - expected} == {
        "not found": Counter(),
        "not planted": Counter(),
    }
