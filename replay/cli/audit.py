"""``replay audit``."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ledger.amounts import parse_amount
from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import AmountError, ExitCode
from replay.cli.cuts import Counted, FoldCounts, Replay, SequenceOrTime, cut_options
from replay.cli.text import UNKNOWN, figure, fixed, percent, seconds, table
from replay.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from replay.audit import AuditedLiquidation, AuditReport, Place
    from replay.audit.latency import LatencyDistribution

LINES_SHOWN = 40
RESIDUAL_SCALE = 4
_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)


class _Seconds(click.ParamType[Any]):
    """A number of seconds, zero or more, read exactly."""

    name = "seconds"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read a plain decimal."""
        try:
            number = parse_amount(value)
        except AmountError as error:
            self.fail(error.problem, param, ctx)
        if number < 0:
            self.fail(f"{value} is below zero", param, ctx)
        return number


@ledger_command("audit")
@click.option("--account", metavar="A", help="Report only what is about this account.")
@click.option(
    "--check", "checks", multiple=True, metavar="NAME", help="Run only this check or code; may be repeated."
)
@click.option(
    "--from",
    "since",
    type=SequenceOrTime(),
    metavar="N|TIME",
    help="Report only what is about sequence N or later, or occurred at TIME or later; all is folded.",
)
@click.option(
    "--to",
    "until",
    type=SequenceOrTime(),
    metavar="N|TIME",
    help="Report only what is about sequence N or earlier, or occurred at TIME or earlier.",
)
@click.option(
    "--max-latency",
    type=_Seconds(),
    metavar="SECONDS",
    help="How long the engine may take to act, in place of what the risk policy says.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the findings alone, as CSV.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit 1 where there is a finding of this severity or a graver one.",
)
@click.option(
    "--all", "show_all", is_flag=True, help="Print every liquidation and finding, not the first 40."
)
@cut_options
def audit(
    session: Session,
    *,
    account: str | None,
    checks: tuple[str, ...],
    since: Place | None,
    until: Place | None,
    max_latency: Decimal | None,
    as_csv: bool,
    fail_on: str,
    show_all: bool,
    replay: Replay,
) -> int:
    """Judge every liquidation, and compare what the venue asserted with what replay rebuilds.

    Exits 1 where there are findings of severity error. Verdicts follow from rebuilt state only; what
    could not be checked, and why, is listed.
    """
    from replay.audit import audit as run_audit
    from replay.audit import select_checks
    from replay.cli.account import check_account_is_known
    from replay.store.source import events_to_fold

    select_checks(checks)
    if as_csv and session.as_json:
        raise click.UsageError("--csv and --json are two forms of the same; choose one")
    with session.ledger() as ledger:
        if account is not None:
            check_account_is_known(session, ledger, account, replay)
        events = Counted(events_to_fold(ledger, replay.cut, session.progress()), replay.cut)
        with ledger.finder() as find_event:
            report = run_audit(
                events,
                checks=checks,
                account=account,
                cut=replay.cut,
                order=replay.order,
                resolve=find_event,
                max_latency_seconds=max_latency,
                since=since,
                until=until,
            )
    folded = FoldCounts(report.events, events.count - report.events, events.clocks)
    if as_csv:
        click.echo(_csv(report.findings), nl=False)
    else:
        document = {
            **report.document(),
            "from": _place(since),
            "to": _place(until),
            "replay": replay.document(folded),
        }
        session.emit(document, _words(report, replay.words(folded), None if show_all else LINES_SHOWN))
    failed = report.has(Severity.ERROR) or (fail_on == "warning" and report.has(Severity.WARNING))
    return ExitCode.NEGATIVE_VERDICT if failed else ExitCode.OK


def _place(place: Place | None) -> int | str | None:
    return format_time(place) if isinstance(place, datetime) else place


def _csv(findings: Iterable[Finding]) -> str:
    """Return findings as CSV; the columns are the fields of their JSON, evidence is set apart by spaces."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(Finding("", Severity.INFO, "").json_value())
    for finding in findings:
        value = finding.json_value()
        value["evidence"] = " ".join(str(sequence) for sequence in finding.evidence)
        rows.writerow("" if field is None else field for field in value.values())
    return text.getvalue()


def _words(report: AuditReport, folded: str, most: int | None) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    counted = ", ".join(_plural(counts[severity], severity.value) for severity in _SEVERITIES)
    parts = [
        f"after sequence {report.sequence}   ({folded}); {_plural(len(report.checks), 'check')}",
        _liquidations(report.liquidations, most),
        latency_line(report.latency),
        _findings(report.findings, most),
    ]
    if report.not_checked:
        lines = [f"  {each.check}: {each.reason}" for each in report.not_checked]
        parts.append("\n".join(["not checked", *lines]))
    parts.append(f"Findings: {counted}.")
    return "\n\n".join(filter(None, parts))


def _liquidations(liquidations: Sequence[AuditedLiquidation], most: int | None) -> str:
    if not liquidations:
        return "no liquidations"
    header = (
        "sequence", "occurred at", "account", "scope", "closes", "notional", "residual", "ratio", "verdict",
        "latency",
    )  # fmt: skip
    rows = [_liquidation(each) for each in liquidations[:most]]
    exactly = sum(each.closes_exactly for each in liquidations)
    verdicts = Counter(each.verdict for each in liquidations)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    lines = [
        f"{_plural(len(liquidations), 'liquidation')}: {exactly} close exactly; {said}",
        table(header, rows, left=4, indent="  "),
    ]
    return "\n".join([*lines, *_more(len(liquidations), most)])


def _liquidation(each: AuditedLiquidation) -> tuple[str, ...]:
    return (
        str(each.sequence),
        format_time(each.occurred_at)[:19] + "Z",
        _shortened(each.account),
        each.scope,
        "exactly" if each.closes_exactly else "NOT",
        figure(each.recorded_notional),
        fixed(each.residual, RESIDUAL_SCALE),
        percent(each.recorded_ratio),
        each.verdict,
        seconds(each.latency_seconds),
    )


def latency_line(latency: LatencyDistribution) -> str:
    """Return the distribution of latencies on one line; empty where there is none."""
    if not latency.count:
        return ""
    shown = (
        ("minimum", latency.minimum),
        ("median", latency.median),
        ("90 %", latency.p90),
        ("99 %", latency.p99),
        ("maximum", latency.maximum),
    )
    figures = ", ".join(f"{name} {seconds(value)}" for name, value in shown)
    return f"solvency engine latency ({_plural(latency.count, 'decision')}): {figures}"


def _findings(findings: Sequence[Finding], most: int | None) -> str:
    sections = []
    for severity in _SEVERITIES:
        of_severity = [finding for finding in findings if finding.severity is severity]
        if of_severity:
            lines = [f"{severity.value}s" if severity is not Severity.INFO else "for information"]
            lines += [_finding(finding) for finding in of_severity[:most]]
            sections.append("\n".join([*lines, *_more(len(of_severity), most)]))
    return "\n\n".join(sections)


def _finding(finding: Finding) -> str:
    where = UNKNOWN if finding.sequence is None else str(finding.sequence)
    return f"  {where:<9} {finding.code}: {finding.message}"


def _more(count: int, most: int | None) -> Iterable[str]:
    if most is not None and count > most:
        yield f"  … and {count - most:,} more: --all, or --json"


def _plural(count: int, word: str) -> str:
    if word == Severity.INFO:
        return f"{count:,} for information"
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _shortened(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:12]}…{name[-6:]}"
