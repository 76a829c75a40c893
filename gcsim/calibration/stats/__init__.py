"""Statistics that the estimators share."""
