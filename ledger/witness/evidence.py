"""What a witness keeps where a validly signed checkpoint does not fit what it cosigned.

One folder a case, ``evidence/KIND-ID-DIGEST``: ``request`` as it came, ``cosigned`` as it contradicts,
and ``case.json``. KIND is

- ``fork`` where one size has two roots, both signed by the log;
- ``rewrite`` where the larger tree begins with another tree than the cosigned one, as the proof in
  ``request`` shows;
- ``unproven`` where the proof shows nothing.

The files of the first two prove by themselves that the log showed two histories, and only it can bring them
about. The third anyone can, with a checkpoint that the log published and a false proof.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.clock import format_time
from ledger.outside.writing import make_folder, write_file
from ledger.witness.decision import read_request, shows_another_beginning
from ledger.witness.folder import log_id

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ledger.checkpoint import Checkpoint
    from ledger.proof import ConsistencyProof
    from ledger.witness.decision import Answer

MOST_CASES = 50
"""Of a kind and a log, so that nobody fills the disk, and false proofs do not crowd out what is proven."""
FORK, REWRITE, UNPROVEN = "fork", "rewrite", "unproven"
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a case.

    Attributes:
        folder: of the case.
        replaced: the folders of the cases that made room for it, which are gone.
    """

    folder: Path
    replaced: tuple[Path, ...] = ()


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

    def keep(self, request: bytes, answer: Answer, at: datetime) -> Kept | None:
        """Keep a request that contradicts what was cosigned.

        A case that is kept already is not kept again. Where MOST_CASES of a kind are kept, those that prove
        something stay, and None is returned; of those that are unproven the oldest makes room. The caller
        holds the log's lock.

        Raises:
            EnvironmentFaultError: the system refuses.
            OSError: likewise.
        """
        before = answer.contradicts
        if before is None:
            return None
        proof, _, checkpoint = read_request(request)
        kind = _kind(proof, checkpoint, before.checkpoint)
        # Two of one case differ at most in the proof and in signatures, which anyone may vary.
        both = (before.checkpoint.text() + "\n" + checkpoint.text()).encode()
        prefix = f"{kind}-{log_id(checkpoint.origin)}-"
        folder = self.path / (prefix + hashlib.sha256(both).hexdigest()[:_DIGITS])
        if (folder / "case.json").exists():
            return Kept(folder)
        others = sorted((each for each in self.path.glob(f"{prefix}*") if each != folder), key=_seen_at)
        surplus = others[: max(0, len(others) + 1 - MOST_CASES)]
        if surplus and kind != UNPROVEN:
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
        for each in surplus:
            (each / "case.json").unlink(missing_ok=True)  # first: what is half gone is no case
            shutil.rmtree(each)
        return Kept(folder, tuple(surplus))


def _kind(proof: ConsistencyProof, checkpoint: Checkpoint, before: Checkpoint) -> str:
    if checkpoint.size == before.size:
        return FORK
    return REWRITE if shows_another_beginning(proof, checkpoint, before) else UNPROVEN


def _seen_at(folder: Path) -> tuple[str, str]:
    """Return what to sort cases by; one that was not written to its end comes first."""
    try:
        case = json.loads((folder / "case.json").read_bytes())
        return str(case["seen_at"]), folder.name
    except (OSError, ValueError, TypeError, KeyError):
        return "", folder.name
