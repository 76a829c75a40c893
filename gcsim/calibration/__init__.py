"""From what a real process logged to a Model, with what is and is not known of it."""

from gcsim.calibration.calibrate import Calibration, Overrides, calibrate

__all__ = ["Calibration", "Overrides", "calibrate"]
