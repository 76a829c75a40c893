"""Runs a Go program and writes its log and side file."""
