"""Parts of the latency benchmark: the load, the programs compared, and the arithmetic of their figures."""
