"""How long the fuzzers run: small sizes in the suite, large ones on request."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that sets the reader fuzzer's size."""
    parser.addoption(
        "--fuzz-lines", type=int, default=3_000, help="lines of damaged gctrace logs that the reader reads"
    )
