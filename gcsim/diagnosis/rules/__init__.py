"""The rules: each module looks at one side of a log and yields the causes that it finds."""
