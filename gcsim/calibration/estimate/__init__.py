"""Estimators: from evidence to parameters."""
