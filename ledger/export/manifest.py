"""The manifest of a bundle, and the checksum file that follows from it (docs/spec/bundle.md §3 and §4)."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from ledger.canonical import JsonObject, decode_canonical, encode
from ledger.chain import FORMAT
from ledger.errors import InvalidInputError
from ledger.events.base import HexHash, Strict, Text, Time, problem_text

SCHEMA: Final = "ledger.bundle/1"
EVENTS_FILE = "events.jsonl"
README_FILE = "README.txt"
VERIFIER_FILE = "verify.py"
MANIFEST_FILE = "manifest.json"
CHECKSUMS_FILE = "SHA256SUMS"
TABLES_FOLDER = "tables"

REQUIRED_FILES = (EVENTS_FILE, README_FILE, VERIFIER_FILE)
"""What every manifest lists."""

LARGEST_MANIFEST_BYTES = 1 << 20

_COUNT = Field(ge=0, lt=2**53)


class BundleFile(Strict):
    """One file of a bundle.

    Attributes:
        name: path below the bundle's folder, at most one folder deep, with ``/`` between.
        sha256: hash of its bytes, 64 hex digits.
        size_bytes: its length; ``bytes`` in the JSON.
        description: what it holds, for people.
    """

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$")
    ]
    sha256: HexHash
    size_bytes: Annotated[int, _COUNT] = Field(alias="bytes")
    description: Text


class Program(Strict):
    """What wrote a bundle."""

    name: Text
    version: Text


class Manifest(Strict):
    """What a bundle holds and which log it was taken from.

    Attributes:
        schema_name: ``schema`` in the JSON.
        origin: the ledger's permanent name.
        format: byte format of the events.
        events: how many.
        first_sequence: the first event's place.
        last_sequence: the last event's place.
        head_hash: the last event's hash, 64 hex digits.
        root_hash: RFC 9162 root over all events' hashes, base64.
        generated_at: when the bundle was made, by the exporting machine's clock.
        files: every file but the manifest and the checksums, sorted by name.
        not_included: what belongs to the matter and is not here.
        not_checked: what no check of this bundle alone can tell.
    """

    schema_name: Literal["ledger.bundle/1"] = Field(alias="schema")
    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
    format: Text
    events: Annotated[int, _COUNT]
    first_sequence: Annotated[int, _COUNT]
    last_sequence: Annotated[int, _COUNT]
    head_hash: HexHash
    root_hash: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    generated_at: Time
    program: Program
    files: list[BundleFile]
    not_included: list[Text]
    not_checked: list[Text]

    def encode(self) -> bytes:
        """Return the canonical bytes, which are the whole content of ``manifest.json``."""
        value: JsonObject = self.model_dump(mode="json", by_alias=True)
        return encode(value)

    def checksums(self) -> bytes:
        """Return the content of ``SHA256SUMS``: all other files, in the form of coreutils, sorted by name."""
        hashes = {file.name: file.sha256 for file in self.files}
        hashes[MANIFEST_FILE] = hashlib.sha256(self.encode()).hexdigest()
        return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode("ascii")


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest strictly: ``parse_manifest(b).encode() == b``.

    Raises:
        InvalidInputError: too long, not canonical JSON, not of this schema, or it contradicts itself.
    """
    if len(data) > LARGEST_MANIFEST_BYTES:
        raise InvalidInputError(f"it has more than {LARGEST_MANIFEST_BYTES} bytes")
    value = decode_canonical(data)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else None
        raise InvalidInputError(
            f"its schema is {found!r}, and this program reads {SCHEMA}",
            next_step="a newer program may have made this bundle: pip install --upgrade margin-ledger",
        )
    try:
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise InvalidInputError(problem_text(problem), place=(place,)) from None
    if manifest.encode() != data:
        raise InvalidInputError("a value is not in its canonical form")
    _check_agreement(manifest)
    return manifest


def program_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("margin-ledger")
    except PackageNotFoundError:
        return "unknown"


def _check_agreement(manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise InvalidInputError(
            f"its events are of the format {manifest.format!r}, and this program reads {FORMAT}"
        )
    names = [file.name for file in manifest.files]
    if names != sorted(set(names)):
        raise InvalidInputError("files are not sorted by name, or one is listed twice", place=("files",))
    for name in (MANIFEST_FILE, CHECKSUMS_FILE):
        if name in names:
            raise InvalidInputError(f"{name} cannot be listed", place=("files",))
    for name in REQUIRED_FILES:
        if name not in names:
            raise InvalidInputError(f"{name} is not listed", place=("files",))
    if manifest.first_sequence != 0 or manifest.last_sequence != manifest.events - 1:
        raise InvalidInputError(
            f"{manifest.events} events cannot have the sequences "
            f"{manifest.first_sequence} to {manifest.last_sequence}"
        )
