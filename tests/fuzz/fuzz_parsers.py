"""Looks for bytes that crash a reader or change on the way, led by the code that they reach.

    python -m tests.fuzz.fuzz_parsers PARSER FOLDER [libFuzzer's options, such as -runs=100000 -seed=1]

FOLDER keeps what was found worth keeping; it starts with the examples that hold. Without -runs it goes
on until something is found, whose bytes are then written to a file named crash-….
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

# Lets the fuzzer see what strings are compared with.
atheris.enabled_hooks.add("str")

with atheris.instrument_imports(include=["ledger"]):
    from tests.support.parsers import PARSERS, holds


def main(arguments: list[str]) -> None:
    """Fuzz one parser until something is found or the runs are used up."""
    program, name, folder, *options = arguments
    parser = PARSERS[name]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(parser.examples):
        (Path(folder) / f"example-{number}").write_bytes(data)
    atheris.Setup([program, folder, *options], lambda data: (holds(parser, data), None)[1])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
