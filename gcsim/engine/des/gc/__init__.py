"""The collector of the event engine: marking, mark workers, sweeping, scavenging and the CPU limiter."""
