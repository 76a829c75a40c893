"""Whether to trust a calibration: refusals, findings, verdict."""
