"""HTTP in front of the platform: connections, faults, quotas, and the state on disk."""
