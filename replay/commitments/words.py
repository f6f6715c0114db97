"""What the folder of a proof says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.clock import format_time

if TYPE_CHECKING:
    from replay.commitments.recording import RecordedCommitment
    from replay.solvency import Header

README_FILE = "README.md"


def readme(header: Header, recorded: RecordedCommitment) -> str:
    """Return the text that lies beside a proof."""
    checkpoint = recorded.head.checkpoint
    return f"""# Proof of solvency of {header.origin}

State as of sequence {header.as_of_sequence}, {format_time(header.time)}; committed to by the event at
sequence {recorded.sequence}, under the checkpoint of {checkpoint.size} events.

| file | |
|---|---|
| `proof.json` | what the tree of liabilities is about, its root and sums, and the attested reserves |
| `commitment.json` | the event `StateCommitted` that binds them to the log |
| `commitment.tlog-proof` | shows that this event is under the signed checkpoint |
| `check-inclusion.html` | checks a customer's inclusion file in a browser, offline |
| `private/` | **not for publication**: accounts, and what blinds their leaves; for an auditor |

Check it with the key that the venue published elsewhere, never with one from here:

    replay solvency verify DIR --trusted-key KEY
    replay solvency verify DIR --trusted-key KEY --ledger      (recomputes everything from the events)
    replay solvency check-inclusion FILE --trusted-key KEY     (a customer's own file)

Give the folder away without `private/`. The format is docs/spec/solvency.md of Margin Ledger.
"""
