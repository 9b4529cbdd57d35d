"""Floor 1: the hub file, the sort plan, labels and the tables the compiled floor reads."""
