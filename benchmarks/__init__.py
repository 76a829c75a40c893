"""Programs that time gcsim; each prints figures and asserts none."""
