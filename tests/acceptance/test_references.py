"""The generated references say what the code says."""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

spec = importlib.util.spec_from_file_location("generate_references", FOLDER / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.GENERATED))
def test_a_generated_reference_is_up_to_date(name: str) -> None:
    if name == "cli.md" and not entry_points(group="ledger.commands"):
        pytest.skip("ledger demo is plugged in by an entry point: install the project (pip install -e .)")
    assert (FOLDER / name).read_text(encoding="utf-8") == generate.GENERATED[name]()
