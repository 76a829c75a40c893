"""Statistics that estimators share."""
