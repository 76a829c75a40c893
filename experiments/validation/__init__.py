"""Predicted against real Go: the runs, the baselines, the tables of ``docs/explanation/accuracy.md``."""
