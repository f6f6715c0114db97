"""``replay solvency watch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.cli.repeating import Span, asked_to_stop, changed_keys
from ledger.clock import format_time
from ledger.errors import EnvironmentFaultError, ExitCode
from ledger.store.read import EventQuery
from replay.cli.numbers import maximum_age_option
from replay.cli.solvency.options import parts_option, remember_proof, seed_file_option, seed_of
from replay.cli.text import amounts, moment

if TYPE_CHECKING:
    from decimal import Decimal

    from ledger.store.ledger import Ledger
    from replay.commitments import Replayed, Signing
    from replay.findings import Finding
    from replay.solvency import Figures, Header, Plan

WATCH_SCHEMA = "replay.solvency.watch/1"


@ledger_command("watch")
@click.option("--every", type=Span(), required=True, metavar="SPAN", help="How often to look: 30s, 10m, 1h.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write each proof to a folder of DIR, named by the sequence of its state.",
)
@maximum_age_option
@parts_option
@seed_file_option
@click.option("--dry-run", is_flag=True, help="Look and tell; record, sign and write nothing.")
@passphrase_option
def watch(
    session: Session,
    *,
    every: int,
    out: Path | None,
    maximum_age_seconds: Decimal,
    parts: int,
    seed_file: Path | None,
    dry_run: bool,
    passphrase: Passphrase,
) -> int:
    """Commit to the state again and again, and stop with exit code 1 once liabilities exceed reserves.

    Each round folds the events that came since, records a StateCommitted and signs the checkpoint above it;
    where nothing came, there is nothing to commit to. Ctrl-C ends it with exit code 0.
    """
    from ledger.outside.writing import make_folder
    from ledger.signing.keys import load_signing_keys
    from replay.commitments import Signing
    from replay.solvency import Plan

    with session.ledger(writing=not dry_run) as ledger, asked_to_stop() as stop:
        signing = None
        if not dry_run:
            keys = load_signing_keys(ledger, session.keyring(), passphrase)
            signing = Signing(keys, session.checkpoints())
            ledger.check_may_append("StateCommitted")
            if out is not None:
                make_folder(out)
        seed = seed_of(session, seed_file, making=not dry_run)
        rounds = Rounds(session, ledger, Plan(seed or bytes(32), parts, maximum_age_seconds), out)
        while True:
            try:
                if signing is not None:
                    rotated = changed_keys(session, ledger, signing.keys, passphrase)
                    signing = signing if rotated is None else Signing(rotated, signing.checkpoints)
                if rounds.next(signing):
                    return ExitCode.NEGATIVE_VERDICT
            except EnvironmentFaultError as error:
                session.tell(f"warning: {error.message}; trying again in {every} s")
            if stop.wait(every):
                session.tell("stopped")
                return ExitCode.OK


class Rounds:
    """One look after the other; what was folded is gone on with."""

    def __init__(self, session: Session, ledger: Ledger, plan: Plan, out: Path | None) -> None:
        self._session = session
        self._ledger = ledger
        self._plan = plan
        self._out = out
        self._replayed: Replayed | None = None
        self._seen = -1  # the last event that was looked at

    def next(self, signing: Signing | None) -> bool:
        """Look, commit and tell; return whether something was found."""
        from replay.commitments import go_on, prove, replay_ledger
        from replay.solvency import figures_of, header_of, solvency_findings

        newest = self._ledger.head().sequence
        if self._is_quiet(newest):
            return False
        if self._replayed is None:
            replayed = replay_ledger(self._ledger, newest, progress=self._session.progress())
        else:
            # Where going on breaks off, an event may be folded by half: the next round starts anew.
            replayed, self._replayed = self._replayed, None
            go_on(self._ledger, replayed, newest)
        self._replayed, state = replayed, replayed.state
        if signing is None:
            figures, committed = figures_of(state, self._plan.maximum_age_seconds), None
            header = header_of(state, figures, self._plan, depth=0)
        else:
            folder = None if self._out is None else self._out.absolute() / str(newest)
            proved = prove(self._ledger, replayed, self._plan, signing, out=folder, force=True)
            if folder is not None:
                remember_proof(self._session, folder)
            figures, header, committed = proved.made.figures, proved.made.header, proved.recorded.sequence
        self._seen = newest  # what was recorded between state and commitment is of the next round
        findings = solvency_findings(figures, sequence=newest, commitment=committed)
        self._session.emit_line(
            _document(header, figures, findings, committed), _line(header, figures, findings, committed)
        )
        if figures.solvent is None:
            self._session.tell("warning: solvency is not decided: replay venue says what is not known")
        return bool(findings)

    def _is_quiet(self, newest: int) -> bool:
        """Tell whether nothing came but commitments, one's own or another watch's: they are no news."""
        query = EventQuery(from_sequence=self._seen + 1, to_sequence=newest)
        quiet = all(event.type == "StateCommitted" for event in self._ledger.events(query))
        self._seen = newest if quiet else self._seen
        return quiet


def _document(
    header: Header, figures: Figures, findings: list[Finding], committed: int | None
) -> dict[str, Any]:
    from replay.solvency.report import texts

    return {
        "schema": WATCH_SCHEMA,
        "sequence": header.as_of_sequence,
        "time": format_time(header.time),
        "commitment_sequence": committed,
        "liabilities": texts(figures.liabilities.totals),
        "reserves": texts(figures.reserves),
        "solvent": figures.solvent,
        "findings": [each.json_value() for each in findings],
    }


def _line(header: Header, figures: Figures, findings: list[Finding], committed: int | None) -> str:
    place = "not committed" if committed is None else f"committed at {committed}"
    verdict = {True: "solvent", False: "NOT SOLVENT", None: "not decided"}[figures.solvent]
    first = (
        f"{moment(header.time)}  state {header.as_of_sequence}  {place}  {verdict}  "
        f"owed {amounts(figures.liabilities.totals)}  attested {amounts(figures.reserves)}"
    )
    return "\n".join([first, *(f"  error {each.code}: {each.message}" for each in findings)])
