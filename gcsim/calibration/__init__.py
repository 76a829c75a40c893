"""Calibration: a gctrace log in, a Model with the uncertainty of each parameter out."""
