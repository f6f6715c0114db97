"""Seconds and memory of a proof of solvency as customers grow, and size and time of one customer's inclusion.

    python -m benchmarks.solvency [--customers 10000,100000,1000000] [--assets 20] [--out FOLDER]

Customers are made up as they are read and never kept, as claims of 20 assets with amounts of up to 12
digits. A proof is what ``replay solvency prove`` does after the replay: claims added up, leaves blinded and
sorted, the tree, and the files, the auditor's part among them. Each number of customers has a process of
its own, so that its peak of memory is its own. The replay itself is measured by ``benchmarks.replay_fold``;
the root over accounts is measured apart, with accounts that hold the same number of assets.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.canonical import leaf_hash
from ledger.chain import Sealer
from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ledger.events.envelope import Draft, prepare
from ledger.merkle import node_hash
from ledger.proof import InclusionProof
from ledger.trust import TrustPolicy
from replay.commitments.folder import (
    COMMITMENT_FILE,
    INCLUSION_FILE,
    PRIVATE_FOLDER,
    PROOF_FILE,
    ProofFolder,
    write_records,
)
from replay.solvency import (
    AccountClaim,
    Blinding,
    Commitment,
    CustomerClaim,
    Header,
    SolvencyProof,
    SubjectHistories,
    check_inclusion_file,
    leaves_of,
    liabilities_of,
    liabilities_tree,
    state_roots,
)
from replay.solvency.proofs.commitment import TOTALS
from replay.state.records import Account, Flow
from replay.state.venue_state import VenueState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.solvency import MadeTree

ORIGIN = "benchmark.example/solvency"
SCALE = 6
LOG_DEPTH = 24  # of a log of sixteen million events, whose other hashes are made up
AS_OF = (1 << LOG_DEPTH) - 2
CHECKS = 200
ACCOUNTS_OF_STATE = 20_000
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Customers:
    """Made-up customers; each has one account."""

    count: int
    assets: int

    def __call__(self) -> Iterator[CustomerClaim]:
        """Yield their claims, the same each time."""
        source = random.Random(1)
        names = [f"TK{number:02}" for number in range(self.assets)]
        amounts = [Decimal(source.randrange(1, 10**12)).scaleb(-SCALE) for _ in range(1009)]
        for number in range(self.count):
            first, name = source.randrange(1009), f"CUSTOMER{number:08}"
            held = {asset: amounts[(first + 37 * place) % 1009] for place, asset in enumerate(names)}
            yield CustomerClaim(name, AccountClaim(name, held, frozenset(), ()))


class Watch:
    """Takes times of stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now


