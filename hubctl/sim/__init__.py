"""Floor 4: a hub of plain objects, run in virtual or in real time, and the referee who knows the truth."""
