"""``replay venue``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode
from ledger.report import printable
from replay.cli.cuts import Replay, cut_options
from replay.cli.numbers import maximum_age_option
from replay.cli.text import amounts, figure, moment, percent, seconds, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from replay.solvency import Attestation, VenueReport

NOTES_SHOWN = 20
HOLDINGS_SHOWN = 20
VERDICTS = {
    True: "SOLVENT: every asset that is owed is covered by a fresh attestation",
    False: "NOT SOLVENT: what is attested and fresh does not cover what is owed",
    None: "unknown: what is missing for a verdict is in the notes",
}


@ledger_command("venue")
@maximum_age_option
@cut_options
def venue(session: Session, *, maximum_age_seconds: Decimal, replay: Replay) -> int:
    """Add up the venue: what it owes, what is attested to cover it, the insurance fund, who owes it.

    Exits 1 where liabilities are not covered; where that cannot be known it says so and exits 0.
    """
    from replay.solvency import venue_report

    with session.ledger() as ledger:
        result = replay.fold(session, ledger)
    report = venue_report(result.state, maximum_age_seconds=maximum_age_seconds)
    document = {**report.document(), "replay": replay.document(result)}
    session.emit(document, words(report, result.state.origin, replay.words(result)))
    return ExitCode.NEGATIVE_VERDICT if report.solvent is False else ExitCode.OK


def words(report: VenueReport, origin: str, folded: str) -> str:
    """Return the report for a person."""
    kinds = ", ".join(
        f"{count:,} {kind.replace('_', ' ')}" for kind, count in sorted(report.accounts_by_kind.items())
    )
    lines = [
        f"{origin}   {report.accounts:,} accounts ({kinds})",
        f"after sequence {report.sequence}, {moment(report.at)}   ({folded})",
        "",
        _assets(report),
        "",
        f"  insurance fund   {amounts(report.insurance_fund)}",
        f"  negative equity  {_owing(report)}",
        f"  solvent          {VERDICTS[report.solvent]}",
        *holdings(report.attestations),
    ]
    if report.notes:
        lines += ["", "notes", *(f"  {note.message}" for note in report.notes[:NOTES_SHOWN])]
        more = len(report.notes) - NOTES_SHOWN
        lines += [f"  … and {more:,} more: --json"] if more > 0 else []
    lines += ["", "Figures are rounded for reading; --json gives them exactly."]
    return "\n".join(lines)


def _owing(report: VenueReport) -> str:
    owing = report.negative_equity
    if not owing.by_account:
        return "none"
    one = len(owing.by_account) == 1
    return f"{amounts(owing.amounts)} of {len(owing.by_account):,} account{'' if one else 's'}"


def _assets(report: VenueReport) -> str:
    assets = sorted({*report.liabilities, *report.reserves})
    if not assets:
        return "  nothing is owed and nothing is attested"
    rows = [
        (
            asset,
            figure(report.liabilities.get(asset)),
            figure(report.reserves.get(asset)),
            percent(report.reserve_ratio.get(asset)),
            "not all known" if asset in report.undetermined else "",
        )
        for asset in assets
    ]
    return table(("asset", "liabilities", "reserves", "reserve ratio", ""), rows, indent="  ")


def holdings(held: Sequence[Attestation]) -> list[str]:
    """Return what is attested where; what nobody said to be encumbered is not shown as zero."""
    if not held:
        return []
    rows = [
        (
            each.reserve.asset,
            printable(" ".join(filter(None, (each.reserve.custodian, each.reserve.address)))),
            figure(each.reserve.amount),
            figure(each.reserve.encumbered),
            seconds(each.age_seconds),
            "fresh" if each.fresh else "of a time to come" if each.age_seconds < 0 else "too old",
        )
        for each in held[:HOLDINGS_SHOWN]
    ]
    header = ("attested", "custodian", "amount", "encumbered", "age", "")
    more = len(held) - HOLDINGS_SHOWN
    return ["", table(header, rows, left=2, indent="  ")] + (
        [f"  … and {more:,} more: --json"] if more > 0 else []
    )
