"""Floor 3: moves bytes and understands nothing."""
