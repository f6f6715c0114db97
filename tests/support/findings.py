"""What an audit says of events, narrowed to one code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.audit import audit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.events.envelope import Event
    from replay.findings import Finding


def found(events: Iterable[Event], code: str) -> list[Finding]:
    """Return the findings of one code."""
    return list(audit(events, checks=[code]).findings)


def places(events: Iterable[Event], code: str) -> list[tuple[str | None, int | None]]:
    """Return account and sequence of each finding of one code."""
    return [(each.account, each.sequence) for each in found(events, code)]


def not_checked(events: Iterable[Event], code: str) -> list[str]:
    """Return what the check of a code could not look at."""
    return [each.reason for each in audit(events, checks=[code]).not_checked if each.check != "assertions"]
