"""The auditor's part of a proof: every account's claims, every leaf and every node.

With it the tree can be built again from claims, and who is left out or changed can be named. It is checked
here as it streams by, against the public part (docs/spec/solvency.md §7, §8.2); whether the claims are what
the events come to is asked elsewhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from ledger.amounts import exact, format_exact
from ledger.canonical import decode_canonical
from ledger.errors import InvalidInputError
from replay.solvency.claims import AccountClaim
from replay.solvency.proofs.commitment import DEBT_AGAINST_COLLATERAL, SHORTFALL
from replay.solvency.proofs.errors import ProofFormError, SumOverflowError
from replay.solvency.proofs.form import amounts_of, hexadecimal, identifier, members, text, texts_of, whole
from replay.solvency.proofs.leaves import PADDING_NAME, Leaf, least_power_of_two
from replay.solvency.proofs.liabilities import CustomerClaim, liabilities_of
from replay.solvency.proofs.sum_tree import HASH_BYTES, SUM_BYTES, Node, pack, parent, unpack

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ledger.canonical import JsonValue
    from replay.solvency.proofs.commitment import Commitment
    from replay.solvency.proofs.header import Asset, Header
    from replay.solvency.proofs.liabilities import Liabilities

ACCOUNT_KEYS = ("account", "claims", "customer")
LEAF_KEYS = ("customer", "index", "nonce", "part")
MAXIMUM_PART_NUMBER = (1 << 32) - 1
SPARE_BYTES = 1 << 28
"""So much more than the nodes of its tree the claims of an accounts' file may take in memory."""


class Records(Protocol):
    """The auditor's part; each of its streams can be read again and again."""

    def accounts(self) -> Iterator[bytes]:
        """Yield the lines of ``accounts.ndjson`` without their ends."""

    def leaves(self) -> Iterator[bytes]:
        """Yield the lines of ``leaves.ndjson`` without their ends."""

    def nodes(self, start: int, width: int) -> Iterator[bytes]:
        """Yield nodes of ``nodes.bin``, from one on, each of so many bytes; the last may be shorter."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the auditor's part that does not fit.

    Attributes:
        check: ``accounts``, ``leaves`` or ``nodes``.
        file: in which file.
        expected: what should be there, with the name of the customer or account.
        actual: what is there.
    """

    check: str
    file: str
    expected: str
    actual: str


def account_line(each: CustomerClaim) -> bytes:
    """Return the line of an account."""
    amounts = each.claim.amounts
    # Names and amounts need no escapes, so a line can be put together without a JSON encoder.
    claims = [f'"{asset}":"{format_exact(amounts[asset])}"' for asset in sorted(amounts) if amounts[asset]]
    line = (
        f'{{"account":"{each.claim.account}","claims":{{{",".join(claims)}}},"customer":"{each.customer}"}}'
    )
    return line.encode()


def leaf_line(index: int, leaf: Leaf) -> bytes:
    """Return the line of a leaf."""
    place = f'"index":{index},"nonce":"{leaf.nonce.hex()}","part":{leaf.part}'
    return f'{{"customer":"{leaf.customer}",{place}}}'.encode()


def read_account_line(line: bytes) -> CustomerClaim:
    """Read the line of an account.

    Raises:
        ProofFormError: it is none in its one form.
    """
    given = members(_decoded(line), ACCOUNT_KEYS, "an account's line")
    amounts = amounts_of(given["claims"], "claims")
    if not all(amounts.values()):
        raise ProofFormError("a claim of zero is written down")
    claim = AccountClaim(identifier(given["account"]), amounts, frozenset(), ())
    return CustomerClaim(identifier(given["customer"]), claim)


def read_accounts(records: Records) -> Iterator[CustomerClaim]:
    """Yield the accounts, which have to stand in ascending order.

    Raises:
        ProofFormError: a line is not in its one form, or out of order; names the line.
    """
    before = b""
    for number, line in enumerate(records.accounts(), start=1):
        with _in_line("accounts.ndjson", number):
            found = read_account_line(line)
        name = found.claim.account.encode()
        if name <= before:
            raise ProofFormError(f"accounts.ndjson, line {number}: {found.claim.account} stands out of order")
        before = name
        yield found


class _UnlikeHeaderError(Exception):
    """Accounts of which no tree of this header can be."""


