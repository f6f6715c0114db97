"""The file with which customers check their own leaf, offline (docs/spec/solvency.md §6, §8.1).

It holds all that the check needs but the key of the log: the leaves, their paths to the root, the header, the
commitment's entry and its inclusion proof with the signed checkpoint. Bytes in, verdict out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.amounts import ZERO, exact, format_exact
from ledger.canonical import encode
from ledger.errors import EvidenceRefusedError
from ledger.note import NoteFormError, decode_base64
from ledger.proof import check_inclusion
from replay.solvency.proofs.commitment import check_header, check_liabilities, read_commitment
from replay.solvency.proofs.errors import ProofFormError, SumOverflowError
from replay.solvency.proofs.form import (
    amounts_of,
    canonical_file,
    hexadecimal,
    identifier,
    listed,
    members,
    text,
    whole,
)
from replay.solvency.proofs.header import Header
from replay.solvency.proofs.leaves import Leaf
from replay.solvency.proofs.sum_tree import HASH_BYTES, SUM_BYTES, Node, pack, root_from_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from ledger.canonical import JsonObject, JsonValue
    from ledger.proof import InclusionVerdict
    from ledger.trust import TrustPolicy
    from replay.solvency.proofs.commitment import Commitment

INCLUSION_FORMAT = "margin-ledger/inclusion/1"
LARGEST_INCLUSION_BYTES = 1_000_000
_KEYS = ("commitment", "commitment_proof", "customer", "format", "header", "leaves")
_LONGEST_CODE = 15
_LEAF_KEYS = ("index", "nonce", "part", "path", "sums")


@dataclass(frozen=True, slots=True)
class PlacedLeaf:
    """A leaf with its place and the siblings that lead from it to the root, lowest first."""

    index: int
    leaf: Leaf
    siblings: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a customer is given.

    Attributes:
        customer: the name.
        header: what the tree is about.
        leaves: one for each part of the customer's claims, in their order.
        commitment: the commitment's entry.
        commitment_proof: its inclusion proof, as a ``.tlog-proof`` file.
    """

    customer: str
    header: Header
    leaves: tuple[PlacedLeaf, ...]
    commitment: bytes
    commitment_proof: bytes

    def encode(self) -> bytes:
        """Return the file."""
        value: JsonObject = {
            "commitment": self.commitment.decode(),
            "commitment_proof": self.commitment_proof.decode(),
            "customer": self.customer,
            "format": INCLUSION_FORMAT,
            "header": self.header.value(),
            "leaves": [self._leaf_value(each) for each in self.leaves],
        }
        return encode(value) + b"\n"

    def _leaf_value(self, placed: PlacedLeaf) -> JsonObject:
        amounts = self.header.amounts(placed.leaf.sums)
        return {
            "index": placed.index,
            "nonce": placed.leaf.nonce.hex(),
            "part": placed.leaf.part,
            "path": base64.b64encode(encode_path(placed.siblings)).decode(),
            "sums": {asset: format_exact(amount) for asset, amount in amounts.items() if amount},
        }

    @classmethod
    def parse(cls, data: bytes) -> Inclusion:
        """Read a file without believing it.

        Raises:
            ProofFormError: it is not one in its one form.
        """
        if len(data) > LARGEST_INCLUSION_BYTES:
            raise ProofFormError(f"a file of {len(data)} bytes; {LARGEST_INCLUSION_BYTES} are read at most")
        given = members(canonical_file(data, "the inclusion file"), _KEYS, "the inclusion file")
        if given["format"] != INCLUSION_FORMAT:
            raise ProofFormError(f"the format is not {INCLUSION_FORMAT}")
        header, customer = Header.parse(given["header"]), identifier(given["customer"])
        leaves = tuple(
            _placed(each, part, customer, header)
            for part, each in enumerate(listed(given["leaves"], "the leaves"))
        )
        if len(leaves) != header.parts or len({each.index for each in leaves}) != len(leaves):
            raise ProofFormError(f"there are not {header.parts} leaves, each at a place of its own")
        return cls(
            customer,
            header,
            leaves,
            text(given["commitment"], "the commitment").encode(),
            text(given["commitment_proof"], "the commitment's proof").encode(),
        )

    @exact()
    def owed(self) -> dict[str, Decimal]:
        """Return what the leaves say together, by asset, without what is zero."""
        total: dict[str, Decimal] = {}
        for each in self.leaves:
            for asset, amount in self.header.amounts(each.leaf.sums).items():
                if amount:
                    total[asset] = total.get(asset, ZERO) + amount
        return total


@dataclass(frozen=True, slots=True)
class CheckedInclusion:
    """What a checked file shows.

    Attributes:
        inclusion: the file.
        commitment: what was committed.
        in_log: where the commitment stands, and the trusted checkpoint above it.
    """

    inclusion: Inclusion
    commitment: Commitment
    in_log: InclusionVerdict


