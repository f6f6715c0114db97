"""What a witness keeps where a validly signed checkpoint does not fit what it cosigned.

One folder a case, ``evidence/KIND-ID-DIGEST``: ``request`` as it came, ``cosigned`` as it contradicts,
and ``case.json``. KIND is ``fork`` where one size has two roots, both signed by the log: these two files
prove by themselves that it showed two histories. It is ``unproven`` where only the proof does not hold,
which anyone can bring about with a checkpoint that the log published and a false proof.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from ledger.clock import format_time
from ledger.outside.writing import make_folder, write_file
from ledger.witness.decision import read_request
from ledger.witness.folder import log_id

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ledger.witness.decision import Answer

MOST_CASES = 50
"""Of a kind and a log, so that nobody fills the disk, and false proofs do not crowd out forks."""
_DIGITS = 16


class EvidenceFolder:
    """The cases of one witness.

    Args:
        path: the folder; made with the first case.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def cases(self, origin: str) -> list[Path]:
        """Return the folders of the cases against a log."""
        return self._cases(log_id(origin))

    def cases_beside(self, file: Path) -> list[Path]:
        """Return the folders of the cases against the log that a file of the witness is of."""
        return self._cases(file.parent.name)

    def _cases(self, identity: str) -> list[Path]:
        return sorted(file.parent for file in self.path.glob(f"*-{identity}-*/case.json"))

    def keep(self, request: bytes, answer: Answer, at: datetime) -> Path | None:
        """Keep a request that contradicts what was cosigned, and return its folder.

        A case that is kept already is not kept again. None is returned where MOST_CASES are kept. The
        caller holds the log's lock.

        Raises:
            EnvironmentFaultError: the system refuses.
        """
        before = answer.contradicts
        if before is None:
            return None
        _, _, checkpoint = read_request(request)
        kind = "fork" if checkpoint.size == before.checkpoint.size else "unproven"
        # Two of one case differ at most in the proof and in signatures, which anyone may vary.
        both = (before.checkpoint.text() + "\n" + checkpoint.text()).encode()
        prefix = f"{kind}-{log_id(checkpoint.origin)}-"
        folder = self.path / (prefix + hashlib.sha256(both).hexdigest()[:_DIGITS])
        if (folder / "case.json").exists():
            return folder
        if sum(1 for _ in self.path.glob(f"{prefix}*")) >= MOST_CASES:
            return None
        make_folder(folder, private=True)
        write_file(folder / "request", request, force=True)
        write_file(folder / "cosigned", before.note.encode(), force=True)
        case = {
            "kind": kind,
            "origin": checkpoint.origin,
            "verdict": answer.verdict,
            "reason": answer.reason,
            "seen_at": format_time(at),
            "size": checkpoint.size,
            "cosigned_size": before.checkpoint.size,
            "cosigned_at": format_time(before.at),
        }
        write_file(folder / "case.json", (json.dumps(case, indent=2) + "\n").encode(), force=True)
        return folder