@exact()
def check_records(
    header: Header, root: Node, commitment: Commitment, records: Records, *, made: set[str] | None = None
) -> Iterator[Difference]:
    """Yield what does not fit between the auditor's part and the public one.

    What is kept in memory hangs on the size of the nodes' file, and not on what the header says.

    Args:
        header: of the public part,
        root: and its root.
        commitment: what was committed.
        records: the auditor's part.
        made: takes the name of each check that came to its end; another one was cut short by what it found.

    Raises:
        ProofFormError: a file is not in its one form.
    """
    made = set() if made is None else made
    width, count = HASH_BYTES + SUM_BYTES * len(header.assets), (2 << header.depth) - 1
    if len(next(records.nodes(count - 1, width), b"")) != width:
        yield _nodes(f"{count} nodes of {width} bytes", "fewer")
        return
    try:
        scales = {each.asset: each.scale for each in header.assets}
        found = liabilities_of(lambda: _under(header, read_accounts(records)), scales)
    except (SumOverflowError, _UnlikeHeaderError) as error:
        expected = (
            "sums below 2^127" if isinstance(error, SumOverflowError) else "accounts that the tree holds"
        )
        yield Difference("accounts", "accounts.ndjson", expected, str(error))
    else:
        yield from _check_totals(header, commitment, found)
        made.add("accounts")
        if found.assets == header.assets and (yield from _check_leaves(header, records, found)):
            made.add("leaves")
    if (yield from _check_nodes(header, root, records)):
        made.add("nodes")


def _under(header: Header, claims: Iterator[CustomerClaim]) -> Iterator[CustomerClaim]:
    """Yield claims while they can be those of a tree of this header."""
    assets = {each.asset for each in header.assets}
    width = HASH_BYTES + SUM_BYTES * len(header.assets)
    room = (2 << header.depth) + SPARE_BYTES // width  # who has no leaf shall be named, if not without end
    customers: set[str] = set()
    for each in claims:
        customers.add(each.customer)
        if len(customers) > room:
            raise _UnlikeHeaderError(f"more than {len(customers) - 1} customers")
        unknown = next(
            (name for name, owed in each.claim.amounts.items() if owed > 0 and name not in assets), ""
        )
        if unknown:
            raise _UnlikeHeaderError(f"account {each.claim.account}, who is owed {unknown}")
        yield each


def asset_words(assets: Iterable[Asset]) -> str:
    """Return assets with their scales in words."""
    return ", ".join(f"{each.asset} of scale {each.scale}" for each in assets) or "no asset"


def _check_totals(header: Header, commitment: Commitment, found: Liabilities) -> Iterator[Difference]:
    if found.assets != header.assets:
        expected, actual = asset_words(header.assets), asset_words(found.assets)
        yield Difference("accounts", "accounts.ndjson", expected, actual)
    for name, amounts in (
        (SHORTFALL, found.shortfall),
        (DEBT_AGAINST_COLLATERAL, found.debt_against_collateral),
    ):
        if amounts != commitment.totals[name]:
            yield Difference(
                "accounts",
                "accounts.ndjson",
                f"{name} {texts_of(commitment.totals[name])}",
                texts_of(amounts),
            )


def _check_leaves(header: Header, records: Records, found: Liabilities) -> Generator[Difference, None, bool]:
    """Hold every leaf to its node, and every customer's leaves to the claims of the customer's accounts.

    Returns:
        Whether all of them were read.
    """
    width = HASH_BYTES + SUM_BYTES * len(header.assets)
    size, count, padding, before = 1 << header.depth, 0, 0, b""
    shown = _Shown(header, found)
    nodes = records.nodes(0, width)
    for line in records.leaves():
        if count == size:
            yield _leaves(f"{size} leaves", "more")
            return False
        with _in_line("leaves.ndjson", count + 1):
            index, customer, part, nonce = read_leaf_line(line)
            whole(index, "index", least=count, most=count)
        node = next(nodes)
        leaf = Leaf(customer, part, nonce, node[HASH_BYTES:])
        whose = f"leaf {count} of {customer or 'padding'}"
        if leaf.hash != node[:HASH_BYTES]:
            yield _leaves(f"{whose}: hash {node[:HASH_BYTES].hex()}", leaf.hash.hex())
        if leaf.hash <= before:
            yield _leaves("leaves in the order of their hashes", whose)
        if customer == PADDING_NAME:
            if any(leaf.packed) or part >= size:
                yield _leaves("padding that owes nothing", whose)
            padding += 1
        elif not shown.add(leaf):
            yield _leaves("each part of each customer of accounts.ndjson, once", f"{whose}, part {part}")
        count, before = count + 1, leaf.hash
    if count != size or least_power_of_two(size - padding) != size:
        yield _leaves(f"{size} leaves, with the least padding", f"{count} leaves, {padding} of them padding")
    yield from shown.differences()
    return True


