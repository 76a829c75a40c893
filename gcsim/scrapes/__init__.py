"""Reads the metrics of a Go process over time: scrapes, expvar pages, MemStats and answers of range queries."""
