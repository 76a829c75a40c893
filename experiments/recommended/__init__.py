"""What ``gcsim recommend`` says about its setting, checked on real Go: stress, a leak, constraints on requests."""
