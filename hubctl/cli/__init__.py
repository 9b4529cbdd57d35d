"""Floor 5: the commands; each parses, prints and exits."""
