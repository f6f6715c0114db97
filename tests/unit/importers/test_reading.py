import re
from pathlib import Path
from uuid import UUID

import pytest

from ledger.canonical import decode_canonical
from ledger.importers.reading import IMPORT_NAMESPACE, identity_name, import_id

SPECIFICATION = Path(__file__).parents[3] / "docs" / "spec" / "import-ids.md"
VECTORS = re.findall(
    r"^\| `(\[.*\])` \| `([0-9a-f-]{36})` \|$", SPECIFICATION.read_text(encoding="utf-8"), re.MULTILINE
)


def test_the_specification_gives_the_namespace_and_vectors() -> None:
    assert str(IMPORT_NAMESPACE) in SPECIFICATION.read_text(encoding="utf-8")
    assert len(VECTORS) == 4


@pytest.mark.parametrize(("name", "event_id"), VECTORS)
def test_the_vectors_of_the_specification_hold(name: str, event_id: str) -> None:
    kind, context, raw, ordinal = decode_canonical(name.encode())  # type: ignore[misc,str-unpack]
    assert import_id(identity_name(kind, context, raw), ordinal) == UUID(event_id)  # type: ignore[arg-type]


def test_names_cannot_run_into_each_other() -> None:
    parts = [
        ("a", ["b"], "c"),
        ("a", ["b", "c"], ""),
        ("a", [], "bc"),
        ("a", ['b"],"c'], ""),
        ("a", ["b"], 'c",0'),
        ("ab", [], "c"),
    ]
    names = [identity_name(*part) for part in parts]
    assert len({import_id(name, ordinal) for name in names for ordinal in (0, 1, 10)}) == 3 * len(parts)
