"""Predictions of ``gcsim whatif`` for traffic, processors and Go versions, next to real runs of open loops."""
