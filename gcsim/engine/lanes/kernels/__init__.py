"""Compiles stretches of a recorded program into machine code, with the package ``llvmlite``."""
