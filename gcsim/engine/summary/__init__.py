"""Metrics with prediction intervals, from the sums of runs."""
