"""The fixture ``go_toolchain`` for the tests in this folder; tests/helpers/go_toolchain.py says how to use it."""

import pytest
from go_toolchain import GoToolchain

from experiments import toolchains


@pytest.fixture(scope="session")
def go_toolchain(tmp_path_factory: pytest.TempPathFactory) -> GoToolchain:
    """The first Go toolchain there is; each program is built once a session."""
    return GoToolchain(toolchains.default(), tmp_path_factory.mktemp("go"))
