"""Readings of a process's memory that people have: sizes, files of /proc and cgroups, MemStats, a binary."""
