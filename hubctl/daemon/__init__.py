"""Floor 4: the daemon, built from the floors below."""
