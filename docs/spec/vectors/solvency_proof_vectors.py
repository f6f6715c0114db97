"""Published proofs of solvency that hold, and those that do not, with the check that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from signed_material import AT, OTHER, time
from solvency_material import (
    ALONE,
    DOLLARS,
    ETH_ONLY,
    FINE,
    IMPOSTOR,
    NOBODY,
    RESERVES,
    START,
    VKEY,
    WHALES,
    Committed,
    committed,
    edited,
    texts,
)

from replay.solvency import is_solvent
from replay.solvency.proofs.commitment import LIABILITIES
from replay.solvency.proofs.commitment import RESERVES as RESERVES_TOTAL

if TYPE_CHECKING:
    from collections.abc import Mapping


def _folder(world: Committed, proof: bytes | None = None, **files: bytes) -> dict[str, str]:
    """Return the public files of a proof, and the key to trust."""
    given = {
        "proof": world.proof().encode() if proof is None else proof,
        "commitment": world.entries[world.sequence] + b"\n",
        "inclusion": world.proof_of(world.sequence),
        **files,
    }
    return {**{name: content.decode() for name, content in given.items()}, "vkey": VKEY}


def proofs_that_hold() -> list[dict[str, Any]]:
    """Return the public files of proofs, with what they show."""
    bank, stale_since = DOLLARS["reserves"][0], time(START - timedelta(days=2))
    vault = {**bank, "custodian": "vault", "address": "0xA", "amount": "2.5"}
    ten = {**bank, "amount": "10"}
    short = {"ada": {"A1": {"USDT": "-5"}}}

    def holding(*reserves: Mapping[str, str], **more: Any) -> Committed:
        return committed(ALONE, **{**DOLLARS, **more, "reserves": reserves})

    given = [
        ("covered in both assets", committed(), True),
        ("covered to the last unit by two custodians", holding(ten, vault), True),
        ("one unit is missing", holding(ten, {**vault, "amount": "2.499999"}), False),
        ("what is encumbered does not count", holding({**bank, "encumbered": "12.500001"}), False),
        ("a stale attestation does not count", holding(ten, {**vault, "as_of": stale_since}), False),
        ("more is encumbered than is there", holding({**ten, "encumbered": "11"}, vault), False),
        ("an asset that is not attested at all", committed(reserves=RESERVES[1:]), False),
        ("no attestation", holding(), None),
        ("no attestation that is fresh", holding({**bank, "as_of": stale_since}), False),
        ("an asset in which a claim is not known", committed(position_without_mark=True), None),
        ("an asset in which a claim is not known, and another that is not covered",
         committed(position_without_mark=True, reserves=RESERVES[1:]), False),
        ("nothing is owed", committed(short, **DOLLARS), True),
        ("no customers", committed(NOBODY, **DOLLARS), True),
        ("three parts", holding(bank, parts=3), True),
        ("claims finer than the listed scale", committed(FINE), True),
        ("a further total", holding(bank).with_totals(another={"USDT": "-1"}), True),
        ("a corrected attestation", holding({**bank, "amount": "1"}, correcting=bank), True),
    ]  # fmt: skip
    found = []
    for what, world, solvent in given:
        totals = world.made.commitment.totals
        undetermined = frozenset(world.made.header.undetermined)
        attested = bool(world.attested)
        assert solvent is is_solvent(
            totals[LIABILITIES], totals[RESERVES_TOTAL], undetermined, attested=attested
        ), what
        found.append(
            {
                "what": what,
                **_folder(world),
                "liabilities": texts(totals[LIABILITIES]),
                "reserves": texts(totals[RESERVES_TOTAL]),
                "solvent": solvent,
            }
        )
    return found


def proofs_refused() -> list[dict[str, Any]]:
    """Return the public files of proofs that fail one check."""
    small = committed(ALONE, **DOLLARS)
    cases = [
        *_proofs_of_another_form(small),
        *_proofs_of_another_root(small),
        *_attestations_refused(committed(ALONE)),
        *_entries_refused(small),
    ]
    return [{"what": what, **files, "check": check} for what, check, files in cases]


def _proofs_of_another_form(world: Committed) -> list[tuple[str, str, dict[str, str]]]:
    proof = world.proof().encode()
    changes: list[tuple[str, bytes]] = [
        ("nothing", b""),
        ("no line end", proof[:-1]),
        ("another format", edited(proof, "format", to="margin-ledger/solvency/2")),
        ("a key more", proof.replace(b'"format"', b'"firm":"x","format"', 1)),
        ("sums without an asset", edited(proof, "root", "sums", to={})),
        ("a negative sum", edited(proof, "root", "sums", "USDT", to="-1")),
        ("a hash of 31 bytes", edited(proof, "root", "hash", to="00" * 31)),
        ("more digits than the scale", edited(proof, "root", "sums", "USDT", to="12.5000001")),
        ("a path that is not hexadecimal", edited(proof, "attestations", 0, "path", 0, to="x" * 64)),
        ("an attestation with a key more", edited(
            proof, "attestations", 0, to=lambda given: given | {"age": "1"})),
    ]  # fmt: skip
    return [(what, "form", _folder(world, given)) for what, given in changes]


def _proofs_of_another_root(world: Committed) -> list[tuple[str, str, dict[str, str]]]:
    proof, header = world.proof().encode(), world.made.header
    whale = committed(WHALES, scales={"ETH": "18"}, reserves=ETH_ONLY)
    large = edited(whale.proof().encode(), "root", "sums", "ETH", to="171" + "0" * 18)
    undecided = committed(position_without_mark=True)
    entry = world.entries[world.sequence]
    deposit = world.sequence + 1

    def of_header(**changes: Any) -> bytes:
        return edited(proof, "header", to=lambda given: given | changes)

    return [
        ("a checkpoint of another key", "signature", _folder(replace(world, signers=(IMPOSTOR,)))),
        ("everything of another log", "origin", _folder(committed(ALONE, **DOLLARS, origin=OTHER))),
        ("a changed commitment", "inclusion", _folder(
            world, commitment=entry.replace(b'"25"', b'"26"') + b"\n")),
        ("an event that is no commitment", "commitment", _folder(
            world, commitment=world.entries[deposit] + b"\n", inclusion=world.proof_of(deposit))),
        ("a header of another sequence", "header", _folder(
            world, of_header(as_of_sequence=header.as_of_sequence - 1))),
        ("a sum of more than 2^127", "sum", _folder(whale, large)),
        ("less is owed", "liabilities_root", _folder(world, edited(proof, "root", "sums", "USDT", to="1"))),
        ("another root", "liabilities_root", _folder(world, edited(proof, "root", "hash", to="00" * 32))),
        ("other parts", "liabilities_root", _folder(world, of_header(parts=2))),
        ("another depth", "liabilities_root", _folder(world, of_header(depth=3))),
        ("an older age allowed", "liabilities_root", _folder(world, of_header(maximum_age_seconds="864000"))),
        ("an undetermined asset kept quiet about", "liabilities_root", _folder(
            undecided, edited(undecided.proof().encode(), "header", "undetermined", to=[]))),
        ("totals of less", "totals", _folder(world.with_totals(liabilities={"USDT": "1"}))),
    ]  # fmt: skip


def _attestations_refused(world: Committed) -> list[tuple[str, str, dict[str, str]]]:
    bitcoin, dollars = world.attested
    twice = world.changed({bitcoin: lambda data: data.update(asset="USDT", amount="1")})
    early = world.with_tree(as_of_sequence=dollars - 1)
    reserves = texts(world.made.commitment.totals[RESERVES_TOTAL])

    def attesting(*sequences: int, of: Committed = world) -> dict[str, str]:
        return _folder(of, of.attesting(*sequences).encode())

    refused = [
        ("an attestation twice", attesting(dollars, dollars)),
        ("attestations out of order", attesting(dollars, bitcoin)),
        ("two attestations of one holding", attesting(bitcoin, dollars, of=twice)),
        ("an event that attests nothing", attesting(world.sequence)),
        ("an attestation after the state", attesting(bitcoin, dollars, of=early)),
    ]
    uncounted = [
        ("an attestation left out", attesting(bitcoin)),
        ("no attestation", attesting()),
        ("reserves of another asset among the totals",
         _folder(world.with_totals(reserves={**reserves, "XRP": "0"}))),
    ]  # fmt: skip
    return [
        *((what, "attestations", given) for what, given in refused),
        *((what, "reserves", given) for what, given in uncounted),
    ]


def _entries_refused(world: Committed) -> list[tuple[str, str, dict[str, str]]]:
    proof = world.proof().encode()
    (sequence,) = world.attested
    theirs = committed(ALONE, **DOLLARS, origin=OTHER).proof().attestations

    def at(change: Any) -> dict[str, str]:
        return _folder(world, edited(proof, "attestations", 0, to=change))

    def changed(**change: str) -> dict[str, str]:
        return _folder(world.changed({sequence: lambda data: data.update(change)}))

    refused = [
        (
            "an attestation of another log",
            _folder(world, replace(world.proof(), attestations=theirs).encode()),
        ),
        ("an attestation of another log under this root", _folder(world.naming(sequence, OTHER))),
        ("another amount", at(lambda given: given | {"entry": given["entry"].replace('"25"', '"35"')})),
        ("an entry with white space", at(lambda given: given | {"entry": given["entry"] + " "})),
        ("a path cut off", at(lambda given: given | {"path": given["path"][:-1]})),
        ("a path with a hash more", at(lambda given: given | {"path": [*given["path"], "00" * 32]})),
        ("no path", at(lambda given: given | {"path": []})),
    ]
    uncounted = [
        ("a stale attestation counted", changed(as_of=time(START - timedelta(days=2)))),
        ("an attestation of the future counted", changed(as_of=time(AT + timedelta(days=2)))),
        ("what is encumbered counted", changed(encumbered="2")),
        ("less attested than committed", changed(amount="24")),
    ]
    return [
        *((what, "attestations", given) for what, given in refused),
        *((what, "reserves", given) for what, given in uncounted),
    ]
