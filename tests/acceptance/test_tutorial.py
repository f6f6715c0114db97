"""The tutorial, and the walk through published prices, word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.documents import REPOSITORY, follow, programs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DOCS = REPOSITORY / "docs"


def test_the_tutorial_works_word_for_word_in_an_empty_folder(
    tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> None:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("tutorial")
    assert follow(page, folder, programs(tmp_path_factory.mktemp("bin")), database_url) > 10


def test_the_walk_from_an_archive_to_who_breaches_works_word_for_word(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, shared_data: Path
) -> None:
    page = (DOCS / "explanation" / "dynamic-margin.md").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("walk")
    for name in ("BTCUSDT-5m-2025-10-09.zip", "BTCUSDT-5m-2025-10-10.zip"):
        (folder / name).symlink_to(shared_data / "binance_2025_10_10" / name)
    tiers = "binance_leverage_tiers_2025-10-09.json.gz"
    (folder / "tiers-2025-10-09.json.gz").symlink_to(shared_data / "binance_tiers" / tiers)
    assert follow(page, folder, programs(tmp_path_factory.mktemp("bin")), database_url) == 6
    assert (folder / "crash.svg").read_text(encoding="utf-8").startswith("<svg")
