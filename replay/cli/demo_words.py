"""What ``ledger demo`` tells a person, step by step."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from ledger.amounts import Rounding, divide
from ledger.settings import DEFAULT_HOME
from replay.cli.text import amounts, figure, percent, seconds, table
from replay.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from ledger.export.bundle import ExportResult
    from ledger.report import BundleReport
    from ledger.settings import Settings
    from ledger.verify import VerifyReport
    from replay.audit import AuditReport
    from replay.demo import Replayed
    from replay.margin import AccountMargin
    from replay.solvency import VenueReport
    from replay.venue.demo import DemoStory, PriceLow, ToldLiquidation

_INDENT = "   "
_PLACES = 4


def recorded(story: DemoStory, document: dict[str, Any]) -> str:
    """Tell the day."""
    lines = [
        f"1  RECORDED  {story.events:,} events of a made-up venue's day, {document['day']}, as a hash chain",
        f"{story.accounts} accounts, {story.trades} trades. In the evening (UTC) the market falls:",
        *(f"  {_fall(low)}" for low in story.lows),
        f"{_count(story.margin_calls, 'margin call')}, {_answered(story)}.",
        f"{_count(len(story.liquidations), 'liquidation')}: {_names(story.liquidations)}.",
    ]
    if story.deleveraged:
        against = ", ".join(each.counterparty_account for each in story.deleveraged)
        whose = ", ".join(sorted({each.bankrupt_account for each in story.deleveraged}))
        lines.append(f"Part of {whose} is closed against {against} (auto-deleveraging).")
    traded = story.fund_after - (story.fund_before - story.fund_drawn + story.fund_contributed)
    lines += [
        f"The insurance fund, {figure(story.fund_before)} USDT, pays {figure(story.fund_drawn)} for "
        f"shortfalls, gets {figure(story.fund_contributed)},",
        f"{'loses' if traded < 0 else 'wins'} {figure(abs(traded))} on what it took over, and ends with "
        f"{figure(story.fund_after)}.",
    ]
    return _section(lines)


def _fall(low: PriceLow) -> str:
    part = divide(low.before - low.low, low.before, scale=_PLACES, rounding=Rounding.HALF_EVEN)
    return (
        f"{low.instrument:<9} from {figure(low.before)} to {figure(low.low)} at {_clock(low.at)}, "
        f"−{percent(part)} within an hour"
    )


def _answered(story: DemoStory) -> str:
    names = sorted({each.account for each in story.cured})
    return f"of which {', '.join(names)} answered in time" if names else "none of them answered in time"


def _names(liquidations: Sequence[ToldLiquidation]) -> str:
    return ", ".join(each.account for each in liquidations) or "nobody"


def verified(report: VerifyReport) -> str:
    """Tell what verifying found."""
    document = report.document()
    if not report.ok:
        return _section(["2  VERIFIED  the chain is BROKEN: ledger verify"])
    return _section(
        [
            f"2  VERIFIED  every hash, link and place of {report.events:,} events holds",
            f"root of the Merkle tree  {document['root_hash']}",
            "No signature is checked: there is no checkpoint kept elsewhere yet to check against.",
        ]
    )


def replayed(result: Replayed) -> str:
    """Tell the margin state before the first liquidation."""
    lines = [
        f"3  REPLAYED  margin state of {result.updated.accounts} accounts, rebuilt from the events alone"
    ]
    margin = result.before_liquidation
    if margin is not None:
        lines.append(f"{margin.account} after sequence {margin.sequence}, just before the venue's decision:")
        lines += [f"  {line}" for line in _deciding(margin)]
    return _section(lines)


def _deciding(margin: AccountMargin) -> list[str]:
    """Return the figures that decide: of isolated positions past the boundary, else the account's."""
    currency = margin.valuation_currency
    isolated = [each for each in margin.positions if each.margin_mode == "isolated"]
    lines = [
        f"{each.instrument}, {figure(each.quantity)} contracts, isolated: "
        + _ratio(each.equity, each.maintenance_margin, each.margin_ratio, each.state, currency)
        for each in isolated
        if each.state in ("liquidatable", "bankrupt")
    ]
    account = _ratio(
        margin.collateral_value, margin.maintenance_margin, margin.margin_ratio, margin.state, currency
    )
    return lines or [account]


def _ratio(
    value: Decimal | None, required: Decimal | None, ratio: Decimal | None, state: str, currency: str
) -> str:
    return (
        f"{figure(value)} {currency} for a requirement of {figure(required)} ({percent(ratio)}): "
        f"{state.replace('_', ' ')}"
    )


