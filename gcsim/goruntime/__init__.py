"""What the Go runtime's collector does, as pure rules by Go version. Light: NumPy alone is imported."""

from gcsim.goruntime.pacer_scenario import run_pacer_scenario
from gcsim.goruntime.versions import GoRules, rules_for

__all__ = ["GoRules", "rules_for", "run_pacer_scenario"]
