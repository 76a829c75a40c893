"""Scenarios for ``gcsim diagnose``: a small Go service with one fault, and healthy services."""
