"""The collector event by event: marking, workers, sweeping, scavenging, the CPU limiter."""
