from typing import NamedTuple

from hubctl._kernel import Kernel
from hubctl.core.events import LinkFault, Records
from hubctl.core.tables import CompiledPlan, Wiring

NODE_STATES: tuple[str, ...]

class Spread(NamedTuple):
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    n: int

class LinkStatistics(NamedTuple):
    is_up: bool
    fault: LinkFault
    n_attached: int
    n_bytes: int
    n_frames: int
    refusals: dict[str, int]
    round_trip: Spread
    poll_lateness: Spread = ...

class Statistics(NamedTuple):
    links: tuple[LinkStatistics, ...]
    nodes: tuple[str, ...]
    read_to_command: Spread
    fire_lateness: Spread
    n_steps: int
    n_fires: int
    n_fires_voided: int
    n_records_lost: int
    n_inputs_lost: int

class Reactor:
    def __init__(
        self, kernel: Kernel, wiring: Wiring, *, n_records: int = 65536, epoch: int | None = None
    ) -> None: ...
    def start(self, *, cpu: int | None = None, fifo_priority: int | None = None) -> None: ...
    def attach(self, link: int, fd: int) -> None: ...
    def post(self, records: Records) -> None: ...
    def node_faults(self) -> list[tuple[int, int, int] | None]: ...
    def node_words(self) -> list[int | None]: ...
    def drain(self) -> Records: ...
    def swap_plan(self, plan: CompiledPlan) -> None: ...
    def stop(self, timeout_s: float = 2.0) -> bool: ...
    def statistics(self) -> Statistics: ...
