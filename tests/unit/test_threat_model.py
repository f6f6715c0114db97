"""The threat model and the page on solvency name a test for every attack, and every test named is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    name: (ROOT / f"docs/explanation/{name}.md").read_text(encoding="utf-8")
    for name in ("threat-model", "solvency")
}
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
ON_PROOFS = (
    "only the total of two children",
    "negative balance",
    "overflow",
    "the same leaf",
    "old root",
    "another venue",
    "leave an account out",
    "dummy accounts with debt",
)
"""What the attacks on proofs of solvency that were published are about; each has a row."""


def rows(document: str) -> dict[str, list[tuple[str, str]]]:
    """The attacks of a document's table, each with the tests that perform it."""
    _, _, section = re.split("(##+ What each attack meets\n)", DOCUMENTS[document])
    table = [line for line in re.split("\n##+ ", section)[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table[1:]]
    return {row[0]: _TEST.findall(row[2]) for row in cells}


def test_every_attack_is_in_the_table() -> None:
    assert set(rows("threat-model")) >= ATTACKS, ATTACKS - set(rows("threat-model"))
    for attack in ON_PROOFS:
        assert any(attack in each for each in rows("solvency")), attack


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_attack_of_the_table_has_a_test(document: str) -> None:
    assert len(rows(document)) > 10
    assert [attack for attack, tests in rows(document).items() if not tests] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_the_table_names_is_there(document: str) -> None:
    named = {test for tests in rows(document).values() for test in tests}
    assert len(named) == len(set(_TEST.findall(DOCUMENTS[document])))
    missing = [f"{path}::{name}" for path, name in sorted(named) if name not in names_in(ROOT / path)]
    assert missing == []


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_bytes()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
