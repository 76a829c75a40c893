"""From what a real process logged to a Model, with what is and is not known of it."""

from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.log_settings import Overrides
from gcsim.calibration.several import Several, calibrate_logs

__all__ = ["Calibration", "Overrides", "Several", "calibrate", "calibrate_logs"]
