"""Writes checkpoint.json, proof.json, tiles.json, bundle-signature.json and solvency.json.

They say what a verifier accepts, and what it refuses and why.

    python docs/spec/vectors/generate_signed.py [--check]

The files are the same on every run (signed_material.py says how).
"""

from __future__ import annotations

import json
import sys

from bundle_signature_vectors import inputs_refused, signatures_refused, signatures_that_hold
from checkpoint_vectors import checkpoints_refused, checkpoints_that_hold, keys_refused, policies_refused
from proof_vectors import consistency_vectors, inclusion_vectors
from signed_material import (
    BUNDLE_KEYS,
    FOLDER,
    SIGNATURES,
    STORED,
    public_keys,
)
from solvency_inclusion_vectors import inclusions_refused, inclusions_that_hold
from solvency_primitives import primitives
from solvency_proof_vectors import proofs_refused, proofs_that_hold
from tile_vectors import tile_vectors


def documents() -> dict[str, str]:
    """Return the content of every file, by name."""
    checkpoint = {
        "keys": public_keys(),
        "keys_refused": keys_refused(),
        "policies_refused": policies_refused(),
        "hold": checkpoints_that_hold(),
        "refused": checkpoints_refused(),
    }
    proof = {
        "keys": public_keys(),
        "inclusion": inclusion_vectors(),
        "consistency": consistency_vectors(),
    }
    tiles = {"keys": public_keys(), **tile_vectors()}
    bundle_signature = {
        "keys": public_keys(BUNDLE_KEYS),
        "inputs_refused": inputs_refused(),
        "hold": signatures_that_hold(),
        "refused": signatures_refused(),
    }
    values = {"checkpoint.json": checkpoint, "proof.json": proof, "tiles.json": tiles}
    values["bundle-signature.json"] = bundle_signature
    values["solvency.json"] = {
        "inclusion": {"hold": inclusions_that_hold(), "refused": inclusions_refused()},
        "proof": {"hold": proofs_that_hold(), "refused": proofs_refused()},
        "primitives": primitives(),
    }
    values[STORED.name] = dict(sorted(SIGNATURES.used.items()))
    return {name: json.dumps(value, ensure_ascii=False, indent=1) + "\n" for name, value in values.items()}


def main(arguments: list[str]) -> None:
    """Write the files, or compare them."""
    for name, content in documents().items():
        path = FOLDER / name
        if "--check" not in arguments:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            sys.exit(f"{name} is out of date")


if __name__ == "__main__":
    main(sys.argv)
