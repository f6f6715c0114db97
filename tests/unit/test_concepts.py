"""The table at the end of docs/explanation/margin.md names every concept of the field, in its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "margin.md"
HEADING = "## Where each concept is"
CONCEPTS = (
    "maintenance margin ratio",
    "tiers by position size",
    "initial margin vs maintenance margin",
    "cross, isolated and hybrid (portfolio) margin",
    "margin aggregation",
    "collateral haircuts",
    "collateral buffer",
    "margin utilisation rate",
    "leverage ratio",
    "leverage maintenance",
    "cost of maintenance (funding, interest, fees)",
    "margin call protocol",
    "margin call trigger (price)",
    "liquidation trigger",
    "account-wide liquidation",
    "partial liquidation",
    "liquidation waterfall",
    "insurance fund",
    "insurance-fund depletion",
    "auto-deleveraging",
    "socialised loss",
    "dynamic maintenance margin from volatility, Value at Risk, Expected Shortfall",
    "stress scenarios",
    "margin requirement testing against projected losses",
    "mark price",
    "index price from constituents",
    "funding",
    "asset-to-liability ratio",
    "derivatives capital adequacy",
    "systemic solvency",
    "forced-deleveraging cycle",
    "liquidation cascade",
    "liquidation probability",
    "margin call sensitivity",
    "leverage sensitivity",
    "solvency engine latency",
    "peg and depeg of collateral",
    "audit trail maintenance: the immutable, verifiable record",
    "cryptographic proof of real-time solvency",
)


def rows() -> dict[str, str]:
    """Return where each concept is, by what stands in the first column."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition(HEADING)
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.split("\n## ")[0].splitlines()
        if line.startswith("|")
    ]
    return dict(cell for cell in cells[2:] if len(cell) == 2)


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_concept_is_named_and_says_where_it_is(concept: str) -> None:
    whole_words = re.compile(rf"(?<![\w-]){re.escape(concept)}(?![\w-])")
    places = [where for named, where in rows().items() if whole_words.search(named)]
    assert places, f"no row names {concept}"
    assert all("`" in where or "](" in where for where in places)
