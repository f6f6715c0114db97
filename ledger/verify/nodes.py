"""The stored nodes of the tree against the hashes that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Double, cast, func, select

from ledger.chain import Failure
from ledger.store.database import stream
from ledger.store.schema import tree_nodes
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, NodeBuilder

if TYPE_CHECKING:
    from sqlalchemy import Connection

    Node = tuple[int, int, bytes]

_DEEPEST = 6  # levels whose nodes can be placed without overflow; a tree of 2^48 events has no more


class NodeReader:
    """Walks the stored nodes in step with the events, in the order in which events complete them."""

    def __init__(self, connection: Connection) -> None:
        level, index = func.coalesce(tree_nodes.c.level, 0), func.coalesce(tree_nodes.c.index, -1)
        completed_by = (cast(index, Double) + 1) * func.power(TILE_WIDTH, func.least(level, _DEEPEST))
        query = select(level, index, func.coalesce(tree_nodes.c.hash, b"")).order_by(completed_by, level)
        self._stored = stream(connection, query)
        self._next: Node | None = next(self._stored, None)
        self._builder = NodeBuilder()

    def check(self, leaf: bytes) -> list[Failure]:
        """Take an event's hash and compare the nodes that it completes with those that are stored."""
        failures: list[Failure] = []
        for node in self._builder.append(leaf):
            while self._next is not None and _end(self._next) < _end(node):
                failures.append(self._superfluous())
            if self._next is not None and self._next[:2] == node[:2]:
                if self._next[2] != node[2]:
                    failures.append(_failure(node, node[2].hex(), self._next[2].hex()))
                self._advance()
            else:
                failures.append(_failure(node, node[2].hex(), "no node"))
        return failures

    def finish(self) -> list[Failure]:
        """Return what is stored beyond the last event."""
        failures: list[Failure] = []
        while self._next is not None:
            failures.append(self._superfluous())
        return failures

    def _superfluous(self) -> Failure:
        assert self._next is not None  # noqa: S101 (both callers look first)
        failure = _failure(self._next, "no node", self._next[2].hex())
        self._advance()
        return failure

    def _advance(self) -> None:
        self._next = next(self._stored, None)


def _end(node: Node) -> tuple[int, int]:
    level, index, _ = node
    return (index + 1) << (TILE_HEIGHT * max(0, min(level, _DEEPEST))), level


def _failure(node: Node, expected: str, actual: str) -> Failure:
    level, index, _ = node
    # The event that completes it, so that an event that was edited is named before the node above it.
    last = ((max(0, index) + 1) << (TILE_HEIGHT * max(0, min(level, _DEEPEST)))) - 1
    where = f"level {level}, index {index}"
    return Failure(last, "tree", f"{where}: {expected}", f"{where}: {actual}")
