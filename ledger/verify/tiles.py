"""Verifying a log by its tiles alone: ours, or any that another implementation of tlog-tiles wrote.

Every hash of level 0 is read once, in constant memory; nodes, root and entries are derived from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.canonical import leaf_hash
from ledger.chain import ChainVerifier, link_of
from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.growth import GivenCheckpoint, GrowthChecker
from ledger.merkle import MerkleFrontier
from ledger.outside.tiles import CHECKPOINT_FILE, TileFolder
from ledger.progress import SILENT, Progress
from ledger.report import FolderReport, printable
from ledger.tiles import TILE_WIDTH, NodeBuilder, Tile, hashes_of, tiles_of
from ledger.trust import TrustedCheckpoint, TrustPolicy, trust_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

_OF_THE_CHECKPOINT = ("checkpoint", "origin", "signature", "witnesses", "compromise")
"""In the order in which they are made (ledger.trust)."""


@dataclass(slots=True)
class TilesReport(FolderReport):
    """The verdict on a folder of tiles; document ``ledger.verify-tiles/1``.

    Attributes:
        trusted: the folder's checkpoint, where it stands up to the policy.
        tiles: files of hashes that were read.
        entries: entries that were read; None where the log published none.
        is_margin_ledger: whether the entries are a chain of canonical events.
        first_entry_missing: whether that cannot be told, since the first bundle of entries is not there.
    """

    schema = "ledger.verify-tiles/1"

    trusted: TrustedCheckpoint | None = None
    tiles: int = 0
    entries: int | None = None
    is_margin_ledger: bool = False
    first_entry_missing: bool = False

    def document(self) -> dict[str, Any]:
        """Return the verdict as a JSON document."""
        trusted = self.trusted
        document = {
            **FolderReport.document(self),
            "tiles": self.tiles,
            "entries": self.entries,
            "entries_are": None if self.entries is None else "events" if self.is_margin_ledger else "opaque",
            "tree_size": None if trusted is None else trusted.checkpoint.size,
            "signed_by": [] if trusted is None else [str(each.key) for each in trusted.log_signatures],
            "witnesses": [] if trusted is None else list(trusted.witnesses),
        }
        if not self.is_margin_ledger:
            document["head"] = None
        return document


def verify_tiles(
    directory: Path,
    policy: TrustPolicy,
    *,
    stamped_at: Callable[[bytes], datetime | None] = lambda _: None,
    checkpoints: Sequence[GivenCheckpoint] = (),
    progress: Progress = SILENT,
) -> TilesReport:
    """Check a folder of tiles without a database: signatures, every tile, and entries where there are any.

    Entries that begin with a canonical event are held to the chain of a margin ledger, others to their
    hashes alone.

    Args:
        directory: holds ``checkpoint`` and ``tile/…``.
        policy: whom the caller trusts.
        stamped_at: verifies a timestamp over the checkpoint's bytes, if there is one, and returns its time;
            it is handed the very bytes that are verified.
        checkpoints: older or newer checkpoints that the caller brings along.
        progress: told one step a tile of level 0.

    Raises:
        NotFoundError: there is no such folder, or no checkpoint in it.
    """
    folder = TileFolder(directory)
    data = folder.checkpoint() if directory.is_dir() else None
    if data is None:
        raise NotFoundError(
            f"there is no file {directory / CHECKPOINT_FILE}",
            next_step="give the folder that ledger checkpoint --tiles wrote",
        )
    report = TilesReport(directory)
    not_asked = {"witnesses": not policy.required_witnesses, "compromise": policy.compromised_at is None}
    asked = [name for name in _OF_THE_CHECKPOINT if not not_asked.get(name)]
    try:
        report.trusted = trust_checkpoint(data, policy, stamped_at=stamped_at(data))
        report.checks |= dict.fromkeys(asked, True)
    except EvidenceRefusedError as error:
        made = asked[: asked.index(error.check)] if error.check in asked else []
        report.checks |= dict.fromkeys(made, True)
        report.fail(error.check, error.expected, error.actual, file=CHECKPOINT_FILE)
        report.not_checked.append("the tiles: the checkpoint over them is not to be trusted")
        return report
    _TileReader(folder, report, report.trusted, GrowthChecker(checkpoints), progress).run()
    if checkpoints and "root" in report.checks:  # every leaf was read
        report.checks.setdefault("trusted_checkpoint", True)
    report.not_checked += _not_checked(report, policy)
    return report


@dataclass(slots=True)
class _TileReader:
    """One pass over the leaves."""

    folder: TileFolder
    report: TilesReport
    trusted: TrustedCheckpoint
    growth: GrowthChecker
    progress: Progress
    frontier: MerkleFrontier = field(default_factory=MerkleFrontier)
    nodes: NodeBuilder = field(default_factory=NodeBuilder)
    upper: dict[int, tuple[Tile, list[bytes]]] = field(default_factory=dict)  # per level the newest tile
    chain: ChainVerifier | None = None
    follows: bool = True  # whether no bundle of entries was missing so far

    def run(self) -> None:
        checkpoint, report = self.trusted.checkpoint, self.report
        report.origin = checkpoint.origin
        self.progress.start(-(-checkpoint.size // TILE_WIDTH), "verifying tiles")
        tiles = (tile for tile in tiles_of(checkpoint.size) if tile.level == 0)
        complete = all(self._leaves(tile) for tile in tiles)
        self.progress.finish()
        report.events, report.root_hash = self.frontier.size, self.frontier.root()
        if checkpoint.size == 0:
            report.add(self.growth.check(self.frontier, checkpoint.origin), CHECKPOINT_FILE)
        if complete:
            report.checks["root"] = True
            if report.root_hash != checkpoint.root_hash:
                report.fail("root", checkpoint.root_hash.hex(), report.root_hash.hex(), file=CHECKPOINT_FILE)
            report.add(self.growth.finish(checkpoint.size), CHECKPOINT_FILE)
        if self.chain is not None:
            report.is_margin_ledger = True
            report.head_sequence, report.head_hash = self.chain.events - 1, self.chain.head
            report.add(self.chain.finish(), "tile/entries")

    def _leaves(self, tile: Tile) -> bool:
        """Take a tile of level 0; False where it cannot be read, so that what follows has no place."""
        try:
            hashes = hashes_of(self.folder.read(tile))
        except EvidenceRefusedError as error:
            self._refused(error, tile.first)
            return False
        self.report.tiles += 1
        self.report.checks.setdefault("tile", True)
        entries = self._entries(tile)
        for place, leaf in enumerate(hashes):
            sequence = tile.first + place
            if entries is not None:
                self._entry(tile, sequence, entries[place], leaf)
            self.frontier.append(leaf)
            for level, index, node in self.nodes.append(leaf):
                self._node(level, index, node)
            origin = self.trusted.checkpoint.origin
            self.report.add(self.growth.check(self.frontier, origin), CHECKPOINT_FILE)
        self.progress.advance(1)
        return True

    def _entries(self, tile: Tile) -> list[bytes] | None:
        try:
            entries = self.folder.entries(tile)
        except EvidenceRefusedError as error:
            self._refused(error, tile.first)
            entries = None
        if entries is None:
            self.follows = False
            self.report.first_entry_missing |= tile.first == 0
            return None
        if tile.first == 0 and _is_margin_ledger(entries[0]):
            self.chain = ChainVerifier(self.trusted.checkpoint.origin)
            self.report.checks |= dict.fromkeys(ChainVerifier.CHECKS, True)
            self.report.checks["origin"] = True
        self.report.checks.setdefault("entries", True)
        self.report.entries = (self.report.entries or 0) + len(entries)
        return entries

    def _entry(self, tile: Tile, sequence: int, entry: bytes, leaf: bytes) -> None:
        name = Tile(0, tile.index, tile.width, entries=True).path()
        actual = leaf_hash(entry)
        if actual != leaf:
            self.report.fail("entries", leaf.hex(), actual.hex(), file=name, sequence=sequence)
        if self.chain is not None and self.follows:
            self.report.add(self.chain.take(sequence, entry)[0], name)

    def _node(self, level: int, index: int, node: bytes) -> None:
        """Compare a node that was derived with the one that stands in the tile above."""
        self.report.checks.setdefault("node", True)
        tile = self._tile(level, index)
        known = self.upper.get(level)
        if known is None or known[0] != tile:
            try:
                known = tile, hashes_of(self.folder.read(tile))
                self.report.tiles += 1
            except EvidenceRefusedError as error:
                self._refused(error, None)
                known = tile, []
            self.upper[level] = known
        hashes, place = known[1], index - tile.first
        if hashes and hashes[place] != node:
            self.report.fail("node", node.hex(), hashes[place].hex(), file=tile.path())

    def _tile(self, level: int, index: int) -> Tile:
        """Return the tile that holds a node, of the width that it has under the checkpoint."""
        return self.folder.tree(self.trusted.checkpoint.size).tile(level, index // TILE_WIDTH)

    def _refused(self, error: EvidenceRefusedError, sequence: int | None) -> None:
        self.report.fail(error.check, error.expected, error.actual, file=error.place, sequence=sequence)


def _is_margin_ledger(entry: bytes) -> bool:
    try:
        link_of(entry)
    except InvalidInputError:
        return entry.startswith(b'{"event":')
    return True


def _not_checked(report: TilesReport, policy: TrustPolicy) -> list[str]:
    texts = []
    if not policy.witness_keys:
        texts.append("witnesses: no key of one was given, so another history shown to others would not show")
    if "root" not in report.checks:
        texts.append("what comes after the tile that cannot be read")
    elif report.entries is None:
        texts.append("the events themselves: only their hashes were published")
    elif report.entries < report.events:
        texts.append(f"{report.events - report.entries} entries, which are not in the folder")
    if report.entries is not None and not report.is_margin_ledger:
        texts.append(
            "what the entries mean: only their hashes were compared, since the first is not in the folder"
            if report.first_entry_missing
            else "what the entries mean: they are not events of a margin ledger, only their hashes hold"
        )
    if "trusted_checkpoint" not in report.checks:
        texts.append("whether the log grew from one that was seen before (--trusted-checkpoint)")
    texts.append("whether the events are true and none is missing: that is reconciliation with their sources")
    return [printable(text) for text in texts]
