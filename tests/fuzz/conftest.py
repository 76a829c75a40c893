"""Sizes of the fuzzers: small in the suite, as large as asked for on the command line."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds one option a fuzzer; they are known where pytest is given this folder."""
    parser.addoption(
        "--fuzz-lines", type=int, default=3_000, help="lines of damaged gctrace logs that the reader reads"
    )
    parser.addoption("--fuzz-seed", type=int, default=0, help="the first damaged log's seed")
    parser.addoption(
        "--fuzz-models", type=int, metavar="N", help="Mutated model files to try [default: 150]."
    )
