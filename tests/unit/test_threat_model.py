"""The threat model names a test for every attack, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/explanation/threat-model.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`")
ATTACKS = {
    "edit a row",
    "delete a row",
    "insert a row",
    "swap rows",
    "truncate the tail",
    "restore an old backup",
    "rewrite everything as superuser",
    "a stolen signing key backdates",
    "show two histories",
    "splice proofs of different logs",
    "leaf and node confusion",
    "ambiguous concatenation",
    "a writer plants a broken row",
    "guess an event from its hash",
    "an event never recorded",
    "a key or verifier that comes along with the evidence",
}
"""Those that the design answers; the document may have more."""


def rows() -> dict[str, list[tuple[str, str]]]:
    """The attacks of the table, each with the tests that perform it."""
    _, _, section = DOCUMENT.partition("## What each attack meets\n")
    table = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table[1:]]
    return {row[0]: _TEST.findall(row[2]) for row in cells}


def test_every_attack_is_in_the_table() -> None:
    assert set(rows()) >= ATTACKS, ATTACKS - set(rows())


def test_every_attack_of_the_table_has_a_test() -> None:
    assert [attack for attack, tests in rows().items() if not tests] == []


def test_every_test_that_the_table_names_is_there() -> None:
    named = {test for tests in rows().values() for test in tests}
    assert len(named) == len(set(_TEST.findall(DOCUMENT)))
    missing = [f"{path}::{name}" for path, name in sorted(named) if name not in names_in(ROOT / path)]
    assert missing == []


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_bytes()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
