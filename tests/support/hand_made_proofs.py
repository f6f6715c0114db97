"""A proof of solvency of eight leaves that is put together by hand, without a line of the program."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "second.example"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = b"\x01" + KEY.public_key().public_bytes_raw()
IDENTITY = sha256(ORIGIN.encode() + b"\n" + PUBLIC).digest()[:4]
VKEY = f"{ORIGIN}+{IDENTITY.hex()}+{base64.b64encode(PUBLIC).decode()}"
TAG = b"margin-ledger/liabilities/%s/1\n"
HEADER: dict[str, Any] = {
    "as_of_sequence": 1,
    "assets": [{"asset": "BTC", "scale": 8}, {"asset": "USDT", "scale": 2}],
    "depth": 3,
    "maximum_age_seconds": "3600",
    "origin": ORIGIN,
    "parts": 2,
    "projection": "margin",
    "projection_version": 7,
    "time": "2026-01-04T12:00:00.000000Z",
    "undetermined": [],
}
# What each customer is owed, in units of 10^-8 BTC and 10^-2 USDT, split over two parts.
PARTS = {
    "ada": ((150_000_000, 0), (0, 1250)),
    "bob": ((0, 100), (0, 200)),
    "cem": ((0, 0), (1, 0)),
    "": ((0, 0), (0, 0)),
}
TOTALS = {
    "liabilities": {"BTC": "1.50000001", "USDT": "15.5"},
    "reserves": {"BTC": "2", "USDT": "20"},
    "shortfall": {"USDT": "4"},
    "debt_against_collateral": {"ETH": "0.25"},
    "insurance_fund": {},
}


class Node(NamedTuple):
    hash: bytes
    sums: tuple[int, ...]

    @property
    def raw(self) -> bytes:
        return self.hash + b"".join(units.to_bytes(16, "big") for units in self.sums)


class Proof(NamedTuple):
    """An inclusion file of ada and the files of a proof folder, each to be changed before it is written."""

    inclusion: dict[str, Any]
    folder: dict[str, Any]


def encoded(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def nonce_of(customer: str, part: int) -> str:
    return sha256(f"{customer} {part}".encode()).hexdigest()


def leaf_of(customer: str, part: int, sums: tuple[int, ...]) -> Node:
    held = Node(bytes.fromhex(nonce_of(customer, part)), sums).raw
    return Node(sha256(TAG % b"leaf" + held + part.to_bytes(4, "big") + customer.encode()).digest(), sums)


def levels_of(leaves: list[Node]) -> list[list[Node]]:
    levels = [leaves]
    while len(levels[-1]) > 1:
        pairs = zip(levels[-1][::2], levels[-1][1::2], strict=True)
        levels.append(
            [
                Node(
                    sha256(TAG % b"node" + left.raw + right.raw).digest(),
                    tuple(map(sum, zip(left.sums, right.sums, strict=True))),
                )
                for left, right in pairs
            ]
        )
    return levels


def path_of(levels: list[list[Node]], index: int) -> str:
    raw = b""
    for level, nodes in enumerate(levels[:-1]):
        sibling = nodes[index >> level ^ 1]
        raw += sibling.hash
        sizes = [(units.bit_length() + 7) // 8 for units in sibling.sums]
        sizes = [size if size <= 14 else 16 for size in sizes]
        raw += bytes([min(sizes[0], 15) << 4 | min(sizes[1], 15)])
        raw += b"".join(units.to_bytes(size, "big") for units, size in zip(sibling.sums, sizes, strict=True))
    return base64.b64encode(raw).decode()


def entry_of(sequence: int, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    time = "2026-01-04T12:00:00.000000Z"
    link = {"appended_at": time, "ledger": ORIGIN, "nonce": "0" * 32, "prev": "0" * 64, "writer": "writer"}
    identity = f"00000000-0000-4000-8000-00000000000{sequence}"
    event = {"data": data, "id": identity, "occurred_at": time, "schema": 1, "type": kind}
    return {"event": event, "link": {**link, "sequence": sequence}}


def attestation(sequence: int, asset: str, amount: str, **more: str) -> dict[str, Any]:
    data = {"amount": amount, "asset": asset, "as_of": "2026-01-04T11:30:00.000000Z"}
    return entry_of(sequence, "ReserveAttested", {**data, "attester": "x", "custodian": "c", **more})


def note_of(size: int, root: bytes) -> str:
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = base64.b64encode(IDENTITY + KEY.sign(text.encode())).decode()
    return f"{text}\n— {ORIGIN} {signature}\n"


def built(
    *,
    header: dict[str, Any] | None = None,
    totals: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    parts: dict[str, tuple[tuple[int, ...], ...]] | None = None,
    entries: list[dict[str, Any]] | None = None,
) -> Proof:
    """A proof that is signed after the changes: two attestations at 0 and 1, the commitment at 2."""
    header = HEADER | (header or {})
    unsorted = (
        (leaf_of(customer, part, sums), customer, part)
        for customer, each in (PARTS | (parts or {})).items()
        for part, sums in enumerate(each)
    )
    placed = sorted(unsorted)
    levels = levels_of([leaf for leaf, _, _ in placed])
    root = levels[-1][0]
    raw_header = encoded(header)
    committed = {
        "as_of_sequence": "1",
        "liabilities_root": sha256(
            TAG % b"root" + len(raw_header).to_bytes(4, "big") + raw_header + root.raw
        ).hexdigest(),
        "projection": "margin",
        "projection_version": "7",
        "state_root": "1" * 64,
        "subjects_root": "2" * 64,
        "totals": TOTALS | (totals or {}),
    }
    entries = entries or [attestation(0, "BTC", "2"), attestation(1, "USDT", "25", encumbered="5")]
    commitment = entry_of(2, "StateCommitted", committed | (data or {}))
    commitment["event"] |= event or {}
    one, two, three = (sha256(b"\0" + encoded(entry)).digest() for entry in [*entries, commitment])
    pair = sha256(b"\x01" + one + two).digest()
    log_root = sha256(b"\x01" + pair + three).digest()
    head = f"c2sp.org/tlog-proof@v1\nindex 2\n{base64.b64encode(pair).decode()}\n\n"
    own = {part: (index, leaf) for index, (leaf, customer, part) in enumerate(placed) if customer == "ada"}
    leaves = [
        {
            "index": own[part][0],
            "nonce": nonce_of("ada", part),
            "part": part,
            "path": path_of(levels, own[part][0]),
            "sums": texts_of(own[part][1].sums, zeros=False),
        }
        for part in (0, 1)
    ]
    inclusion: dict[str, Any] = {
        "commitment": encoded(commitment).decode(),
        "commitment_proof": head + note_of(3, log_root),
        "customer": "ada",
        "format": "margin-ledger/inclusion/1",
        "header": header,
        "leaves": leaves,
    }
    attestations = [
        {"entry": encoded(entry).decode(), "path": [sibling.hex(), three.hex()]}
        for entry, sibling in zip(entries, (two, one), strict=True)
    ]
    proof = {
        "attestations": attestations,
        "format": "margin-ledger/solvency/1",
        "header": header,
        "root": {"hash": root.hash.hex(), "sums": texts_of(root.sums, zeros=True)},
    }
    folder: dict[str, Any] = {
        "proof.json": proof,
        "commitment.json": commitment,
        "commitment.tlog-proof": inclusion["commitment_proof"].encode(),
    }
    return Proof(inclusion, folder)


def texts_of(sums: tuple[int, ...], *, zeros: bool) -> dict[str, str]:
    def text(units: int, scale: int) -> str:
        whole, rest = divmod(units, 10**scale)
        return f"{whole}.{rest:0{scale}}".rstrip("0").removesuffix(".")

    named = (("BTC", sums[0], 8), ("USDT", sums[1], 2))
    return {asset: text(units, scale) for asset, units, scale in named if units or zeros}


def written(proof: Proof, folder: Path) -> Path:
    for name, value in proof.folder.items():
        (folder / name).write_bytes(value if isinstance(value, bytes) else encoded(value) + b"\n")
    return folder
