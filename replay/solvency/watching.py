"""What a watch over solvency finds in a state: assets that are owed and not covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.amounts import ZERO, format_exact
from replay.findings import Finding, Severity
from replay.solvency.totals import uncovered_assets

if TYPE_CHECKING:
    from replay.solvency.proofs.making import Figures

LIABILITIES_EXCEED_RESERVES = "liabilities_exceed_reserves"


def solvency_findings(figures: Figures, *, sequence: int, commitment: int | None) -> list[Finding]:
    """Return a finding for each asset that is owed and not covered by fresh attestations.

    Args:
        figures: of a state; where nothing is attested at all nothing is concluded.
        sequence: the state's last event.
        commitment: where the state was committed to, or None.
    """
    if not figures.attestations:
        return []
    owed, reserves = figures.liabilities.totals, figures.reserves
    found = []
    for asset in sorted(uncovered_assets(owed, reserves, figures.liabilities.undetermined)):
        attested = [each for each in figures.attestations if each.reserve.asset == asset]
        stale = sum(not each.fresh for each in attested)
        remark = f"; {stale} of {len(attested)} attestations do not count any more" if stale else ""
        evidence = sorted(each.reserve.sequence for each in attested)
        found.append(
            Finding(
                code=LIABILITIES_EXCEED_RESERVES,
                severity=Severity.ERROR,
                message=f"{format_exact(owed[asset])} {asset} are owed to customers, and "
                f"{format_exact(reserves.get(asset, ZERO))} {asset} are attested, free and fresh{remark}",
                sequence=sequence,
                evidence=(*evidence, *([] if commitment is None else [commitment])),
                recorded=format_exact(reserves.get(asset, ZERO)),
                rebuilt=format_exact(owed[asset]),
            )
        )
    return found
