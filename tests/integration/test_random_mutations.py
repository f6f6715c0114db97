"""Ten thousand random changes to what a log gives away: none is believed, none is a crash.

What may change without anyone noticing is what nobody signs: lines of signatures by keys that the
verifier does not trust, the order and the repetition of lines, and the extra data of an inclusion proof.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import leaf_hash
from ledger.chain import ChainVerifier
from ledger.errors import LedgerError
from ledger.note import Note
from ledger.proof import ConsistencyProof, InclusionProof, check_consistency, check_inclusion
from ledger.timestamp import verify_token
from ledger.trust import TrustPolicy, stamped_bytes, trust_checkpoint
from ledger.verify.tiles import verify_tiles
from tests.support.chains import chain_of
from tests.support.evidence import LOG_KEYS, POLICY, Evidence, Stamping, give_away, write_tiles
from tests.support.fuzzing import mutate
from tests.support.keys import ORIGIN, log_key
from tests.support.tokens import region_at, token_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Believed = Callable[[bytes], bool]
    Regions = dict[str, range]

SEED = 20260312
STRANGER = log_key("stranger.example/log")
TRUSTED = (*POLICY.log_keys, *POLICY.witness_keys)


@dataclass(frozen=True)
class Target:
    """Something that is given away.

    Attributes:
        data: its bytes.
        regions: names of its parts, the smallest first.
        is_believed: whether a verifier believes other bytes in its place.
        says_the_same: whether other bytes that are believed differ only in what nobody signs.
        times: how many changes to try.
    """

    data: bytes
    regions: Regions
    is_believed: Believed
    says_the_same: Believed
    times: int


# What is signed


def signed_part(note: bytes) -> tuple[str, frozenset[object]]:
    """The text, and the lines that claim to be by trusted keys."""
    parsed = Note.parse(note)
    return parsed.text, frozenset(
        line for line in parsed.signatures if any(line.is_by(key) for key in TRUSTED)
    )


def note_says_the_same(original: bytes) -> Believed:
    text, lines = signed_part(original)

    def same(changed: bytes) -> bool:
        found = signed_part(changed)
        return found[0] == text and found[1] <= lines

    return same


def inclusion_says_the_same(original: bytes) -> Believed:
    wanted = InclusionProof.parse(original)
    note = note_says_the_same(wanted.checkpoint)

    def same(changed: bytes) -> bool:
        found = InclusionProof.parse(changed)
        return (found.index, found.hashes) == (wanted.index, wanted.hashes) and note(found.checkpoint)

    return same


def consistency_says_the_same(original: bytes) -> Believed:
    wanted = ConsistencyProof.parse(original)
    note = note_says_the_same(wanted.checkpoint)

    def same(changed: bytes) -> bool:
        found = ConsistencyProof.parse(changed)
        return (found.old_size, found.hashes) == (wanted.old_size, wanted.hashes) and note(found.checkpoint)

    return same


# Regions


def line_regions(data: bytes, names: Iterable[str]) -> Regions:
    found: Regions = {}
    place = 0
    for line, name in zip(data.split(b"\n"), names, strict=False):
        before = found.get(name, range(place, place))
        found[name] = range(before.start, place + len(line) + 1)
        place += len(line) + 1
    return found


NOTE_LINES = ("origin", "size", "root", "empty line", "Ed25519", "ML-DSA-44", "cosignature", "a stranger's")
MANY = ("hashes",) * 4


def entry_regions(bundle: bytes) -> Regions:
    found: Regions = {}
    place = number = 0
    while place < len(bundle):
        length = int.from_bytes(bundle[place : place + 2], "big")
        found[f"length {number}"] = range(place, place + 2)
        found[f"entry {number}"] = range(place + 2, place + 2 + length)
        place, number = place + 2 + length, number + 1
    return found


# Targets


def refused(check: Callable[[], object]) -> bool:
    """Whether a check raises one of our errors; anything else that it raises is a crash."""
    try:
        check()
    except LedgerError:
        return True
    return False


@pytest.fixture(scope="module")
def small() -> Evidence:
    return give_away(chain_of(12), old_size=5, index=7, extra=b"remark", more=(STRANGER,))


@pytest.fixture(scope="module")
def targets(small: Evidence, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    folder = tmp_path_factory.mktemp("mutations")
    large = give_away(chain_of(300), old_size=256, index=7)
    stamping = Stamping.make(folder / "authority")
    return {
        **of_notes(small),
        **of_tiles(write_tiles(folder / "hashes", large, entries=False), ["tile/0/000", "tile/0/001.p/44"]),
        **of_tiles(write_tiles(folder / "upper", large, entries=False), ["tile/1/000.p/1"]),
        **of_tiles(write_tiles(folder / "entries", small, entries=True), ["tile/entries/000.p/12"]),
        "JSON lines": of_lines(small),
        "token": of_token(small, stamping),
    }


def of_notes(small: Evidence) -> dict[str, Target]:
    old = trust_checkpoint(small.old_note, TrustPolicy.of((LOG_KEYS[0].verifier,)))
    return {
        "checkpoint": Target(
            small.note,
            line_regions(small.note, NOTE_LINES),
            lambda data: not refused(lambda: trust_checkpoint(data, POLICY)),
            note_says_the_same(small.note),
            2_500,
        ),
        "inclusion proof": Target(
            small.inclusion,
            line_regions(small.inclusion, ("header", "extra", "index", *MANY, "empty line", *NOTE_LINES)),
            lambda data: not refused(lambda: check_inclusion(data, small.entry, POLICY)),
            inclusion_says_the_same(small.inclusion),
            2_000,
        ),
        "consistency proof": Target(
            small.consistency,
            line_regions(small.consistency, ("old", *MANY, "hashes", "empty line", *NOTE_LINES)),
            lambda data: not refused(lambda: check_consistency(data, old, POLICY)),
            consistency_says_the_same(small.consistency),
            1_500,
        ),
    }


def of_tiles(folder: Path, names: list[str]) -> dict[str, Target]:
    return {name: of_file(folder, name) for name in names}


def of_file(folder: Path, name: str) -> Target:
    path = folder / name
    original = path.read_bytes()
    size = len(original)
    hashes = {"first hash": range(32), "last hash": range(size - 32, size), "hashes between": range(size)}

    def is_believed(data: bytes) -> bool:
        path.write_bytes(data)
        try:
            return verify_tiles(folder, POLICY).ok
        finally:
            path.write_bytes(original)

    regions = entry_regions(original) if "entries" in name else hashes
    return Target(original, regions, is_believed, lambda data: data == original, 400)


def of_lines(small: Evidence) -> Target:
    original = b"".join(line + b"\n" for line in small.lines)

    def lines(data: bytes) -> list[bytes]:
        return data.removesuffix(b"\n").split(b"\n")

    def is_believed(data: bytes) -> bool:
        chain = ChainVerifier(ORIGIN)
        failures = [each for row in enumerate(lines(data)) for each in chain.take(*row)[0]]
        return not failures + chain.finish(leaf_hash(small.lines[-1]))

    names = [f"event {number}" for number in range(len(small.lines))]
    return Target(
        original,
        line_regions(original, names),
        is_believed,
        lambda data: lines(data) == list(small.lines),
        1_400,
    )


def of_token(small: Evidence, stamping: Stamping) -> Target:
    token, note = stamping.token(small.note), Note.parse(small.note)
    message = stamped_bytes(note, trust_checkpoint(small.note, POLICY).checkpoint)
    return Target(
        token,
        token_regions(token),
        lambda data: not refused(lambda: verify_token(data, message, stamping.roots)),
        lambda data: data == token,
        1_000,
    )


def test_ten_thousand_random_changes_are_refused_or_say_the_same(targets: dict[str, Target]) -> None:
    chance = random.Random(SEED)
    tried, equal, unsigned = Counter[str](), Counter[str](), Counter[str]()
    believed, crashed = Counter[str](), Counter[str]()
    for name, target in targets.items():
        assert target.is_believed(target.data), f"{name} is not believed as it is"
        for _ in range(target.times):
            mutation = mutate(chance, target.data, chance.choice(list(target.regions.values())))
            row = f"{name:22} {mutation.kind:18} {region_at(mutation.place, target.regions)}"
            tried[row] += 1
            if mutation.data == target.data:
                equal[row] += 1
                continue
            try:
                if target.is_believed(mutation.data):
                    (unsigned if target.says_the_same(mutation.data) else believed)[row] += 1
            except Exception as error:  # noqa: BLE001 (whatever it is, it is counted)
                crashed[f"{row}: {error!r}"] += 1
    table = [f"{'tried':>6} {'equal':>5} {'unsigned':>8} {'believed':>8}  what"]
    table += [
        f"{tried[row]:6} {equal[row]:5} {unsigned[row]:8} {believed[row]:8}  {row}" for row in sorted(tried)
    ]
    sums = [each.total() for each in (tried, equal, unsigned, believed, crashed)]
    words = "\n".join([*table, f"sums of tried, equal, unsigned, believed, crashed: {sums}", f"{crashed}"])
    assert (tried.total(), believed.total(), crashed.total()) == (10_000, 0, 0), words
    assert {row[:22].strip() for row in tried} == set(targets), words
    # Only where lines of strangers and extra data can stand is there something that nobody signs;
    # of JSON lines it is the last line end.
    with_unsigned_parts = {"checkpoint", "inclusion proof", "consistency proof", "JSON lines"}
    assert {row[:22].strip() for row in unsigned} <= with_unsigned_parts, words
    assert unsigned.total() < tried.total() / 5, words
