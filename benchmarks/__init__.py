"""Benchmarks: each module is a command, and a test runs it at a small size."""
