"""The heap and the machine of the event engine."""
