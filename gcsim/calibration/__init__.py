"""From what a real process logged to a Model, with what is and is not known of it."""
