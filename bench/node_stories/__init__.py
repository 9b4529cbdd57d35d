"""The parts of `bench/node.py`."""
