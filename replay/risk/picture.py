"""A picture of a breach report: prices as bars, and under them when each account was beyond which level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ledger.amounts import ONE, Rounding, divide, exact, format_exact, round_to
from replay.risk.units import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.risk.breach_report import Bar, Breach, BreachReport, BreachRow
    from replay.risk.units import Level

# Measures in pixels.
LEFT, WIDTH, RIGHT = 330, 760, 80
TITLE, LEGEND, CHART, AXIS = 30, 26, 220, 34
LANE, STRIPE, GAP = 16, 4, 26
PRICE_LINES = 4
MARGIN_SHARE = 20  # of the prices' range, above and below
NAME = 20  # characters
MOST_TICKS = 10
_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 7200, 14400)
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Colours that remain apart for colour-blind eyes (Okabe and Ito).
COLOURS: dict[Level, str] = {"margin_call": "#E69F00", "liquidatable": "#D55E00", "bankrupt": "#111111"}
WORDS: dict[Level, str] = {
    "margin_call": "margin call",
    "liquidatable": "liquidatable",
    "bankrupt": "bankrupt",
}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.small{font-size:10.5px;fill:#555}.right{text-anchor:end}"
    ".middle{text-anchor:middle}.title{font-size:15px;font-weight:600}"
)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where times and prices are drawn."""

    start: datetime
    end: datetime
    low: Decimal
    high: Decimal
    top: int

    def x(self, at: datetime) -> int:
        inside = min(max(at, self.start), self.end)
        return LEFT + (inside - self.start) * WIDTH // (self.end - self.start)

    def y(self, price: Decimal) -> str:
        share = divide(self.high - price, self.high - self.low, scale=6, rounding=Rounding.HALF_EVEN)
        return format_exact(round_to(self.top + share * CHART, 1, Rounding.HALF_EVEN))


@exact()
def picture(report: BreachReport) -> str:
    """Return the report as SVG: one panel an instrument, and in it a lane a rule of each account in breach.

    A solid block is the interval in which a level was reached, the thin line after it lasts until it
    ended, or the window did.
    """
    parts: list[str] = []
    top = TITLE + LEGEND
    breached = {row.account for row in report.rows if row.breaches}
    for instrument, bars in report.bars.items():
        holding = [row for row in report.rows if any(each.instrument == instrument for each in row.positions)]
        rows = [row for row in holding if row.account in breached]
        without = len({row.account for row in holding} - breached)
        parts.append(_text(12, top + 34, f"{without} accounts without a breach", "small"))
        parts += _panel(report, instrument, bars, rows, top)
        top += CHART + AXIS + LANE * len(rows) + GAP + LANE
    width = LEFT + WIDTH + RIGHT
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{top}" fill="#fff"/>',
        _text(12, 20, f"Breaches from {_time(report.start)} to {_time(report.end)} UTC", "title"),
        *_legend(),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _legend() -> Iterator[str]:
    for place, level in enumerate(LEVELS):
        left = 12 + place * 130
        yield f'<rect x="{left}" y="{TITLE + 4}" width="14" height="9" fill="{COLOURS[level]}"/>'
        yield _text(left + 20, TITLE + 13, WORDS[level])
    yield _text(
        12 + 3 * 130,
        TITLE + 13,
        "block: reached within this interval; line: until it ended; recorded above, dynamic schedule below",
        "small",
    )


def _panel(
    report: BreachReport, instrument: str, bars: Sequence[Bar], rows: Sequence[BreachRow], top: int
) -> Iterator[str]:
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    margin = divide(high - low, ONE * MARGIN_SHARE, scale=6, rounding=Rounding.CEILING) or ONE
    low, high = low - margin, high + margin
    scale = _Scale(report.start, report.end, low, high, top)
    bottom = top + CHART
    lanes_end = bottom + AXIS + LANE * len(rows)
    yield _text(12, top + 14, instrument, "title")
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{CHART}" fill="#fafafa" stroke="#ccc"/>'
    for number in range(PRICE_LINES + 1):
        price = high - divide((high - low) * number, ONE * PRICE_LINES, scale=6, rounding=Rounding.HALF_EVEN)
        y = scale.y(price)
        yield f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y}" y2="{y}" stroke="#e4e4e4"/>'
        yield _text(
            LEFT + WIDTH + 6, int(Decimal(y)) + 4, f"{round_to(price, 2, Rounding.HALF_EVEN):,.2f}", "small"
        )
    for at in _ticks(report.start, report.end):
        x = scale.x(at)
        yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{lanes_end}" stroke="#e4e4e4"/>'
        yield _text(x, bottom + 14, f"{at:%H:%M}", "small middle")
        yield _text(x, bottom + 26, f"{at:%m-%d}", "small middle")
    course = " ".join(f"{scale.x(bar.ends_at)},{scale.y(bar.close)}" for bar in bars)
    yield f'<polyline points="{course}" fill="none" stroke="#9dbad0"/>'
    for bar in bars:
        if bar.begins_at < bar.ends_at:
            yield _bar(scale, bar)
    for number, row in enumerate(rows):
        yield from _lane(scale, row, instrument, bottom + AXIS + LANE * number)


