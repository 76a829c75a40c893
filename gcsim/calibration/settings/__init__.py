"""The settings of the process that wrote a log."""
