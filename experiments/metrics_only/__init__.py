"""Calibration from the metrics of the Prometheus client alone, compared with calibration from the GC trace."""
