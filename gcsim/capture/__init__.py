"""Runs a Go program and writes its log and its side file."""
