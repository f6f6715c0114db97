from __future__ import annotations

from replay.findings import Finding, Severity


def test_a_finding_prints_every_field_and_null_for_what_is_unknown() -> None:
    finding = Finding("fund_negative", Severity.ERROR, "the fund is at -1", evidence=(3, 7), rebuilt="-1")
    assert finding.json_value() == {
        "code": "fund_negative",
        "severity": "error",
        "account": None,
        "instrument": None,
        "sequence": None,
        "evidence": [3, 7],
        "recorded": None,
        "rebuilt": "-1",
        "message": "the fund is at -1",
    }
