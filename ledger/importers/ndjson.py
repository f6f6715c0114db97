"""Drafts, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import decode
from ledger.errors import InvalidInputError
from ledger.events.envelope import Draft, Source
from ledger.importers.reading import ImportedDraft, identity_name, import_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.importers.files import Member
    from ledger.importers.reading import Warn

KIND = "ndjson"


@dataclass(frozen=True, slots=True)
class NdjsonSource:
    """Files of drafts; one without ``id`` gets an id made of its line, so that a repeat is recognised."""

    files: Sequence[Member]

    @property
    def label(self) -> str:
        """The files."""
        return ", ".join(member.label for member in self.files)

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:  # noqa: ARG002 (one signature for all sources)
        """Yield one draft a line; blank lines are skipped.

        Raises:
            InvalidInputError: names the file, line and field.
        """
        for file, member in enumerate(self.files):
            for line, text in member.lines():
                if not text or text.isspace():
                    continue
                try:
                    draft = Draft.from_json(decode(text.encode()))
                except InvalidInputError as error:
                    raise error.within(member.label, f"line {line}") from None
                yield _imported(draft, text, member, file, line)


def _imported(draft: Draft, text: str, member: Member, file: int, line: int) -> ImportedDraft:
    name = None
    changes: dict[str, object] = {}
    if draft.id is None:
        name = identity_name(KIND, (), text)
        changes["id"] = import_id(name, 0)
    given = draft.source
    if given is None or (given.file is None and given.row is None):
        changes["source"] = Source(
            system=None if given is None else given.system,
            file=member.name,
            row=str(line),
            inferred=None if given is None else given.inferred,
        )
    return ImportedDraft(
        draft.model_copy(update=changes) if changes else draft, 0, file, line, name, member.label
    )
