"""Measured constants, each with its spread, its unit and the experiment that gave it."""
