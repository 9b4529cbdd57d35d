"""Tests of commands that speak to devices stand on the reactor's rig."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reactor"))
