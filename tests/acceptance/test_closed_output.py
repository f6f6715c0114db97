"""A reader that goes away before the end, as in ``ledger log | head -1``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.ledgers import open_ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_output_that_nobody_reads_is_no_negative_verdict(database_url: str, tmp_path: Path) -> None:
    open_ledger(database_url).close()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", "from ledger.cli import main; main()", "log", "--database", database_url],
            cwd=tmp_path,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
