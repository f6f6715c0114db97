"""Drafts, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.canonical import decode
from ledger.errors import InvalidInputError
from ledger.events.envelope import Draft
from ledger.importers.reading import ImportedDraft, identity_name, import_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.canonical import JsonObject
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
                    value = decode(text.encode())
                    name = _complete(value, text, member, line) if isinstance(value, dict) else None
                    draft = Draft.from_json(value)
                except InvalidInputError as error:
                    raise error.within(member.label, f"line {line}") from None
                yield ImportedDraft(draft, 0, file, line, name, member.label)


def _complete(value: JsonObject, text: str, member: Member, line: int) -> bytes | None:
    """Give a draft the id and the source that it lacks; return what the id is made of."""
    source = value.get("source")
    if source is None:
        value["source"] = {"file": member.name, "row": str(line)}
    elif isinstance(source, dict) and source.get("file") is None and source.get("row") is None:
        source |= {"file": member.name, "row": str(line)}
    if value.get("id") is not None:
        return None
    name = identity_name(KIND, (), text)
    value["id"] = str(import_id(name, 0))
    return name
