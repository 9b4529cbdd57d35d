"""Parts of the kernel benchmark: a belt of any length, its rules, its inputs, and the loop that times them."""
