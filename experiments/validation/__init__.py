"""Predicted against real Go: the runs, the baselines, the tables of ``docs/accuracy.md``."""
