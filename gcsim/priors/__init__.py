"""Measured constants, each with its spread, unit and experiment."""
