"""Figures of a proof for a person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.cli.text import amounts, figure, percent, table
from replay.cli.venue import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


def asset_table(liabilities: Mapping[str, Decimal], reserves: Mapping[str, Decimal]) -> str:
    """Return liabilities, reserves and their ratio by asset."""
    from replay.solvency import reserve_ratio

    assets = sorted({*liabilities, *reserves})
    if not assets:
        return "  nothing is owed and nothing is attested"
    rows = [
        (
            asset,
            figure(liabilities.get(asset)),
            figure(reserves.get(asset)),
            percent(reserve_ratio(reserves.get(asset), liabilities.get(asset))),
        )
        for asset in assets
    ]
    return table(("asset", "liabilities", "reserves", "reserve ratio"), rows, indent="  ")


def totals_lines(totals: Mapping[str, Mapping[str, Decimal]], solvent: bool | None) -> list[str]:  # noqa: FBT001 (a verdict)
    """Return what stands apart from liabilities, and the verdict."""
    return [
        f"  insurance fund           {amounts(totals['insurance_fund'])}",
        f"  shortfall                {amounts(totals['shortfall'])}, of accounts that are owed nothing",
        f"  debt against collateral  {amounts(totals['debt_against_collateral'])}",
        f"  solvent                  {VERDICTS[solvent]}",
    ]
