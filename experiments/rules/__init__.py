"""Rules of thumb on real programs in memory cgroups, against the predictions of ``gcsim compare``."""
