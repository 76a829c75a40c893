"""Collects the diagnostic pages of a running Go service, with GET requests only."""
