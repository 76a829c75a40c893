"""The heap object by object, for the event engine's object-level view."""
