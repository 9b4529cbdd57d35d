"""The parts of `bench/wire.py`."""
