"""What calibration learns of one service: the model and its file."""
