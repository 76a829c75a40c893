"""Predictions of changed programs, compared with real runs of the changed programs."""
