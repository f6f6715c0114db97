"""``ledger doctor``."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.errors import ExitCode

if TYPE_CHECKING:
    from ledger.doctor import Examination


@ledger_command("doctor")
@click.option(
    "--hold", is_flag=True, help="Keep the embedded server up until interrupted, for psql and the like."
)
def doctor(session: Session, *, hold: bool) -> int:
    """Say which database is used, in what state it is, and what is amiss.

    The embedded server runs while a command uses it; --hold keeps it up for other programs.
    """
    from ledger.doctor import examine

    with session.settings.existing_database() if hold else nullcontext():
        found = examine(session.settings)
        session.emit(found.document(), _words(found))
        if hold:
            session.tell("The database is up until this command is interrupted (Ctrl-C).")
            sys.stdout.flush()
            signal.pause()
    return ExitCode.OK if found.ok else ExitCode.ENVIRONMENT


def _words(found: Examination) -> str:
    lines = [
        f"database    {found.database_url or 'none'} (chosen by {found.chosen_by})",
        f"home        {found.home}",
    ]
    if found.server_version is not None:
        lines += [
            f"server      Postgres {found.server_version}",
            f"role        {found.role}{', a superuser' if found.superuser else ''}",
            f"tables      revision {found.schema_revision or 'none'}, wanted {found.schema_revision_wanted}",
            f"clock       {found.clock_skew_seconds} s from this machine's",
            f"durability  {', '.join(f'{name} {value}' for name, value in found.settings.items())}",
        ]
    if found.data_directory is not None:
        lines.append(f"data        {found.data_directory}, {found.data_bytes} bytes")
    if found.guards:
        in_force = sum(state == "always" for state in found.guards.values())
        lines.append(f"guards      {in_force} of {len(found.guards)} in force")
    for kind, role in found.roles.items():
        members = ", ".join(role["members"]) or "nobody"
        lines.append(f"{kind:<12}{role['role']}: {role['duty']}; given to {members}")
    if found.superusers:
        lines.append(f"superusers  {', '.join(found.superusers)}")
    lines += [f"attacker    {kind}: {text}" for kind, text in found.attackers.items()]
    if found.origin is not None:
        lines.append(
            f"ledger      {found.origin}, valued in {found.valuation_currency}, {found.events} events, "
            f"newest recorded {found.head_appended_at}"
        )
    for key in found.keys:
        recorded = "recorded" if key["recorded"] else "not recorded"
        name = f"{key['name']}+{key['id']}"
        lines.append(f"key         {key['purpose']}, {key['state']}, {key['type']} {name}, {recorded}")
    if found.checkpoint is not None:
        others = ", ".join(found.checkpoint["cosigned_by"]) or "nobody"
        lines.append(
            f"checkpoint  {found.checkpoint['tree_size']} events, cosigned by {others}, "
            f"{'with' if found.checkpoint['timestamp'] else 'without'} timestamp; "
            f"{found.checkpoint['events_since']} events since"
        )
    elif found.origin is not None:
        lines.append("checkpoint  none is kept here (ledger checkpoint)")
    lines += [f"problem     {problem}" for problem in found.problems]
    return "\n".join([*lines, "All is well." if found.ok else "Something is amiss."])