class _Shown:
    """What leaves show of each customer, against the claims of the customer's accounts."""

    def __init__(self, header: Header, found: Liabilities) -> None:
        self._header = header
        self._found = found
        self._width = SUM_BYTES * len(header.assets)
        self._sums = dict.fromkeys(found.by_customer, 0)
        self._parts = dict.fromkeys(found.by_customer, 0)

    def add(self, leaf: Leaf) -> bool:
        """Take a leaf; tell whether the customer is known, and the part one that had not come yet."""
        parts = self._parts.get(leaf.customer)
        if parts is None or leaf.part >= self._header.parts or parts >> leaf.part & 1:
            return False
        self._parts[leaf.customer] = parts | 1 << leaf.part
        # Parts whose sums together are out of range are no parts of a claim: every claim is in range.
        before = unpack(self._sums[leaf.customer].to_bytes(self._width, "big"))
        try:
            together = pack(mine + more for mine, more in zip(before, leaf.sums, strict=True))
        except SumOverflowError:
            return False
        self._sums[leaf.customer] = int.from_bytes(together, "big")
        return True

    def differences(self) -> Iterator[Difference]:
        """Yield every customer of whom leaves show something else than the accounts."""
        for name, packed in self._found.by_customer.items():
            shown = self._sums[name].to_bytes(self._width, "big")
            if self._parts[name] != (1 << self._header.parts) - 1:
                actual = f"{self._parts[name].bit_count()} of {self._header.parts} leaves"
            elif shown != packed:
                actual = f"leaves of {texts_of(self._header.amounts(unpack(shown)))}"
            else:
                continue
            owed = texts_of(self._found.owed(name))
            yield _leaves(f"customer {name}: {owed}, the claims of the customer's accounts", actual)


def _check_nodes(header: Header, root: Node, records: Records) -> Generator[Difference, None, bool]:
    """Compute every node of the tree from its children, level by level.

    Returns:
        Whether all of them were.
    """
    width = HASH_BYTES + SUM_BYTES * len(header.assets)
    start, size = 0, 1 << header.depth
    while size > 1:
        children, above = records.nodes(start, width), records.nodes(start + size, width)
        for place in range(size // 2):
            left, right, found = next(children), next(children), next(above)
            try:
                expected = parent(_node(left), _node(right))
            except SumOverflowError as error:
                yield _nodes("sums below 2^127", error.message)
                return False
            if expected != _node(found):
                level = header.depth - size.bit_length() + 2
                yield _nodes(f"node {place} of level {level} above its children", "another")
                return False
        start, size = start + size, size // 2
    last = [*islice(records.nodes(start, width), 2)]
    if [_node(each) for each in last] != [root]:
        yield _nodes("the root of proof.json as the last node", "another")
    return True


def _node(content: bytes) -> Node:
    return Node(content[:HASH_BYTES], unpack(content[HASH_BYTES:]))


def _leaves(expected: str, actual: str) -> Difference:
    return Difference("leaves", "leaves.ndjson", expected, actual)


def _nodes(expected: str, actual: str) -> Difference:
    return Difference("nodes", "nodes.bin", expected, actual)


def read_leaf_line(line: bytes) -> tuple[int, str, int, bytes]:
    """Return place, customer, part and nonce of the line of a leaf.

    Raises:
        ProofFormError: it is none in its one form.
    """
    given = members(_decoded(line), LEAF_KEYS, "a leaf's line")
    customer = text(given["customer"], "customer")
    if customer != PADDING_NAME:
        identifier(customer)
    part = whole(given["part"], "part", most=MAXIMUM_PART_NUMBER)
    return whole(given["index"], "index"), customer, part, hexadecimal(given["nonce"], "nonce")


@contextmanager
def _in_line(file: str, number: int) -> Iterator[None]:
    try:
        yield
    except ProofFormError as error:
        raise ProofFormError(f"{file}, line {number}: {error.problem}") from None


def _decoded(line: bytes) -> JsonValue:
    try:
        return decode_canonical(line)
    except InvalidInputError as error:
        raise ProofFormError(error.message) from None
