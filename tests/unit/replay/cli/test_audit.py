from __future__ import annotations

from decimal import Decimal

from replay.audit.latency import LatencyDistribution
from replay.cli.audit import latency_line


def test_latencies_stand_on_one_line() -> None:
    latencies = LatencyDistribution.of(Decimal(each) for each in ("0.12", "0.1204", "2"))
    assert latency_line(latencies) == (
        "solvency engine latency (3 decisions): "
        "minimum 0.12 s, median 0.12 s, 90 % 2 s, 99 % 2 s, maximum 2 s"
    )


def test_without_any_there_is_no_line() -> None:
    assert latency_line(LatencyDistribution.of([])) == ""
