"""The direction of imports, and calls that only one place may make."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

if TYPE_CHECKING:
    import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in ("ledger", "replay") for path in (REPOSITORY / package).rglob("*.py"))
SYSTEM_CLOCK = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}


def calls(path: Path) -> set[str]:
    """The names called in a file, as they are written."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_the_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(REPOSITORY / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_system_clock_is_read_in_one_place() -> None:
    readers = {path.relative_to(REPOSITORY).as_posix() for path in SOURCES if calls(path) & SYSTEM_CLOCK}
    assert readers == {"ledger/clock.py"}


def test_nothing_is_turned_into_a_float() -> None:
    assert [path.relative_to(REPOSITORY).as_posix() for path in SOURCES if "float" in calls(path)] == []