def prove(customers: Customers, folder: Path) -> dict[str, Any]:
    """Make a proof and all its files; return seconds by stage and the peak of memory."""
    watch = Watch()
    for _ in customers():
        pass
    watch("making customers up, once")
    scales = {f"TK{number:02}": SCALE for number in range(customers.assets)}
    liabilities = liabilities_of(customers, scales)
    watch("claims added up")
    blinding = Blinding(bytes(range(32)), origin=ORIGIN, as_of_sequence=AS_OF)
    leaves = leaves_of(liabilities.by_customer.items(), blinding, assets=customers.assets)
    watch("leaves")
    tree = liabilities_tree(leaves, assets=customers.assets)
    watch("tree")
    header = Header(
        AS_OF, liabilities.assets, tree.depth, Decimal(86_400), ORIGIN, 1, "margin-state", 2, AT, ()
    )
    write_records(
        folder / PRIVATE_FOLDER, customers(), cast("MadeTree", SimpleNamespace(leaves=leaves, tree=tree))
    )
    (folder / PROOF_FILE).write_bytes(SolvencyProof(header, tree.root, ()).encode())
    watch("files")
    totals: dict[str, dict[str, Decimal]] = {name: {} for name in TOTALS}
    totals |= {"liabilities": liabilities.totals, "reserves": liabilities.totals}
    commitment = Commitment(
        AS_OF, "margin-state", 2, bytes(32), bytes(32), header.liabilities_root(tree.root), totals
    )
    policy = sign(commitment, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    names = [leaf.customer for leaf in random.Random(2).choices(leaves, k=CHECKS) if leaf.customer]
    making = watch.seconds.pop("making customers up, once")
    return {
        "customers": customers.count,
        "assets": customers.assets,
        "seconds": {name: round(seconds, 2) for name, seconds in watch.seconds.items()},
        "seconds_in_all": round(sum(watch.seconds.values()), 2),
        "of_which_making_customers_up": round(2 * making, 2),
        "peak_bytes": peak,
        **inclusions(folder, names, policy),
    }


def sign(commitment: Commitment, folder: Path) -> TrustPolicy:
    """Seal a commitment at the end of a large log whose other hashes are made up, and sign its head."""
    draft = Draft(data=commitment.payload(), id=UUID(int=1), occurred_at=AT)
    sealer = Sealer(ORIGIN, "benchmark", AT, AS_OF + 1, bytes(32))
    entry, _ = sealer.seal(prepare(draft, UUID(int=1)).event_bytes, bytes(16))
    source = random.Random(3)
    path = tuple(source.randbytes(32) for _ in range(LOG_DEPTH))
    root = leaf_hash(entry)
    for sibling in path:
        root = node_hash(sibling, root)
    keys = tuple(
        SigningKey.of(ORIGIN, private)
        for private in (Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())
    )
    note = sign_checkpoint(Checkpoint(ORIGIN, 1 << LOG_DEPTH, root), keys, AT)
    (folder / COMMITMENT_FILE).write_bytes(entry + b"\n")
    (folder / INCLUSION_FILE).write_bytes(InclusionProof(AS_OF + 1, path, note.encode()).encode())
    return TrustPolicy.of(tuple(key.verifier for key in keys))


def inclusions(folder: Path, names: list[str], policy: TrustPolicy) -> dict[str, Any]:
    """Make and check the files of some customers; return their size and the milliseconds of both."""
    made, checked, sizes = [], [], []
    for name in names:
        begun = time.perf_counter()
        content = ProofFolder(folder).inclusion_of(name).encode()
        made.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        check_inclusion_file(content, policy)
        checked.append(time.perf_counter() - begun)
        sizes.append(len(content))
    return {
        "inclusion_bytes_at_most": max(sizes),
        "inclusion_made_milliseconds_median": round(statistics.median(made) * 1000, 2),
        "inclusion_checked_milliseconds_median": round(statistics.median(checked) * 1000, 2),
        "inclusion_checked_milliseconds_99th": round(sorted(checked)[len(checked) * 99 // 100] * 1000, 2),
    }


def state_root(assets: int) -> dict[str, float]:
    """Return microseconds an account of the state root, of accounts that hold so many assets."""
    state = VenueState(origin=ORIGIN, valuation_currency="USD")
    for each in Customers(ACCOUNTS_OF_STATE, assets)():
        amounts = each.claim.amounts
        flows: dict[tuple[Flow, str], Decimal] = {("deposit", asset): amounts[asset] for asset in amounts}
        state.accounts[each.customer] = Account(each.customer, balances=amounts, flows=flows)
    begun = time.perf_counter()
    state_roots(state, SubjectHistories())
    seconds = time.perf_counter() - begun
    return {"state_root_microseconds_an_account": round(seconds / ACCOUNTS_OF_STATE * 1e6, 1)}


def main() -> None:
    """Print one JSON line for each number of customers, and one for the state root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", default="10000,100000,1000000")
    parser.add_argument("--assets", type=int, default=20)
    parser.add_argument("--out", type=Path, help="where files go (default: a temporary folder)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(each) for each in options.customers.split(",")]
    if options.alone:
        folder = Path(tempfile.mkdtemp(dir=options.out))
        try:
            print(json.dumps(prove(Customers(counts[0], options.assets), folder)))
        finally:
            shutil.rmtree(folder)
        return
    for count in counts:
        words = [sys.executable, "-m", "benchmarks.solvency", "--alone"]
        words += ["--customers", str(count), "--assets", str(options.assets)]
        words += ["--out", str(options.out)] if options.out else []
        subprocess.run(words, check=True)
    print(json.dumps(state_root(options.assets)))


if __name__ == "__main__":
    main()