@dataclass(frozen=True, slots=True)
class Expected:
    """What the person who checks expects beyond valid evidence; None where nothing.

    Attributes:
        customer: whose file it is.
        not_before_sequence: the state takes in this event at least.
        not_before_time: the state's time is not earlier.
    """

    customer: str | None = None
    not_before_sequence: int | None = None
    not_before_time: datetime | None = None

    @property
    def limits_age(self) -> bool:
        """Whether an old state is refused."""
        return self.not_before_sequence is not None or self.not_before_time is not None

    def check(self, header: Header, customer: str | None = None) -> None:
        """Refuse what is not expected.

        Raises:
            EvidenceRefusedError: ``customer`` or ``age``.
        """
        if self.customer is not None and customer is not None and customer != self.customer:
            raise EvidenceRefusedError("customer", self.customer, customer)
        if self.not_before_sequence is not None and header.as_of_sequence < self.not_before_sequence:
            raise EvidenceRefusedError(
                "age",
                f"a state as of sequence {self.not_before_sequence} or later",
                f"one as of sequence {header.as_of_sequence}",
            )
        if self.not_before_time is not None and header.time < self.not_before_time:
            raise EvidenceRefusedError(
                "age", f"a state of {self.not_before_time.isoformat()} or later", header.time.isoformat()
            )


NOTHING_EXPECTED = Expected()


def check_inclusion_file(
    data: bytes,
    policy: TrustPolicy,
    expected: Expected = NOTHING_EXPECTED,
    *,
    stamped_at: datetime | None = None,
) -> CheckedInclusion:
    """Tie leaf, tree, commitment, checkpoint and the trusted keys together.

    Args:
        data: the file.
        policy: whom the caller trusts.
        expected: what else the caller expects.
        stamped_at: see :func:`ledger.trust.trust_checkpoint`.

    Raises:
        EvidenceRefusedError: names the check that fails: ``form``, those of
            :func:`ledger.proof.check_inclusion`, ``commitment``, ``header``, ``sum``, ``liabilities_root``,
            ``totals``, ``customer`` or ``age``.
    """
    inclusion = Inclusion.parse(data)
    in_log = check_inclusion(inclusion.commitment_proof, inclusion.commitment, policy, stamped_at=stamped_at)
    _, commitment = read_commitment(inclusion.commitment)
    check_header(inclusion.header, commitment, policy.origin)
    try:
        roots = {root_from_path(each.leaf.node, each.index, each.siblings) for each in inclusion.leaves}
    except SumOverflowError as error:
        raise EvidenceRefusedError("sum", "sums below 2^127", error.message) from None
    if len(roots) != 1:
        raise EvidenceRefusedError("liabilities_root", "parts under one root", f"{len(roots)} roots")
    check_liabilities(inclusion.header, roots.pop(), commitment)
    expected.check(inclusion.header, inclusion.customer)
    return CheckedInclusion(inclusion, commitment, in_log)


def encode_path(siblings: Sequence[Node]) -> bytes:
    """Return siblings as bytes: each its hash, the lengths of its sums at four bits each, and the sums.

    Sums have no leading zeros. Length 15 stands for 16 bytes, which a sum takes that needs more than 14.
    """
    parts = []
    for node in siblings:
        codes = [min((amount.bit_length() + 7) // 8, _LONGEST_CODE) for amount in node.sums]
        padded = [*codes, 0] if len(codes) % 2 else codes
        parts += [
            node.hash,
            bytes(high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True)),
        ]
        parts += [amount.to_bytes(_size(code), "big") for amount, code in zip(node.sums, codes, strict=True)]
    return b"".join(parts)


def decode_path(data: bytes, *, depth: int, assets: int) -> tuple[Node, ...]:
    """Read the siblings of :func:`encode_path`.

    Raises:
        ProofFormError: they are not so many, or not in their one form.
    """
    nodes, place, lengths = [], 0, (assets + 1) // 2
    for _ in range(depth):
        digest = data[place : place + HASH_BYTES]
        codes = [code for byte in data[place + HASH_BYTES :][:lengths] for code in (byte >> 4, byte & 15)]
        place += HASH_BYTES + lengths
        sums = []
        for code in codes[:assets]:
            sums.append(int.from_bytes(data[place : place + _size(code)], "big"))
            place += _size(code)
        nodes.append(Node(digest, tuple(sums)))
    if place != len(data) or encode_path(nodes) != data:
        raise ProofFormError(f"a path is not {depth} siblings in their one form")
    return tuple(nodes)


def _size(code: int) -> int:
    return SUM_BYTES if code == _LONGEST_CODE else code


def _placed(value: JsonValue, part: int, customer: str, header: Header) -> PlacedLeaf:
    given = members(value, _LEAF_KEYS, "a leaf")
    if whole(given["part"], "part") != part:
        raise ProofFormError("the leaves do not stand in the order of their parts")
    index = whole(given["index"], "index", most=(1 << header.depth) - 1)
    try:
        path = decode_base64(path_text, "path") if (path_text := text(given["path"], "path")) else b""
    except NoteFormError as error:
        raise ProofFormError(error.message) from None
    siblings = decode_path(path, depth=header.depth, assets=len(header.assets))
    return PlacedLeaf(index, _leaf(given, part, customer, header), siblings)


def _leaf(given: Mapping[str, JsonValue], part: int, customer: str, header: Header) -> Leaf:
    amounts = amounts_of(given["sums"], "sums")
    if any(amount <= 0 for amount in amounts.values()):
        raise ProofFormError("an amount of a leaf is not above zero")
    try:
        packed = pack(header.sums(amounts))
    except SumOverflowError as error:
        raise EvidenceRefusedError("sum", "sums below 2^127", error.message) from None
    return Leaf(customer, part, hexadecimal(given["nonce"], "nonce"), packed)
