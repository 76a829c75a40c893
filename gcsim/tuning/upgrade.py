"""The note on mark costs in a prediction for another Go version."""

from gcsim.goruntime.versions import rules_for
from gcsim.settings import Settings


def upgrade_note(calibrated: Settings, asked: Settings) -> str | None:
    """One sentence on mark costs if the Go version differs from the calibrated one; else None."""
    if asked.go == calibrated.go:
        return None
    kept = f"marking costs are those measured on Go {calibrated.go}"
    had, has = rules_for(calibrated.go).green_tea, rules_for(asked.go).green_tea
    if has and not had:
        return (
            f"{kept}: Green Tea marking, the default from Go 1.26 on, usually lowers them, by up to half,"
            " and only the intervals of GC CPU include that"
        )
    if had and not has:
        return (
            f"{kept}, with Green Tea marking: without it, before Go 1.26, they are usually higher, by up to two times,"
            " and only the intervals of GC CPU include that"
        )
    return f"{kept}: the prediction includes changes of the pacer up to Go {asked.go}, but no changes of these costs"
