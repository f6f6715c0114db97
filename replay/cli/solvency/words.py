"""Figures of a proof for a person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.cli.text import amounts, figure, percent, seconds, table
from replay.cli.venue import VERDICTS, holdings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from replay.solvency import Attestation, Header


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


def totals_lines(
    totals: Mapping[str, Mapping[str, Decimal]],
    header: Header,
    attestations: Sequence[Attestation],
    solvent: bool | None,  # noqa: FBT001 (a verdict)
) -> list[str]:
    """Return what stands apart from liabilities, and the verdict with what decides it."""
    shortfall = totals["shortfall"]
    whose = ", which accounts owe that are owed nothing" if shortfall else ""
    unknown = "not all claims are known" if attestations else "no reserves are attested"
    lines = [
        f"  insurance fund           {amounts(totals['insurance_fund'])}",
        f"  shortfall                {amounts(shortfall)}{whose}",
        f"  debt against collateral  {amounts(totals['debt_against_collateral'])}",
        f"  solvent                  {f'unknown: {unknown}' if solvent is None else VERDICTS[solvent]}",
    ]
    if header.undetermined:
        lines.append(f"  not all known            {', '.join(header.undetermined)}: replay venue says why")
    return lines


def attested_lines(attestations: Sequence[Attestation], header: Header) -> list[str]:
    """Return what is attested where, and by which rule of the venue it counts."""
    if not attestations:
        return []
    oldest = seconds(header.maximum_age_seconds)
    return [
        *holdings(attestations),
        f"  fresh: at most {oldest} before the state's last event, as the venue chose",
    ]
