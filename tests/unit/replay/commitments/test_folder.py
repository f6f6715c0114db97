"""A customer's file is taken from the folder of a proof, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from tests.support.dishonest_venue import published
from tests.support.solvency import small_world

if TYPE_CHECKING:
    from pathlib import Path

    from replay.commitments import ProofFolder

WORLD = small_world(parts=2)


@pytest.fixture
def folder(tmp_path: Path) -> ProofFolder:
    return published(WORLD, tmp_path / "proof")


@pytest.mark.parametrize(("name", "customer"), [("ada", "ada"), ("A2", "ada"), ("D1", "dora")])
def test_a_customer_is_found_by_name_and_by_account(folder: ProofFolder, name: str, customer: str) -> None:
    assert folder.inclusion_of(name) == WORLD.inclusion(customer)


def test_who_is_in_neither_file_is_not_found(folder: ProofFolder) -> None:
    for name in ("nobody", "ad", "A", "", '"'):
        with pytest.raises(NotFoundError):
            folder.inclusion_of(name)


def test_a_customer_of_whom_not_all_leaves_are_there_gets_no_file(folder: ProofFolder) -> None:
    file = folder.folder / "private" / "leaves.ndjson"
    lines = file.read_bytes().splitlines(keepends=True)
    doras = [line for line in lines if b'"customer":"dora"' in line]
    for left_out in (lines, doras, doras[:1]):
        file.write_bytes(b"".join(line for line in lines if line not in left_out))
        with pytest.raises(EvidenceRefusedError) as refused:
            folder.inclusion_of("D1")
        assert (refused.value.check, refused.value.expected) == ("leaves", "2 leaves of dora")


def test_a_line_of_an_account_in_another_form_is_refused(folder: ProofFolder) -> None:
    file = folder.folder / "private" / "accounts.ndjson"
    file.write_bytes(file.read_bytes().replace(b'"customer":"dora"', b'"customer":["dora"]'))
    with pytest.raises(EvidenceRefusedError) as refused:
        folder.inclusion_of("D1")
    assert refused.value.check == "form"


def test_without_the_private_part_there_are_no_files(folder: ProofFolder) -> None:
    for file in (folder.folder / "private").iterdir():
        file.unlink()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        folder.inclusion_of("ada")
