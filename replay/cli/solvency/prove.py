"""``replay solvency prove``."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.amounts import format_exact
from ledger.cli.common import Session, ledger_command
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.clock import format_time
from ledger.errors import ExitCode, InvalidInputError
from replay.cli.cuts import SequenceOrTime
from replay.cli.numbers import maximum_age_option
from replay.cli.solvency.options import parts_option, remember_proof, seed_file_option, seed_of
from replay.cli.solvency.words import asset_table, attested_lines, totals_lines
from replay.cli.text import moment

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.store.ledger import Ledger
    from replay.commitments import RecordedCommitment
    from replay.solvency import Figures, MadeTree

PROVE_SCHEMA = "replay.solvency.prove/1"


@ledger_command("prove")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder to write the proof to; it must not exist.",
)
@click.option(
    "--at",
    type=SequenceOrTime(),
    metavar="N|TIME",
    help="Prove the state after sequence N, or after the last event by TIME (default: the newest).",
)
@maximum_age_option
@parts_option
@seed_file_option
@click.option("--force", is_flag=True, help="Replace an older proof in DIR.")
@click.option("--dry-run", is_flag=True, help="Compute and show all of it; record, sign and write nothing.")
@passphrase_option
def prove(
    session: Session,
    *,
    out: Path | None,
    at: int | datetime | None,
    maximum_age_seconds: Decimal,
    parts: int,
    seed_file: Path | None,
    force: bool,
    dry_run: bool,
    passphrase: Passphrase,
) -> int:
    """Prove what the venue owes and what covers it, bound to the events that it came from.

    Rebuilds the state from the ledger, makes the tree of liabilities, records both roots as a StateCommitted
    and signs the checkpoint above it. Exits 1 where liabilities are not covered; the proof is written, too.
    """
    from ledger.signing.keys import load_signing_keys
    from replay.commitments import Signing, replay_ledger
    from replay.commitments import prove as make_proof
    from replay.commitments.folder import check_place
    from replay.solvency import Plan, make_tree

    if out is None and not dry_run:
        raise InvalidInputError("a proof needs a folder", next_step="give --out DIR, or --dry-run")
    if out is not None:
        check_place(out.absolute(), force=force)
    with session.ledger(writing=not dry_run) as ledger:
        if not dry_run:
            signing = Signing(load_signing_keys(ledger, session.keyring(), passphrase), session.checkpoints())
            ledger.check_may_append("StateCommitted")
        seed = seed_of(session, seed_file, making=not dry_run)
        sequence = _sequence(session, ledger, at)
        replayed = replay_ledger(ledger, sequence, progress=session.progress())
        if dry_run:
            made = make_tree(
                replayed.state, replayed.histories, Plan(seed or bytes(32), parts, maximum_age_seconds)
            )
            document = _document(made, None, None, has_seed=seed is not None)
            session.emit(document, _words(made, replayed.state.origin, None, None))
            return _exit_code(made.figures)
        assert out is not None  # noqa: S101 (refused above)
        assert seed is not None  # noqa: S101 (made where there was none)
        proved = make_proof(
            ledger,
            replayed,
            Plan(seed, parts, maximum_age_seconds),
            signing,
            out=out.absolute(),
            force=force,
            progress=session.progress(),
        )
    remember_proof(session, out)
    made, recorded = proved.made, proved.recorded
    session.emit(
        _document(made, recorded, out, has_seed=True), _words(made, replayed.state.origin, recorded, out)
    )
    return _exit_code(made.figures)


def _sequence(session: Session, ledger: Ledger, at: int | datetime | None) -> int:
    from replay.commitments import last_sequence_at

    if isinstance(at, int):
        return at
    return ledger.head().sequence if at is None else last_sequence_at(ledger, at, progress=session.progress())


def _exit_code(figures: Figures) -> int:
    return ExitCode.NEGATIVE_VERDICT if figures.solvent is False else ExitCode.OK


def _document(
    made: MadeTree, recorded: RecordedCommitment | None, out: Path | None, *, has_seed: bool
) -> dict[str, Any]:
    from replay.solvency.report import texts

    header, commitment, figures = made.header, made.commitment, made.figures
    head = None if recorded is None else recorded.head.checkpoint
    root = commitment.liabilities_root.hex() if has_seed else None
    return {
        "schema": PROVE_SCHEMA,
        "dry_run": recorded is None,
        "origin": header.origin,
        "sequence": header.as_of_sequence,
        "time": format_time(header.time),
        "commitment_sequence": None if recorded is None else recorded.sequence,
        "checkpoint_size": None if head is None else head.size,
        "log_root": None if head is None else base64.b64encode(head.root_hash).decode(),
        "projection": header.projection,
        "projection_version": header.projection_version,
        "state_root": commitment.state_root.hex(),
        "subjects_root": commitment.subjects_root.hex(),
        "liabilities_root": root,
        "liabilities": texts(figures.liabilities.totals),
        "reserves": texts(figures.reserves),
        "reserve_ratio": {
            asset: None if ratio is None else format_exact(ratio)
            for asset, ratio in sorted(figures.reserve_ratio().items())
        },
        "shortfall": texts(figures.liabilities.shortfall),
        "debt_against_collateral": texts(figures.liabilities.debt_against_collateral),
        "insurance_fund": texts(figures.insurance_fund),
        "attestations": [each.json_value() for each in figures.attestations],
        "undetermined": [*header.undetermined],
        "customers": len(figures.liabilities.by_customer),
        "leaves": len(made.leaves),
        "parts": header.parts,
        "solvent": figures.solvent,
        "directory": None if out is None else str(out),
    }


def _words(made: MadeTree, origin: str, recorded: RecordedCommitment | None, out: Path | None) -> str:
    header, figures = made.header, made.figures
    lines = [
        f"{origin}   state after sequence {header.as_of_sequence}, {moment(header.time)}",
        f"{len(figures.liabilities.by_customer):,} customers in {len(made.leaves):,} leaves",
        "",
        asset_table(figures.liabilities.totals, figures.reserves),
        "",
    ]
    lines += totals_lines(made.commitment.totals, header, figures.attestations, figures.solvent)
    lines += attested_lines(figures.attestations, header)
    lines.append("")
    if recorded is None:
        lines.append("Nothing was recorded, signed or written (--dry-run).")
        return "\n".join(lines)
    head = recorded.head.checkpoint
    again = "" if recorded.fresh else ", where it had been recorded before"
    lines += [
        f"Committed at sequence {recorded.sequence}{again}, under the checkpoint of {head.size} events.",
        f"Proof in {out}: publish it without its folder private.",
        "A customer's part: replay solvency inclusion ACCOUNT --out FILE",
        f"To check it: replay solvency verify {out} --trusted-key KEY [--ledger]",
    ]
    return "\n".join(lines)
