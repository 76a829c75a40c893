"""Pauses by Go version."""

from pathlib import Path

from experiments.article.arms import GO, capture, orders, run_arms, save

NAME = "versions"
LOAD = ("-rate", "8000")
VERSIONS = ("1.19.8", "1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", GO)
BASE = orders(GO, *LOAD, seconds=10.0)
ARMS = tuple(orders(go, *LOAD, go=go, seconds=10.0) for go in VERSIONS)


def run(out: Path) -> None:
    """The calibrated run, then every version; 190 s."""
    capture(NAME, BASE, out)
    save(NAME, run_arms(ARMS), out)
