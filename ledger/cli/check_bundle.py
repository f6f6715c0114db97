"""``ledger check-bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.keys_option import keys_option
from ledger.cli.trust_options import Trust, checkpoints_option, given_checkpoints, trust_options
from ledger.errors import ExitCode, InvalidInputError
from ledger.outside.writing import read_small_file

if TYPE_CHECKING:
    from ledger.export.signature import GivenSignature
    from ledger.note import VerifierKey
    from ledger.report import BundleReport

FAILURES_SHOWN = 20


@ledger_command("check-bundle")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--expect-root", metavar="BASE64", help="The tree root that the bundle must have, from elsewhere."
)
@click.option("--expect-head", metavar="HEX", help="The hash that its last event must have, from elsewhere.")
@click.option(
    "--signature",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The bundle's signature (DIRECTORY.signature, as exported); needs --bundle-key.",
)
@keys_option("--bundle-key", "bundle_keys", help="A bundle key of the ledger, as its operator published it.")
@checkpoints_option("A checkpoint kept elsewhere, whose events the bundle must hold; may be repeated.")
@trust_options
def check_bundle(
    session: Session,
    *,
    directory: Path,
    expect_root: str | None,
    expect_head: str | None,
    signature: Path | None,
    bundle_keys: tuple[VerifierKey, ...],
    checkpoint_files: tuple[Path, ...],
    trust: Trust,
) -> int:
    """Check an evidence bundle offline: its files, every event, the chain, and the tree's root.

    Nothing in the bundle is executed or trusted. By itself a bundle can only be shown to agree with
    itself: --signature shows who made it, and a root, a head or a checkpoint from elsewhere
    (--trusted-checkpoint with --trusted-key) shows that this is the log. Exits 3 where something does
    not hold.
    """
    from ledger.export.check import check_bundle as check

    origin_is_idle = trust.origin is not None and signature is None
    if not checkpoint_files and (trust.demands_signatures or origin_is_idle):
        raise InvalidInputError(
            "there is no checkpoint to which these options of trust could apply",
            next_step="give --trusted-checkpoint FILE; a bundle's own signature is checked by --bundle-key",
        )
    report = check(
        directory,
        expected_root=expect_root,
        expected_head=expect_head,
        checkpoints=given_checkpoints(checkpoint_files, trust),
        signature=_given_signature(signature, bundle_keys, trust.origin),
        progress=session.progress(),
    )
    session.emit(report.document(), _words(report))
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY_BROKEN


def _given_signature(
    file: Path | None, keys: tuple[VerifierKey, ...], origin: str | None
) -> GivenSignature | None:
    from ledger.export.signature import GivenSignature, bundle_origin

    if (file is None) != (not keys):
        raise InvalidInputError(
            "a bundle's signature is checked by a key that you trust",
            next_step="give both --signature FILE and --bundle-key VKEY|FILE",
        )
    if file is None:
        return None
    try:
        origin = bundle_origin(keys, origin)
    except InvalidInputError as error:
        raise error.within("--bundle-key") from None
    return GivenSignature(read_small_file(file), origin, keys)


def _words(report: BundleReport) -> str:
    document = report.document()
    lines = [
        f"{document['origin'] or 'no manifest'}: {report.events} events, newest {report.head_sequence}",
        f"head hash  {document['head']['hash']}",
        f"tree root  {document['root_hash']}",
        *(f"  {'ok    ' if held else 'BROKEN'} {name}" for name, held in report.checks.items()),
    ]
    for failure in document["failures"][:FAILURES_SHOWN]:
        places = (failure["file"], None if failure["sequence"] is None else f"sequence {failure['sequence']}")
        where = ", ".join(filter(None, places)) or "bundle"
        lines.append(
            f"{where}: {failure['check']}: expected {failure['expected']}, found {failure['actual']}"
        )
    if report.failure_count > FAILURES_SHOWN:
        lines.append(f"… and {report.failure_count - FAILURES_SHOWN} more")
    lines += [f"warning: {warning}" for warning in report.warnings]
    lines += [f"not checked: {what}" for what in report.not_checked]
    lines.append("The bundle holds." if report.ok else "The bundle is BROKEN.")
    return "\n".join(lines)
