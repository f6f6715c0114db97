"""The libraries that the statistics need, which are an extra of the package."""

from __future__ import annotations

from importlib.util import find_spec

from ledger.errors import EnvironmentFaultError

LIBRARIES = ("numpy", "scipy")


def require_libraries() -> None:
    """Make sure that the statistics can be computed.

    Raises:
        EnvironmentFaultError: a library is not installed; the next step installs it.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise EnvironmentFaultError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed, "
            "and risk estimates are computed with numpy and scipy",
            next_step="pip install 'margin-ledger[risk]'",
        )
