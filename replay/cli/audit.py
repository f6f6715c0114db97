"""``replay audit``."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.clock import format_time
from ledger.errors import ExitCode, NotFoundError
from replay.cli.cuts import Counted, FoldCounts, Replay, SequenceOrTime, cut_options
from replay.cli.numbers import Seconds
from replay.cli.text import UNKNOWN, figure, fixed, percent, seconds, table
from replay.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from ledger.canonical import JsonObject
    from replay.audit import AuditedLiquidation, AuditReport, Place
    from replay.audit.latency import LatencyDistribution

LINES_SHOWN = 40
EVIDENCE_SHOWN = 8
RESIDUAL_SCALE = 4
_SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)


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
    type=Seconds(),
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
    _check_order(since, until)
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
        if not report.events_reported and (since is not None or until is not None):
            raise _nothing_there(since, until, report.events)
        times = {
            sequence: format_time(ledger.event(sequence).occurred_at)
            for sequence in sorted({each.sequence for each in report.findings if each.sequence is not None})
        }
    folded = FoldCounts(report.events, events.count - report.events, events.clocks)
    if as_csv:
        click.echo(_csv(report.findings, times), nl=False)
    else:
        document = {
            **report.document(),
            "findings": [_timed(finding, times) for finding in report.findings],
            "from": _place(since),
            "to": _place(until),
            "replay": replay.document(folded),
        }
        part = None if since is None and until is None else f"{_said(since, until)}"
        session.emit(
            document, _words(report, replay.words(folded), part, times, None if show_all else LINES_SHOWN)
        )
    failed = report.has(Severity.ERROR) or (fail_on == "warning" and report.has(Severity.WARNING))
    return ExitCode.NEGATIVE_VERDICT if failed else ExitCode.OK


def _place(place: Place | None) -> int | str | None:
    return format_time(place) if isinstance(place, datetime) else place


def _check_order(since: Place | None, until: Place | None) -> None:
    """Refuse a part that ends before it begins.

    Raises:
        UsageError: it does.
    """
    reversed_sequences = isinstance(since, int) and isinstance(until, int) and since > until
    reversed_times = isinstance(since, datetime) and isinstance(until, datetime) and since > until
    if reversed_sequences or reversed_times:
        raise click.UsageError(f"--from {_place(since)} comes after --to {_place(until)}")


def _nothing_there(since: Place | None, until: Place | None, events: int) -> NotFoundError:
    return NotFoundError(
        f"none of the {events:,} folded events is in the part {_said(since, until)}: nothing to report on",
        next_step="ledger log --limit 1 shows the first event, ledger log --newest --limit 1 the newest",
    )


def _said(since: Place | None, until: Place | None) -> str:
    bounds = (("from", since), ("to", until))
    return " ".join(f"{word} {_place(place)}" for word, place in bounds if place is not None)


def _timed(finding: Finding, times: Mapping[int, str]) -> JsonObject:
    """Return a finding as JSON, with the time of the event that it is about."""
    occurred_at = None if finding.sequence is None else times[finding.sequence]
    return {**finding.json_value(), "occurred_at": occurred_at}


def _csv(findings: Iterable[Finding], times: Mapping[int, str]) -> str:
    """Return findings as CSV; the columns are the fields of their JSON, evidence is set apart by spaces."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_timed(Finding("", Severity.INFO, ""), times))
    for finding in findings:
        value = _timed(finding, times)
        value["evidence"] = " ".join(str(sequence) for sequence in finding.evidence)
        rows.writerow("" if field is None else field for field in value.values())
    return text.getvalue()


def _words(
    report: AuditReport, folded: str, part: str | None, times: Mapping[int, str], most: int | None
) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    counted = ", ".join(_plural(counts[severity], severity.value) for severity in _SEVERITIES)
    reported = "" if part is None else f"\nreported {part}: {_plural(report.events_reported, 'event')}"
    parts = [
        f"after sequence {report.sequence}   ({folded}); {_plural(len(report.checks), 'check')}{reported}",
        _liquidations(report.liquidations, most),
        latency_line(report.latency),
        _findings(report.findings, times, most),
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
        "sequence", "occurred at", "account", "scope", "closes", "notional", "residual", "value/notional",
        "margin ratio", "verdict", "latency",
    )  # fmt: skip
    rows = [_liquidation(each) for each in liquidations[:most]]
    exactly = sum(each.closes_exactly for each in liquidations)
    verdicts = Counter(each.verdict for each in liquidations)
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    lines = [
        f"{_plural(len(liquidations), 'liquidation')}: {exactly} close exactly; {said}",
        table(header, rows, left=4, indent="  "),
        *_more(len(liquidations), most),
    ]
    if any(row[header.index("residual")].startswith("(") for row in rows):
        lines.append(
            "  (residual): explained, by what is printed or by a takeover at other than bankruptcy prices"
        )
    return "\n".join(lines)


def _liquidation(each: AuditedLiquidation) -> tuple[str, ...]:
    return (
        str(each.sequence),
        format_time(each.occurred_at)[:19] + "Z",
        _shortened(each.account),
        each.scope,
        "exactly" if each.closes_exactly else "NOT",
        figure(each.recorded_notional),
        _residual(each),
        percent(each.recorded_ratio),
        percent(each.judgement.margin_ratio),
        each.verdict,
        seconds(each.latency_seconds),
    )


def _residual(each: AuditedLiquidation) -> str:
    """Return the residual, in brackets where printing or a takeover at other prices explains it."""
    shown = fixed(each.residual, RESIDUAL_SCALE)
    explained = each.rebuilt_notional is not None and (
        abs(each.rebuilt_notional - each.recorded_notional) < each.amount_unit
    )
    if each.residual is not None and each.residual_tolerance is not None:
        explained = explained or abs(each.residual) <= each.residual_tolerance
    return f"({shown})" if explained and each.residual else shown


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


def _findings(findings: Sequence[Finding], times: Mapping[int, str], most: int | None) -> str:
    sections = []
    for severity in _SEVERITIES:
        of_severity = [finding for finding in findings if finding.severity is severity]
        if of_severity:
            lines = [f"{severity.value}s" if severity is not Severity.INFO else "for information"]
            lines += [_finding(finding, times) for finding in of_severity[:most]]
            sections.append("\n".join([*lines, *_more(len(of_severity), most)]))
    return "\n\n".join(sections)


def _finding(finding: Finding, times: Mapping[int, str]) -> str:
    """Return a finding on two lines: what it says; when, what proves it, and where to look."""
    where = UNKNOWN if finding.sequence is None else str(finding.sequence)
    lines = [f"  {where:<9} {finding.code}: {finding.message}"]
    about = [] if finding.sequence is None else [times[finding.sequence]]
    shown = finding.evidence[:EVIDENCE_SHOWN]
    if shown:
        more = len(finding.evidence) - len(shown)
        about.append(f"evidence {', '.join(map(str, shown))}{f' and {more} more' if more else ''}")
    if finding.account is not None and finding.sequence is not None:
        about.append(f"replay account {finding.account} --at {finding.sequence}")
    return "\n".join([*lines, *([f"  {'':<9} {'; '.join(about)}"] if about else [])])


def _more(count: int, most: int | None) -> Iterable[str]:
    if most is not None and count > most:
        yield f"  … and {count - most:,} more: --all, or --json"


def _plural(count: int, word: str) -> str:
    if word == Severity.INFO:
        return f"{count:,} for information"
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _shortened(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:12]}…{name[-6:]}"
