"""Where the output goes, and what a command says when it cannot go there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.store.ledger import Ledger
from tests.support.examples import deposit

_REPOSITORY = Path(__file__).resolve().parents[2]
_LOG = [sys.executable, "-c", "from ledger.cli import main; main()", "log"]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    with Ledger.initialise(database_url, origin="venue.example/perpetuals") as ledger:
        ledger.append([deposit() for _ in range(2_000)])
    return {**os.environ, "PYTHONPATH": str(_REPOSITORY), "LEDGER_DATABASE_URL": database_url}


def test_a_reader_that_goes_away_is_no_verdict(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        _LOG, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_a_closed_output_is_no_error(environment: dict[str, str]) -> None:
    # The shell closes it: a process that Python starts always has one.
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *_LOG], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_an_output_that_is_full_is_named(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            _LOG, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert "next:" in done.stderr
    assert "unexpected" not in done.stderr
    assert "Traceback" not in done.stderr
