"""``verify.py`` on its own terms: old Python, no package, run where it lies."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ledger.merkle import MerkleFrontier
from tests.support.bundles import VERIFIER, flip_byte, run_script, sealed_venue, write_bundle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", sealed_venue(9))


def test_it_is_written_in_python_3_8() -> None:
    ast.parse(VERIFIER.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_it_imports_the_standard_library_alone() -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(VERIFIER.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
    }
    assert imported <= sys.stdlib_module_names


def test_it_runs_where_it_lies_as_the_readme_says(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "verify.py"],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "All that was checked holds." in done.stdout
    assert "not checked: whether this is the log, and all of it" in done.stdout
    assert sorted(path.name for path in bundle.iterdir()) == [
        *("README.txt", "SHA256SUMS", "events.jsonl", "manifest.json", "tables", "verify.py"),
    ]


def test_it_names_the_line_and_says_that_it_failed(bundle: Path) -> None:
    flip_byte(bundle / "events.jsonl", 700)
    result = run_script(bundle)
    assert result.exit_code == 3
    assert "FAILED events.jsonl line " in result.output
    assert "FAILURES" in result.output.splitlines()[-1]


def test_a_hostile_file_name_cannot_steer_the_terminal(bundle: Path) -> None:
    (bundle / "\x1b[2J\u202e").write_text("", encoding="utf-8")
    result = run_script(bundle)
    assert result.exit_code == 3
    assert "FAILED \\x1b[2J\\u202e: is not listed in the manifest" in result.output


def test_wrong_arguments_and_a_missing_folder_are_usage_errors(tmp_path: Path) -> None:
    for arguments in (["--no-such-option"], [str(tmp_path / "nothing")]):
        done = subprocess.run(
            [sys.executable, "-I", str(VERIFIER), *arguments], capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 2


@pytest.mark.parametrize("size", range(20))
def test_its_tree_is_the_tree_of_rfc_9162(size: int) -> None:
    from ledger.export.verify import Tree

    ours, theirs = MerkleFrontier(), Tree()
    for number in range(size):
        leaf = bytes([number]) * 32
        ours.append(leaf)
        theirs.append(leaf)
    assert theirs.root() == ours.root()
