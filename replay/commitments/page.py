"""The page with which customers check their inclusion file in a browser, without any network."""

from __future__ import annotations

from importlib.resources import files

PAGE_FILE = "check-inclusion.html"


def page() -> bytes:
    """Return the page; it is the same for every venue."""
    return files("replay.commitments").joinpath(PAGE_FILE).read_bytes()
