"""Approximations of runtime and program, each with its stated error, for engines and calibration alike."""
