"""The README of a bundle, for a person who has never heard of this program."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ledger.clock import format_time

if TYPE_CHECKING:
    from ledger.export.manifest import Manifest

_WIDTH = 100

_TEMPLATE = """\
EVIDENCE BUNDLE OF {origin}
{underline}

What this is
  A copy of the event ledger {origin}: every event from sequence {first} to {last}
  ({events} events), as recorded. Written at {generated_at} by {program}.
  Each event holds the hash of the event before it, so none can be changed, removed, inserted or
  moved without every later hash changing.

  head hash  {head_hash}
  tree root  {root_hash}

Files
{files}
  manifest.json     names, lengths and SHA-256 of the files above, and the figures on this page
  SHA256SUMS        SHA-256 of every file, manifest.json included

How to check it
  1. That no file was damaged, with tools of your system (coreutils, busybox, macOS: shasum -a 256):

       sha256sum -c SHA256SUMS

  2. The chain, its order, its form and the tree root, with Python 3.8 or newer and nothing else:

       python3 -I verify.py

     verify.py is short; read it before you run it, or take it from a place that you trust rather
     than from this folder. -I keeps Python from loading modules out of this folder.

  3. That this is the log, and all of it up to here, and not a log made up later: compare with a head
     hash or tree root that you obtained elsewhere and earlier, from the venue, another recipient, a
     regulator's file:

       python3 -I verify.py --expect-root ROOT        (or --expect-head HASH)

     The values above and in manifest.json are no such thing: whoever can change the events can
     change them as well.

  4. With the program itself, which also holds every event to the catalogue of event types:

       ledger check-bundle . --expect-root ROOT

  5. By hand, one event. This prints the head hash, and for any other line the hash that the next
     line names as "prev":

       {{ printf '\\000'; tail -n 1 events.jsonl | tr -d '\\n'; }} | sha256sum

What a successful check proves, and what it does not
  It proves that the files are those that the manifest lists, that every event is well-formed and
  stands in its place, and that each names the hash of the one before.
{not_checked}

Not in this bundle
{not_included}

How the hashes are computed
  Each line of events.jsonl without its line end is one event in canonical JSON (RFC 8785: UTF-8, keys
  sorted, no white space; no floats: numbers are decimal strings).
      hash      = SHA-256 of a byte 00 followed by the line's bytes
      "prev"    = hash of the line before, in hex; 64 zeros in the first line
      head hash = hash of the last line
      tree root = RFC 9162 Merkle tree hash over the lines' hashes in order; an inner node is SHA-256
                  of a byte 01 followed by its left and its right child; printed in base64
  "event" is what the source said, "link" is what the ledger added when it took the event.

Reading the tables
  Files in tables/ are CSV in UTF-8 with commas. Numbers are exact decimals: import the columns as text,
  because spreadsheets round beyond 15 digits. A cell that a spreadsheet would take for a formula has
  an apostrophe in front, and so has a cell that begins with an apostrophe: take off one.
"""


def readme(manifest: Manifest) -> str:
    """Return the README's text; of the files it names those that the manifest lists so far, and itself."""
    described = {file.name: file.description for file in manifest.files}
    described["README.txt"] = "this page"
    title = f"EVIDENCE BUNDLE OF {manifest.origin}"
    return _TEMPLATE.format(
        origin=manifest.origin,
        underline="=" * len(title),
        first=manifest.first_sequence,
        last=manifest.last_sequence,
        events=manifest.events,
        generated_at=format_time(manifest.generated_at),
        program=f"{manifest.program.name} {manifest.program.version}",
        head_hash=manifest.head_hash,
        root_hash=manifest.root_hash,
        files="\n".join(_item(f"{name:<17} ", described[name]) for name in sorted(described)),
        not_checked="\n".join(_item("- It does not tell ", text) for text in manifest.not_checked),
        not_included="\n".join(_item("- ", text) for text in manifest.not_included),
    )


def _item(lead: str, text: str) -> str:
    indent = "  " + " " * (2 if lead.startswith("-") else len(lead))
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent="  " + lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
