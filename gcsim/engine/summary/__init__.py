"""From totals of runs to metrics with intervals."""
