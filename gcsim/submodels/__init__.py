"""Approximations of the Go runtime and of programs, with stated errors, for engines and calibration."""
