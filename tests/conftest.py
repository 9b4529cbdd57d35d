"""What holds for every test: generated cases are not timed, and a failure prints the line that repeats it."""

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
RUN_HUBS = ("test_plan_try.py", "test_swarm_command.py", "test_sim_bench.py")  # beside all of tests/sim

settings.register_profile("hubctl", parent=settings(), deadline=None, print_blob=True)
settings.load_profile("hubctl")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Against which node the stories of `tests/hil` run."""
    told = "host, qemu, serial:DEVICE or tcp:HOST:PORT; behind a comma, tcp:HOST:PORT of its simulated world"
    parser.addoption("--node", default="host", help=told)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compiles the simulated hub, up to two minutes once a machine, so that it counts for no test's time limit."""
    runs_hubs = any(item.path.parent == HERE / "sim" or item.path.name in RUN_HUBS for item in session.items)
    if not runs_hubs or session.config.option.collectonly:
        return
    from hubctl.core.site import load_site
    from hubctl.sim.faults import NONE
    from hubctl.sim.traffic import make_traffic
    from hubctl.sim.virtual import Virtual

    hub, plan = load_site("demo")
    assert plan is not None
    traffic = make_traffic(hub, plan, seed=1, n=1, parcels_per_hour=1000, faults=NONE)
    Virtual(hub, plan, traffic).run()
