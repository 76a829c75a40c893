"""Calibration without Go: known services are simulated, logged, calibrated, and must be recovered."""
