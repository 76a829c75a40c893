"""Leaking programs, run until the kernel kills them: how well ``gcsim diagnose`` forecasts that moment."""
