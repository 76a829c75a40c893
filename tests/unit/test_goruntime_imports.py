"""The rules stay light."""

import subprocess
import sys


def test_rules_import_neither_engine_nor_plots() -> None:
    """Importing the rules in a fresh process leaves simpy, matplotlib and scipy out."""
    program = "import sys, gcsim.goruntime; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in run.stdout.split()}
    assert "gcsim" in loaded
    assert not loaded & {"simpy", "matplotlib", "scipy", "pandas"}
