"""``ledger witness cosign``."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Output, plain_command
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.cli.witness.setup import FOLDER, SCHEMA
from ledger.clock import SystemClock, format_time
from ledger.errors import EnvironmentFaultError, EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.outside.writing import read_small_file, write_file

if TYPE_CHECKING:
    from ledger.errors import LedgerError
    from ledger.witness.decision import Answer

STDIN = Path("-")


@plain_command("cosign")
@FOLDER
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there."
)
@click.option("--force", is_flag=True, help="Replace the file of --out.")
@click.option("--only-cosignatures", is_flag=True, help="Give the new lines alone, not the checkpoint.")
@passphrase_option
@click.option("--dry-run", is_flag=True, help="Say what would be cosigned; keep and write nothing.")
def cosign(
    output: Output,
    *,
    folder: Path,
    file: Path,
    out: Path | None,
    force: bool,
    only_cosignatures: bool,
    passphrase: Passphrase,
    dry_run: bool,
) -> None:
    """Cosign the checkpoint in FILE (- is stdin), without any network.

    FILE is what ledger prove consistency writes (the body of an add-checkpoint request), or for a log's
    first time its signed checkpoint alone. The cosigned checkpoint goes to stdout, or to --out.
    """
    from ledger.note import LARGEST_NOTE_BYTES, Note
    from ledger.witness.folder import WitnessFolder
    from ledger.witness.service import Witness

    if out is not None and out.exists() and not force:  # before the witness moves on
        raise InvalidInputError(f"{out} exists already", next_step="give another name, or --force")
    data = sys.stdin.buffer.read(LARGEST_NOTE_BYTES + 1) if file == STDIN else read_small_file(file)
    witness_folder = WitnessFolder.open(folder)
    witness = Witness(witness_folder, witness_folder.signing_keys(passphrase), SystemClock(), output.tell)
    answer = witness.add_checkpoint_file(data, dry_run=dry_run)
    cosigned = answer.cosigned
    if cosigned is None:
        raise _error(answer, str(file), folder)
    document = {
        "schema": SCHEMA,
        "action": "cosign",
        "dry_run": dry_run,
        "origin": cosigned.checkpoint.origin,
        "size": cosigned.checkpoint.size,
        "root_hash": base64.b64encode(cosigned.checkpoint.root_hash).decode(),
        "cosigned_at": format_time(cosigned.at),
    }
    words = f"size {answer.size} of {answer.origin}"
    if dry_run:
        output.emit(document, f"Would cosign {words}.")
        return
    whole = Note.parse(answer.given).with_signatures(answer.cosignatures).encode()
    result = answer.body if only_cosignatures else whole
    document |= {"cosignatures": answer.body.decode().splitlines(), "note": whole.decode(), "out": None}
    if out is not None:
        write_file(out, result, force=force)
        output.emit({**document, "out": str(out)}, f"Cosigned {words}; written to {out}.")
    elif output.as_json:
        output.emit(document, "")
    else:
        click.echo(result, nl=False)


def _error(answer: Answer, file: str, folder: Path) -> LedgerError:
    """Return a refusal as the error that ends the command: bad input, unknown log, or broken integrity."""
    from ledger.witness.decision import Verdict

    match answer.verdict:
        case Verdict.UNKNOWN_LOG:
            return NotFoundError(
                f"{file}: {answer.reason}",
                next_step=f"ledger witness trust {folder} --trusted-key VKEY, if it shall be watched",
            )
        case Verdict.UNTRUSTED_SIGNATURE:
            return EvidenceRefusedError(
                "signature",
                "a valid signature by a trusted key",
                answer.reason,
                place=file,
                next_step=f"ledger witness list {folder} shows the trusted keys",
            )
        case Verdict.UNPROVEN | Verdict.OTHER_ROOT:
            return EvidenceRefusedError(
                "consistency",
                "a tree that grew from the last cosigned one",
                answer.reason,
                place=file,
                next_step=f"ask the log's operator; the evidence: ledger witness list {folder}",
            )
        case Verdict.OTHER_SIZE:
            older = (answer.size or 0) < (answer.last_size or 0)
            return InvalidInputError(
                answer.reason,
                place=(file,),
                next_step="cosign a newer checkpoint: this one is older than what was cosigned"
                if older
                else f"the log's operator runs: ledger prove consistency {answer.last_size} --out FILE",
            )
        case Verdict.CLOCK_BEHIND:
            return EnvironmentFaultError(answer.reason, next_step="set the clock right")
        case _:
            return InvalidInputError(
                answer.reason,
                place=(file,),
                next_step="give a file of ledger prove consistency SIZE --out FILE",
            )
