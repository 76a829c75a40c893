"""The model of one service, and its file."""
