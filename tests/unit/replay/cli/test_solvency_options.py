from __future__ import annotations

import click
import pytest

from replay.cli.solvency.options import parts_option
from replay.solvency.proofs.leaves import MAXIMUM_PARTS


def test_options_allow_as_many_parts_as_a_tree_can_have() -> None:
    @click.command
    @parts_option
    def shown(parts: int) -> int:
        return parts

    def given(number: int) -> object:
        return shown.main(["--parts", str(number)], standalone_mode=False)

    assert shown.main([], standalone_mode=False) == 1
    assert given(MAXIMUM_PARTS) == MAXIMUM_PARTS
    for number in (0, MAXIMUM_PARTS + 1):
        with pytest.raises(click.BadParameter):
            given(number)
