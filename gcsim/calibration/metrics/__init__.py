"""Calibration from metrics alone: cycles computed from scrapes, and the wider intervals that this deserves."""