def _bar(scale: _Scale, bar: Bar) -> str:
    x = scale.x(bar.begins_at + (bar.ends_at - bar.begins_at) // 2)
    low, high, end = scale.y(bar.low), scale.y(bar.high), scale.x(bar.ends_at)
    title = f"{_time(bar.begins_at)} to {_time(bar.ends_at)}: {bar.open} {bar.high} {bar.low} {bar.close}"
    return (
        f'<g stroke="#33658a"><title>{escape(title)}</title>'
        f'<line x1="{x}" x2="{x}" y1="{high}" y2="{low}" stroke-width="3"/>'
        f'<line x1="{x}" x2="{end}" y1="{scale.y(bar.close)}" y2="{scale.y(bar.close)}"/></g>'
    )


def _lane(scale: _Scale, row: BreachRow, instrument: str, top: int) -> Iterator[str]:
    recorded = row.rule == "recorded"
    if recorded:
        line = top - 1
        yield f'<line x1="12" x2="{LEFT + WIDTH}" y1="{line}" y2="{line}" stroke="#eee"/>'
        yield _text(12, top + 12, _shortened(row, instrument))
    rule = "substituted" if row.substituted else row.rule
    if any(part.sequence is None for part in row.schedules):
        rule = "no schedule" if recorded else "no dynamic rate"
    yield _text(LEFT - 8, top + 11, rule, "small right")
    for place, level in enumerate(LEVELS):
        for breach in row.of(level):
            yield _mark(scale, row, breach, top + 2 + place * STRIPE)


def _mark(scale: _Scale, row: BreachRow, breach: Breach, top: int) -> str:
    begins, until = scale.x(breach.after or scale.start), scale.x(breach.until)
    ends = scale.x(breach.ended_at or scale.end)
    colour = COLOURS[breach.level]
    since = "before the window" if breach.after is None else _time(breach.after)
    left = (
        "to the end of the window"
        if breach.ended_at is None
        else f"{breach.ended_by} by {_time(breach.ended_at)}"
    )
    title = (
        f"{row.account}, {row.rule}: {WORDS[breach.level]} after {since}, by {_time(breach.until)}; {left}"
    )
    return (
        f'<g fill="{colour}"><title>{escape(title)}</title>'
        f'<rect x="{begins}" y="{top}" width="{max(until - begins, 3)}" height="{STRIPE}"/>'
        f'<rect x="{until}" y="{top + 1}" width="{max(ends - until, 0)}" height="1.5"/></g>'
    )


def _shortened(row: BreachRow, instrument: str) -> str:
    sides = ", ".join(
        each.side if each.instrument == instrument else f"{each.side} {each.instrument}"
        for each in row.positions
    )
    leverage = "" if row.leverage is None else f" {round_to(row.leverage, 1, Rounding.HALF_EVEN):f}×"
    name = (
        row.account if len(row.account) <= NAME else f"{row.account[: NAME // 2]}…{row.account[-NAME // 2 :]}"
    )
    return f"{name}  {sides}{leverage}"


def _ticks(start: datetime, end: datetime) -> Iterator[datetime]:
    step = next((each for each in _STEPS if (end - start) // each <= MOST_TICKS), end - start)
    at = _EPOCH - ((_EPOCH - start) // step) * step
    while at <= end:
        yield at
        at += step


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _text(x: int, y: int, words: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{style}">{escape(words)}</text>'
