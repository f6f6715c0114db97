"""A bounded run of the fuzzer under tests/fuzz over every reader; it can go on for hours by hand."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.parsers import PARSERS

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = 30_000
# As in the marker of the extra `test` in pyproject.toml.
HAS_WHEELS = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)


@pytest.mark.skipif(not HAS_WHEELS, reason="atheris has wheels for Linux on x86-64 up to Python 3.13")
@pytest.mark.parametrize("name", PARSERS)
def test_the_fuzzer_finds_nothing(name: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.fuzz.fuzz_parsers", name, str(tmp_path / "corpus")]
    options = [f"-runs={RUNS}", "-seed=1", "-max_len=8192", "-timeout=20", f"-artifact_prefix={tmp_path}/"]
    run = subprocess.run(
        [*program, *options], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert f"Done {RUNS} runs" in run.stderr
