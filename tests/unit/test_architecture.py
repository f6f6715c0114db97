"""What the code may import and call: DESIGN's import direction, exact money, one clock."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
# Everything that computes amounts; the command lines and the database only carry them.
MONEY = ("ledger/amounts.py", "ledger/events", "ledger/importers", "replay")
# The terminal's progress, polling intervals and the like are no money, nor are statistics, which go back to
# Decimal by a named rounding (replay/risk/statistics/edge.py).
NO_MONEY = ("replay/cli", "replay/risk/statistics")
# Fraction divides exactly; the demonstration's day divides by 5 and 100 inside exact(), which would raise;
# statistics divide estimates.
DIVIDES_EXACTLY = (
    "replay/margin/liquidation_price.py",
    "replay/margin/portfolio.py",
    "replay/venue/demo",
    "replay/cli",
    "replay/commitments",
    "replay/store",
    "replay/risk/statistics",
)
READS_THE_CLOCK = ("ledger/clock.py",)
CLOCK_READERS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}
PURE = (
    "ledger/amounts.py",
    "ledger/canonical.py",
    "ledger/chain.py",
    "ledger/checkpoint.py",
    "ledger/events",
    "ledger/export/signature.py",
    "ledger/growth.py",
    "ledger/merkle.py",
    "ledger/note.py",
    "ledger/proof.py",
    "ledger/tiles.py",
    "ledger/trust.py",
    "ledger/witness",
    "replay/audit",
    "replay/fold.py",
    "replay/margin",
    "replay/projection",
    "replay/risk",
    "replay/solvency",
    "replay/state",
    "replay/venue",
)


def sources(*places: str, without: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield the modules at or below places of the repository."""
    left_out = {path for place in without for path in sources(place)}
    for place in places:
        path = REPOSITORY / place
        found = sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []
        yield from (source for source in found if source not in left_out)


def offences(files: Iterator[Path], offends: Callable[[ast.AST], bool]) -> list[str]:
    """Return file, line and code of every node that offends."""
    return [
        f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if offends(node)
    ]


def names_a_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    words = ast.unparse(node)
    return any(words == reader or words.endswith(f".{reader}") for reader in CLOCK_READERS)


def is_float(node: ast.AST) -> bool:
    calls = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"float", "round"}
    )
    return calls or (isinstance(node, ast.Constant) and isinstance(node.value, float))


def is_division(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)


def test_imports_point_downward() -> None:
    """The contracts of pyproject.toml hold, and there are some."""
    configuration = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert len(configuration["tool"]["importlinter"]["contracts"]) >= 5
    outcome = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout


def test_only_one_module_reads_the_clock() -> None:
    assert offences(sources("ledger", "replay", without=READS_THE_CLOCK), names_a_clock) == []
    assert offences(sources(*READS_THE_CLOCK), names_a_clock) != []


def test_the_functional_core_is_handed_its_clock() -> None:
    def imports_system_clock(node: ast.AST) -> bool:
        return isinstance(node, ast.ImportFrom) and any(alias.name == "SystemClock" for alias in node.names)

    assert offences(sources(*PURE), imports_system_clock) == []


def test_money_is_never_a_float() -> None:
    assert offences(sources(*MONEY, without=NO_MONEY), is_float) == []


def test_money_is_divided_where_the_rounding_is_named() -> None:
    places = ("replay", "ledger/amounts.py", "ledger/events")
    assert offences(sources(*places, without=DIVIDES_EXACTLY), is_division) == []


def test_the_verifier_in_a_bundle_needs_the_standard_library_only() -> None:
    def imports_more(node: ast.AST) -> bool:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        else:
            return False
        return any(name.partition(".")[0] not in sys.stdlib_module_names for name in names)

    assert offences(sources("ledger/export/verify.py"), imports_more) == []


@pytest.mark.parametrize(
    ("code", "offends"),
    [
        ("import datetime\ndatetime.datetime.now()", names_a_clock),
        ("from datetime import date\nd = date.today", names_a_clock),
        ("import time\ntime.time()", names_a_clock),
        ("x = float('1')", is_float),
        ("x = 0.5", is_float),
        ("x = a / b", is_division),
        ("x /= b", is_division),
    ],
)
def test_the_search_finds_what_is_banned(code: str, offends: Callable[[ast.AST], bool]) -> None:
    assert any(offends(node) for node in ast.walk(ast.parse(code)))
