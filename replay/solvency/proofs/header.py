"""What a tree of liabilities is about: the header, and the root that binds it to the tree.

    liabilities root = SHA-256(ROOT ‖ length of header ‖ header ‖ root hash ‖ root sums)

The header says of which ledger and state the tree is, in which assets and scales its sums are, how
large it is and how its totals are to be judged (docs/spec/solvency.md §2, §3.3).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, exact, format_exact
from ledger.canonical import encode
from ledger.clock import format_time, parse_time
from ledger.errors import InvalidInputError
from replay.solvency.proofs.errors import ProofFormError
from replay.solvency.proofs.form import amount, ascending, identifier, listed, members, text, whole
from replay.solvency.proofs.leaves import MAXIMUM_PARTS
from replay.solvency.proofs.sum_tree import MAXIMUM_DEPTH, pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ledger.canonical import JsonObject, JsonValue
    from replay.solvency.proofs.sum_tree import Node

ROOT = b"margin-ledger/liabilities/root/1\n"
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset of the tree: sums are integers in units of 10^−scale."""

    asset: str
    scale: int

    @exact()
    def amount(self, units: int) -> Decimal:
        """Return units as an amount."""
        return Decimal(units).scaleb(-self.scale) if units else ZERO

    @exact()
    def units(self, amount: Decimal) -> int:
        """Return an amount in units.

        Raises:
            ProofFormError: it has more digits after the point than the scale.
        """
        shifted = amount.scaleb(self.scale)
        units = int(shifted)
        if units != shifted:
            raise ProofFormError(
                f"{format_exact(amount)} {self.asset} has more than {self.scale} digits after the point"
            )
        return units


@dataclass(frozen=True, slots=True)
class Header:
    """What a tree of liabilities is about.

    Attributes:
        as_of_sequence: the last event of the state.
        assets: all in which something is owed, in ascending order.
        depth: how many siblings lead from a leaf to the root.
        maximum_age_seconds: how old an attestation of reserves may be to count.
        origin: the ledger's.
        parts: how many leaves each customer has.
        projection: the rules by which events became the state,
        projection_version: and their number.
        time: the latest time of what happened at the venue by then.
        undetermined: assets in which some claim is not known, in ascending order.
    """

    as_of_sequence: int
    assets: tuple[Asset, ...]
    depth: int
    maximum_age_seconds: Decimal
    origin: str
    parts: int
    projection: str
    projection_version: int
    time: datetime
    undetermined: tuple[str, ...]

    def value(self) -> JsonObject:
        """Return the header as JSON."""
        return {
            "as_of_sequence": self.as_of_sequence,
            "assets": [{"asset": each.asset, "scale": each.scale} for each in self.assets],
            "depth": self.depth,
            "maximum_age_seconds": format_exact(self.maximum_age_seconds),
            "origin": self.origin,
            "parts": self.parts,
            "projection": self.projection,
            "projection_version": self.projection_version,
            "time": format_time(self.time),
            "undetermined": [*self.undetermined],
        }

    @classmethod
    def parse(cls, value: JsonValue) -> Header:
        """Read a header.

        Raises:
            ProofFormError: not one in its one form.
        """
        given = members(value, tuple(each.name for each in fields(cls)), "the header")
        assets = tuple(_asset(each) for each in listed(given["assets"], "the header's assets"))
        ascending([each.asset for each in assets], "the header's assets")
        undetermined = tuple(identifier(each) for each in listed(given["undetermined"], "undetermined"))
        ascending(undetermined, "undetermined")
        header = cls(
            as_of_sequence=whole(given["as_of_sequence"], "as_of_sequence"),
            assets=assets,
            depth=whole(given["depth"], "depth", most=MAXIMUM_DEPTH),
            maximum_age_seconds=amount(given["maximum_age_seconds"], "maximum_age_seconds"),
            origin=identifier(given["origin"]),
            parts=whole(given["parts"], "parts", least=1, most=MAXIMUM_PARTS),
            projection=identifier(given["projection"]),
            projection_version=whole(given["projection_version"], "projection_version"),
            time=_time(given["time"]),
            undetermined=undetermined,
        )
        if header.maximum_age_seconds < 0 or header.value() != value:
            raise ProofFormError("the header is not written in its one form")
        return header

    def liabilities_root(self, root: Node) -> bytes:
        """Return the root over header and tree, 32 bytes.

        Raises:
            SumOverflowError: a sum of the root is out of range.
        """
        header = encode(self.value())
        length = len(header).to_bytes(_LENGTH_BYTES, "big")
        return hashlib.sha256(ROOT + length + header + root.hash + pack(root.sums)).digest()

    def amounts(self, sums: Sequence[int]) -> dict[str, Decimal]:
        """Return sums in the header's order as amounts by asset."""
        return {each.asset: each.amount(units) for each, units in zip(self.assets, sums, strict=True)}

    def sums(self, amounts: Mapping[str, Decimal]) -> tuple[int, ...]:
        """Return amounts as sums in the header's order; an asset that is not named has none.

        Raises:
            ProofFormError: an asset is not one of the header's, or an amount not one of its asset.
        """
        unknown = sorted(amounts.keys() - {each.asset for each in self.assets})
        if unknown:
            raise ProofFormError(f"{unknown[0]} is not an asset of the header")
        return tuple(each.units(amounts.get(each.asset, ZERO)) for each in self.assets)


def _asset(value: JsonValue) -> Asset:
    given = members(value, ("asset", "scale"), "an asset")
    return Asset(identifier(given["asset"]), whole(given["scale"], "scale", most=MAXIMUM_SCALE))


def _time(value: JsonValue) -> datetime:
    try:
        return parse_time(text(value, "time"))
    except InvalidInputError as error:
        raise ProofFormError(f"time: {error.message}") from None
