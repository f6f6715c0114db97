"""Verifying the folder of a proof, without the ledger and against it (docs/spec/solvency.md §8.2, §8.3)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.amounts import format_exact
from ledger.clock import format_time
from ledger.errors import ChainBrokenError, EvidenceRefusedError, RecordUnreadableError
from ledger.progress import SILENT
from ledger.report import FolderReport
from replay.commitments.replaying import replay_ledger
from replay.solvency import check_proof, check_records, customer_claims, figures_of, state_roots
from replay.solvency.proofs.commitment import TOTALS
from replay.solvency.proofs.form import texts_of
from replay.solvency.proofs.records import asset_words, read_accounts
from replay.solvency.report import texts
from replay.state.snapshot import PROJECTION, PROJECTION_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ledger.growth import GivenCheckpoint
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger
    from ledger.trust import TrustPolicy
    from replay.commitments.folder import ProofFolder
    from replay.commitments.replaying import Replayed
    from replay.solvency import CheckedProof, CustomerClaim, Expected

CHECKS = (
    "form",
    "proof",
    "checkpoint",
    "origin",
    "signature",
    "witnesses",
    "compromise",
    "event",
    "inclusion",
    "commitment",
    "header",
    "sum",
    "liabilities_root",
    "totals",
    "attestations",
    "reserves",
    "age",
)
"""The checks of the public part, in the order in which they are made; some only where they are asked for."""
RECORD_CHECKS = ("accounts", "leaves", "nodes")
NO_LEDGER = (
    "the events: whether state, time and liabilities are what they come to, whether the attestations are the "
    "latest, and who was left out (--ledger)"
)
NO_RECORDS = "the leaves: whether customers' claims add up to the sums (the private part is not here)"
NOT_TO_THE_END = "not to the end, because of what does not hold"
NO_STATE = "state and liabilities: there are not the events to compute them from"
NO_WITNESS = "witnesses: no cosignature of one that you trust; others may be shown another log"
NO_AGE = "how old it is: an old proof holds, too, and says nothing of today (--not-before)"
NO_CUSTODIAN = "reserves: whether what is attested is there, and pledged to nobody else (ask the attester)"
NO_SOURCE = "whether the events are true and none is missing: that is reconciliation with their sources"


@dataclass(slots=True)
class ProofReport(FolderReport):
    """The verdict on a proof; document ``replay.solvency.verify/1``.

    Attributes:
        checked: what the public part shows, where it stands.
        other_rules: the events should have been compared, and were not: the proof is by rules of projection
            that this program does not have.
    """

    schema = "replay.solvency.verify/1"

    checked: CheckedProof | None = None
    other_rules: bool = False

    @property
    def solvent(self) -> bool | None:
        """Whether what is owed is covered; None where that is not known, or the proof does not hold."""
        return self.checked.solvent if self.checked is not None and self.ok else None

    def document(self) -> dict[str, Any]:
        """Return the verdict as a JSON document."""
        document = FolderReport.document(self)
        checked = self.checked
        if checked is None:
            return {**document, "solvent": None}
        header, commitment = checked.proof.header, checked.commitment
        trusted = checked.in_log.trusted
        return {
            **document,
            "sequence": header.as_of_sequence,
            "time": format_time(header.time),
            "commitment_sequence": checked.in_log.sequence,
            "checkpoint_size": trusted.checkpoint.size,
            "log_root": base64.b64encode(trusted.checkpoint.root_hash).decode(),
            "signed_by": [str(each.key) for each in trusted.log_signatures],
            "witnesses": list(trusted.witnesses),
            "state_root": commitment.state_root.hex(),
            "subjects_root": commitment.subjects_root.hex(),
            "liabilities_root": commitment.liabilities_root.hex(),
            "liabilities": texts(checked.liabilities),
            "reserves": texts(checked.reserves),
            "totals": {name: texts(amounts) for name, amounts in commitment.totals.items()},
            "undetermined": [*header.undetermined],
            "attestations": [each.json_value() for each in checked.attestations],
            "maximum_age_seconds": format_exact(header.maximum_age_seconds),
            "solvent": self.solvent,
        }


def verify_proof(
    folder: ProofFolder,
    policy: TrustPolicy,
    *,
    expected: Expected,
    stamped_at: datetime | None = None,
    ledger: Ledger | None = None,
    kept: Sequence[GivenCheckpoint] = (),
    progress: Progress = SILENT,
) -> ProofReport:
    """Check a proof, and with the ledger compute all of it anew from the events.

    Args:
        folder: of the proof.
        policy: whom the caller trusts.
        expected: how old the state may be.
        stamped_at: see :func:`ledger.trust.trust_checkpoint`.
        ledger: whose events are read, or None.
        kept: checkpoints that the caller kept; the ledger has to be one that grew from each of them.
        progress: is told of every event.

    Raises:
        InvalidInputError: a file cannot be read.
    """
    report = ProofReport(folder.folder, origin=policy.origin)
    asked = _asked(policy, expected)
    try:
        report.checked = check_proof(
            folder.proof(), folder.commitment(), folder.inclusion(), policy, stamped_at=stamped_at
        )
        expected.check(report.checked.proof.header)
    except EvidenceRefusedError as error:
        before = asked[: asked.index(error.check)] if error.check in asked else asked
        report.checks |= dict.fromkeys(before, True)
        report.fail(error.check, error.expected, error.actual)
        report.not_checked.append("anything after the check that fails")
        return report
    report.checks |= dict.fromkeys(asked, True)
    report.root_hash = report.checked.in_log.trusted.checkpoint.root_hash
    if not report.checked.in_log.trusted.cosignatures:
        report.not_checked.append(NO_WITNESS)
    if not expected.says_an_age:
        report.not_checked.append(NO_AGE)
    if report.checked.attestations:
        report.not_checked.append(NO_CUSTODIAN)
    if further := sorted(report.checked.commitment.totals.keys() - {*TOTALS}):
        report.not_checked.append(f"totals that this program does not know: {', '.join(further)}")
    if folder.has_records:
        _check_records(report, report.checked, folder)
    else:
        report.not_checked.append(NO_RECORDS)
    if ledger is None:
        report.not_checked.append(NO_LEDGER)
    else:
        _check_ledger(report, report.checked, folder, ledger, kept, progress)
        report.not_checked.append(NO_SOURCE)
    return report


def _asked(policy: TrustPolicy, expected: Expected) -> tuple[str, ...]:
    """Return the checks of the public part that are made for this reader."""
    left_out = {
        "witnesses": not policy.required_witnesses,
        "compromise": policy.compromised_at is None,
        "age": not expected.says_an_age,
    }
    return tuple(check for check in CHECKS if not left_out.get(check, False))


def _check_records(report: ProofReport, checked: CheckedProof, folder: ProofFolder) -> None:
    proof, made = checked.proof, set[str]()
    try:
        for each in check_records(proof.header, proof.root, checked.commitment, folder, made=made):
            report.fail(each.check, each.expected, each.actual, file=each.file)
    except EvidenceRefusedError as error:
        report.fail(error.check, error.expected, error.actual)
    for check in RECORD_CHECKS:
        if check in made:
            report.checks.setdefault(check, True)
        else:
            report.not_checked.append(f"{check}: {NOT_TO_THE_END}")


def _check_ledger(
    report: ProofReport,
    checked: CheckedProof,
    folder: ProofFolder,
    ledger: Ledger,
    kept: Sequence[GivenCheckpoint],
    progress: Progress,
) -> None:
    """Compute everything from the events and compare."""
    header = checked.proof.header
    ours, theirs = (
        _rules(PROJECTION, PROJECTION_VERSION),
        _rules(header.projection, header.projection_version),
    )
    if ours != theirs:
        report.other_rules = True
        report.not_checked.append(
            f"what the events come to: the proof is by {theirs}, and this program has {ours}"
        )
    report.compare("origin", f"a ledger of {header.origin}", f"a ledger of {ledger.origin}")
    heads = [("the proof's checkpoint", checked.in_log.trusted.checkpoint)]
    heads += [(each.name, each.checkpoint) for each in kept]
    report.checks["chain"] = True
    count = ledger.head().sequence + 1
    if header.as_of_sequence >= count:
        report.fail("chain", f"{header.as_of_sequence + 1} events or more", f"{count}")
        report.not_checked.append(NO_STATE)
        return
    sizes = {head.size for _, head in heads}
    try:
        through = None if report.other_rules else header.as_of_sequence
        replayed = replay_ledger(ledger, through, sizes=sizes, progress=progress)
    except (ChainBrokenError, RecordUnreadableError) as error:
        report.fail("chain", "events that hang together", error.message)
        report.not_checked.append(NO_STATE)
        return
    report.events, report.head_sequence = replayed.events, replayed.events - 1
    report.head_hash = replayed.head_hash
    for name, head in heads:
        root = replayed.roots.get(head.size)
        actual = f"{count} events only" if root is None else root.hex()
        report.compare("log_root", f"{head.root_hash.hex()}, of {name}", f"{actual}, of {name}")
        report.compare("origin", header.origin, head.origin)
    if not report.other_rules:
        _compare_state(report, checked, folder, replayed)


def _rules(projection: str, version: int) -> str:
    return f"{projection} version {version}"


def _compare_state(
    report: ProofReport, checked: CheckedProof, folder: ProofFolder, replayed: Replayed
) -> None:
    header, commitment, state = checked.proof.header, checked.commitment, replayed.state
    roots = state_roots(state, replayed.histories)
    report.compare("state_root", commitment.state_root.hex(), roots.state.hex())
    report.compare("subjects_root", commitment.subjects_root.hex(), roots.subjects.hex())
    figures = figures_of(state, header.maximum_age_seconds)
    if folder.has_records:
        report.checks["claims"] = True
        try:
            for expected, actual in _differing(customer_claims(state), read_accounts(folder)):
                report.fail("claims", expected, actual, file="accounts.ndjson")
        except EvidenceRefusedError as error:
            report.fail("claims", error.expected, error.actual, file="accounts.ndjson")
    totals = figures.totals()
    report.compare("liabilities", texts_of(totals["liabilities"]), texts_of(checked.liabilities))
    for name, amounts in totals.items():
        report.compare(
            "totals", f"{name}: {texts_of(amounts)}", f"{name}: {texts_of(commitment.totals.get(name, {}))}"
        )
    undetermined = tuple(sorted(figures.liabilities.undetermined, key=str.encode))
    report.compare("undetermined", _names(undetermined), _names(header.undetermined))
    report.compare("assets", asset_words(figures.liabilities.assets), asset_words(header.assets))
    report.compare("time", format_time(state.occurred_at), format_time(header.time))
    latest = sorted(each.reserve.sequence for each in figures.attestations)
    given = [each.reserve.sequence for each in checked.attestations]
    report.compare("attestations", f"attestations at {latest}", f"attestations at {given}")


def _names(assets: Sequence[str]) -> str:
    return ", ".join(assets) or "no asset"


def _differing(rebuilt: Iterator[CustomerClaim], given: Iterator[CustomerClaim]) -> Iterator[tuple[str, str]]:
    """Yield what events and proof say of each account of which they differ; both in the order of names."""
    ours, theirs = next(rebuilt, None), next(given, None)
    while ours is not None or theirs is not None:
        our_name = None if ours is None else ours.claim.account.encode()
        their_name = None if theirs is None else theirs.claim.account.encode()
        if ours is not None and (their_name is None or (our_name or b"") < their_name):
            yield f"account {ours.claim.account}: {_said(ours)}", "no such account in the proof"
            ours = next(rebuilt, None)
        elif theirs is not None and (our_name is None or (their_name or b"") < our_name):
            yield f"no account {theirs.claim.account}", f"account {theirs.claim.account}: {_said(theirs)}"
            theirs = next(given, None)
        elif ours is not None and theirs is not None:
            if _said(ours) != _said(theirs):
                name = ours.claim.account
                yield f"account {name}: {_said(ours)}", f"account {name}: {_said(theirs)}"
            ours, theirs = next(rebuilt, None), next(given, None)


def _said(each: CustomerClaim) -> str:
    owned = "" if each.customer == each.claim.account else f", of customer {each.customer}"
    return f"{texts_of(each.claim.amounts)}{owned}"
