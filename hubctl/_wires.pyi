from hubctl.core.tables import Wiring

class Wires:
    def __init__(self, wiring: Wiring) -> None: ...
