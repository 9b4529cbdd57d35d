"""What holds for every test: generated cases are not timed, and a failure prints the line that repeats it."""

import pytest
from hypothesis import settings

settings.register_profile("hubctl", parent=settings(), deadline=None, print_blob=True)
settings.load_profile("hubctl")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Against which node the stories of `tests/hil` run."""
    told = "host, qemu, serial:DEVICE or tcp:HOST:PORT; behind a comma, tcp:HOST:PORT of its simulated world"
    parser.addoption("--node", default="host", help=told)
