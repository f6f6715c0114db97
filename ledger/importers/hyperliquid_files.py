"""Which file of a folder is which: the venue's tables are told apart by their columns, not by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ledger.errors import InvalidInputError
from ledger.importers.files import Member, open_members
from ledger.importers.tables import column_names, records

if TYPE_CHECKING:
    from ledger.importers.reading import Warn

Role: TypeAlias = Literal["ledger_updates", "liquidations", "trades"]

# The first two columns are in every table; the others tell the tables apart.
TABLE_COLUMNS: dict[Role, tuple[str, ...]] = {
    "ledger_updates": ("time", "user", "delta_usd"),
    "liquidations": ("time", "user", "liquidated_ntl_pos", "liquidated_account_value", "leverage_type"),
    "trades": ("time", "user", "coin", "side", "px", "sz", "crossed"),
}
_SHARED_COLUMNS = 2
_TABLE_SUFFIXES = (".csv", ".gz", ".zip")


def find_tables(folder: str, warn: Warn) -> dict[Role, list[Member]]:
    """Return the folder's tables by role, each role's in name order.

    Raises:
        InvalidInputError: no folder, no table of some role, or a file that looks like a table cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        problem = (
            "this is a file, the folder that holds it is wanted"
            if path.exists()
            else "there is no such folder"
        )
        raise InvalidInputError(problem, place=(folder,))
    found: dict[Role, list[Member]] = {role: [] for role in TABLE_COLUMNS}
    ignored = []
    for file in sorted(path.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        try:
            for member in open_members(str(file)):
                role = _role(member)
                if role is None:
                    ignored.append(file.name)
                    warn(f"{member.label}: not one of this venue's tables, not read")
                else:
                    found[role].append(member)
        except InvalidInputError as error:
            if file.name.lower().endswith(_TABLE_SUFFIXES):
                raise
            ignored.append(file.name)
            warn(f"{error}; not read")
    for role, members in found.items():
        if not members:
            beside = f" (not read: {', '.join(ignored)})" if ignored else ""
            raise InvalidInputError(
                f"no file with the columns {', '.join(TABLE_COLUMNS[role])}{beside}",
                place=(folder,),
                next_step="give the folder that holds trades, ledger updates and liquidations",
            )
    return found


def _role(member: Member) -> Role | None:
    header = next(records(member), None)
    if header is None:
        raise member.error("the file holds blank lines only")
    names = column_names(header)
    matches = {
        role: sum(name in names for name in columns[_SHARED_COLUMNS:])
        for role, columns in TABLE_COLUMNS.items()
    }
    best = max(matches, key=lambda role: matches[role])
    if matches[best]:
        return best
    # Nothing but a time and a user: cash without its amount, which the reader then reports as missing.
    return "ledger_updates" if set(names) >= {"time", "user"} else None
