"""``ledger witness init``, ``trust`` and ``list``."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Output, plain_command
from ledger.cli.keys_option import keys_option
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.clock import format_time
from ledger.errors import ExitCode
from ledger.errors.base import escaped

if TYPE_CHECKING:
    from ledger.errors import WitnessStateError
    from ledger.note import VerifierKey
    from ledger.witness.decision import WatchedLog
    from ledger.witness.evidence import EvidenceFolder

SCHEMA = "ledger.witness/1"
FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@plain_command("init")
@FOLDER
@click.option(
    "--name", required=True, metavar="NAME", help="The witness's name, for example regulator.example/w1."
)
@passphrase_option
@click.option("--dry-run", is_flag=True, help="Check name and folder, make nothing.")
def init(output: Output, *, folder: Path, name: str, passphrase: Passphrase, dry_run: bool) -> None:
    """Make a witness in the new folder DIR, with an Ed25519 and an ML-DSA-44 key of its own."""
    from ledger.witness.folder import WitnessFolder, check_empty, check_witness_name

    check_witness_name(name)
    check_empty(folder)
    document = {"schema": SCHEMA, "action": "init", "dry_run": dry_run, "name": name, "folder": str(folder)}
    if dry_run:
        output.emit(document, f"Would make the witness {name} in {folder}.")
        return
    keys = WitnessFolder.create(folder, name, passphrase.for_new_key()).public_keys()
    published = [key.encode() for key in keys]
    output.emit(
        {**document, "public_keys": published},
        "\n".join(
            [
                f"Made the witness {name} in {folder}. Publish its public keys:",
                *published,
                f"Next: ledger witness trust {folder} --trusted-key VKEY, with the log's published keys",
            ]
        ),
    )


@plain_command("trust")
@FOLDER
@keys_option(
    "--trusted-key",
    "trusted_keys",
    required=True,
    help="Key that the log signs with, as its operator published it, or a file of them; may be repeated.",
)
@click.option("--origin", metavar="NAME", help="The log's name (default: that of its keys).")
@click.option("--replace", is_flag=True, help="Trust these keys alone from now on, and no older ones.")
@click.option("--dry-run", is_flag=True, help="Check the keys, change nothing.")
def trust(
    output: Output,
    *,
    folder: Path,
    trusted_keys: tuple[VerifierKey, ...],
    origin: str | None,
    replace: bool,
    dry_run: bool,
) -> None:
    """Watch a log, or trust further keys of a log that is watched."""
    from ledger.witness.folder import WitnessFolder

    log = WitnessFolder.open(folder).trust(trusted_keys, origin=origin, replace=replace, dry_run=dry_run)
    output.emit(
        {"schema": SCHEMA, "action": "trust", "dry_run": dry_run, "log": log_document(log)},
        "\n".join(
            [
                f"{'Would watch' if dry_run else 'Watching'} {log.origin}, signed with any of:",
                *(f"  {key}" for key in log.trusted_keys),
            ]
        ),
    )


@plain_command("list")
@FOLDER
def list_(output: Output, *, folder: Path) -> int:
    """Show the witness's public keys, and each log with the size and the time it was cosigned last.

    A log of which what is kept cannot be relied on is named as BROKEN, and the exit code is 3.
    """
    from ledger.witness.evidence import EvidenceFolder
    from ledger.witness.folder import WitnessFolder

    witness = WitnessFolder.open(folder)
    evidence = EvidenceFolder(folder / "evidence")
    published = [key.encode() for key in witness.public_keys()]
    broken: list[WitnessStateError] = []
    watched = witness.logs(broken.append)
    logs = [(log, [str(case) for case in evidence.cases(log.origin)]) for log in watched]
    output.emit(
        {
            "schema": SCHEMA,
            "action": "list",
            "name": witness.name,
            "public_keys": published,
            "logs": [{**log_document(log), "evidence": cases} for log, cases in logs],
            "broken": [broken_document(error, evidence) for error in broken],
        },
        "\n".join(
            [
                f"Witness {witness.name}; its public keys:",
                *published,
                *(line for log, cases in logs for line in _words(log, cases)),
                *(line for error in broken for line in broken_words(error, evidence)),
                *(
                    []
                    if logs or broken
                    else ["No log is watched. Next: ledger witness trust DIR --trusted-key VKEY"]
                ),
            ]
        ),
    )
    return ExitCode.INTEGRITY_BROKEN if broken else ExitCode.OK


def log_document(log: WatchedLog) -> dict[str, Any]:
    """Return what is kept of a log as a JSON object."""
    last = log.last
    return {
        "origin": log.origin,
        "trusted_keys": [key.encode() for key in log.trusted_keys],
        "size": log.size,
        "root_hash": base64.b64encode(last.checkpoint.root_hash).decode() if last else None,
        "cosigned_at": format_time(last.at) if last else None,
    }


def broken_document(error: WitnessStateError, evidence: EvidenceFolder) -> dict[str, Any]:
    """Return what is wrong with a log as a JSON object."""
    return {
        "file": error.file,
        "problem": error.problem,
        "next_step": error.next_step,
        "evidence": [str(case) for case in evidence.cases_beside(Path(error.file))],
    }


def broken_words(error: WitnessStateError, evidence: EvidenceFolder) -> list[str]:
    """Return what is wrong with a log in lines."""
    return [
        f"BROKEN {escaped(error.file)}: {escaped(error.problem)}; nothing of this log is cosigned",
        f"  next: {error.next_step}",
        *(f"  EVIDENCE {case}" for case in evidence.cases_beside(Path(error.file))),
    ]


def _words(log: WatchedLog, cases: list[str]) -> list[str]:
    if log.last is None:
        first = f"{log.origin}: nothing cosigned yet"
    else:
        root = base64.b64encode(log.last.checkpoint.root_hash).decode()
        first = f"{log.origin}: size {log.size}, root {root}, cosigned {format_time(log.last.at)}"
    return [
        first,
        *(f"  trusts {key}" for key in log.trusted_keys),
        *(f"  EVIDENCE {case}" for case in cases),
    ]
