"""Whether losses exceeded a requirement more often than its confidence allows: Kupiec's test."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from scipy.special import xlog1py, xlogy
from scipy.stats import binomtest, chi2

from ledger.amounts import exact, format_exact
from replay.risk.statistics.edge import to_estimate, to_float

if TYPE_CHECKING:
    from ledger.canonical import JsonObject

SIGNIFICANCE = Decimal("0.05")
"""At this probability and below, what was seen is held to be no accident."""

Verdict = Literal["as_expected", "too_many", "too_few"]


@dataclass(frozen=True, slots=True)
class Kupiec:
    """The test that exceptions are as frequent as they should be.

    Attributes:
        expected: how many exceptions there should be, count × probability.
        statistic: the likelihood ratio; larger is less likely.
        p_value: probability of a ratio as large, by the chi-squared distribution of one degree.
        exact_p_value: probability of a count as unlikely, by the binomial distribution, two-sided.
        verdict: by ``p_value``, at 5 %.
    """

    count: int
    exceptions: int
    expected: Decimal
    statistic: Decimal
    p_value: Decimal
    exact_p_value: Decimal
    verdict: Verdict

    def json_value(self) -> JsonObject:
        """Return the test as JSON."""
        return {
            "expected": format_exact(self.expected),
            "statistic": format_exact(self.statistic),
            "p_value": format_exact(self.p_value),
            "exact_p_value": format_exact(self.exact_p_value),
            "verdict": self.verdict,
        }


@exact()
def kupiec(count: int, exceptions: int, probability: Decimal) -> Kupiec:
    """Return the proportion-of-failures test of x exceptions in n windows against probability p.

    LR = −2 ln[(1 − p)^(n−x) p^x] + 2 ln[(1 − x/n)^(n−x) (x/n)^x], which is chi-squared with one degree
    of freedom where windows are independent (Kupiec, "Techniques for Verifying the Accuracy of Risk
    Measurement Models", Journal of Derivatives 3/2, 1995).

    Args:
        count: windows that do not overlap, at least one.
        exceptions: in how many of them the loss exceeded the requirement.
        probability: in what share it may, above 0 and below 1.
    """
    expected = count * probability
    allowed, seen = to_float(probability), exceptions / count
    under_allowed = xlogy(exceptions, allowed) + xlog1py(count - exceptions, -allowed)
    under_seen = xlogy(exceptions, seen) + xlog1py(count - exceptions, -seen)
    statistic = max(2 * float(under_seen - under_allowed), 0)
    p_value = to_estimate(float(chi2.sf(statistic, 1)))
    verdict: Verdict = "as_expected"
    if p_value <= SIGNIFICANCE:
        verdict = "too_many" if exceptions > expected else "too_few"
    return Kupiec(
        count,
        exceptions,
        expected,
        to_estimate(statistic),
        p_value,
        to_estimate(float(binomtest(exceptions, count, allowed).pvalue)),
        verdict,
    )