def audited(report: AuditReport) -> str:
    """Tell what the audit concluded."""
    liquidations = report.liquidations
    exactly = sum(each.closes_exactly for each in liquidations)
    verdicts = Counter(each.verdict for each in liquidations)
    severities = Counter(finding.severity for finding in report.findings)
    rows = [
        (
            each.account,
            _clock(each.occurred_at),
            each.scope,
            figure(each.recorded_notional),
            figure(each.recorded_account_value),
            "exactly" if each.closes_exactly else "NOT exactly",
            each.verdict,
            seconds(each.latency_seconds),
        )
        for each in liquidations
    ]
    header = ("account", "at", "scope", "notional", "account value", "closes", "verdict", "latency")
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return _section(
        [
            f"4  AUDITED   {_count(len(liquidations), 'liquidation')}: {exactly} close exactly, {said}",
            *table(header, rows, left=3, indent="  ").splitlines(),
            f"{severities[Severity.ERROR]} errors, {severities[Severity.WARNING]} warnings. "
            "The audit knows nothing of the engine that decided.",
        ]
    )


def solvency(report: VenueReport) -> str:
    """Tell whether the venue is solvent."""
    verdict = {True: "covered", False: "NOT COVERED", None: "unknown"}[report.solvent]
    ratios = ", ".join(
        f"{percent(ratio)} of the {asset} owed"
        for asset, ratio in sorted(report.reserve_ratio.items())
        if ratio is not None
    )
    return _section(
        [
            f"5  SOLVENCY  {verdict}: "
            + (f"reserves are {ratios}" if ratios else "no reserves are attested"),
            f"  owed to customers and market makers  {amounts(report.liabilities)}",
            f"  attested reserves                    {amounts(report.reserves)}",
            f"  insurance fund                       {amounts(report.insurance_fund)}",
        ]
    )


def exported(result: ExportResult, checked: BundleReport, folder: Path) -> str:
    """Tell where the bundle is."""
    size = sum(file.size_bytes for file in result.manifest.files)
    verdict = "it checks out" if checked.ok else "it is BROKEN"
    names = ", ".join(file.name for file in result.manifest.files)
    return _section(
        [
            f"6  EXPORTED  {folder}, {size // 1024:,} KiB: {verdict}",
            names,
            f"Whoever receives it needs nothing but Python: python3 {shlex.quote(str(folder / 'verify.py'))}",
        ]
    )


def ending(
    story: DemoStory,
    audited: AuditReport,
    settings: Settings,
    document: dict[str, Any],
    folder: Path,
    *,
    ok: bool,
) -> str:
    """Tell what to try next."""
    where = _where(settings)
    commands: list[tuple[str, str]] = []
    if audited.liquidations:
        first = audited.liquidations[0]
        before = first.judgement.sequence - 1
        largest = max(audited.liquidations, key=lambda each: each.recorded_notional)
        commands += [
            (f"replay account {first.account} --at {before}{where}", "the moment before its liquidation"),
            (
                f"replay account {largest.account} --at {largest.judgement.sequence - 1}{where}",
                "the largest one",
            ),
            (f"ledger log --account {first.account}{where}", "all that touched it"),
            (f"ledger show {first.judgement.sequence}{where}", "the venue's decision, in full"),
        ]
    if story.cured:
        commands.append((f"replay account {story.cured[0].account}{where}", "who paid the margin call"))
    commands += [
        (f"replay audit{where}", "every check, and what it cannot know"),
        (f"replay venue --at {story.lows[0].at:%Y-%m-%dT%H:%M:%SZ}{where}", "the venue at the bottom"),
        (f"ledger verify{where}", "the chain again"),
        (f"ledger check-bundle {shlex.quote(str(folder))}", "the bundle, offline"),
    ]
    width = max(len(command) for command, _ in commands)
    verdict = "All is well." if ok else "Something is amiss, see above."
    lines = [
        f"{verdict} The ledger stays in {_place(settings, document)}. Try:",
        *(f"  {command:<{width}}   {why}" for command, why in commands),
    ]
    return "\n".join(lines)


def _place(settings: Settings, document: dict[str, Any]) -> str:
    return f"{settings.home}" if settings.database_url is None else str(document["database_url"])


def _where(settings: Settings) -> str:
    """Return the options that a later command needs to find the same database."""
    if settings.chosen_by == "--database":
        return " --database URL"
    return "" if settings.home == DEFAULT_HOME else f" --home {shlex.quote(str(settings.home))}"


def _section(lines: list[str]) -> str:
    first, *rest = lines
    return "\n".join([first, *(f"{_INDENT}{line}" for line in rest), ""])


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
