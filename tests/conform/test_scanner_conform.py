"""Whether a scanner is what its preset says: its twin is, and one of another make is not."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from hubctl.cli.main import app
from hubctl.cli.twin_lines import TwinScannerLine
from hubctl.conform.checks import findings
from hubctl.conform.scanner import Hearer, plain_scanner, scanner_checks
from hubctl.core.presets import presets


def hearer(twin: str, preset: str) -> Hearer:
    return Hearer(TwinScannerLine(plain_scanner(twin)), plain_scanner(preset))


@pytest.mark.parametrize("name", presets())
def test_every_twin_is_what_its_preset_says(name: str) -> None:
    told = list(findings(scanner_checks(hearer(name, name))))
    assert len(told) >= 5
    assert [finding for finding in told if not finding.passed] == []


@pytest.mark.parametrize(("twin", "preset"), [("sick", "keyence"), ("line", "zebra-ssi"), ("cognex", "sick")])
def test_a_scanner_of_another_make_is_found_out(twin: str, preset: str) -> None:
    told = list(findings(scanner_checks(hearer(twin, preset))))
    assert any(not finding.passed for finding in told)


def test_the_command_tells_each_check() -> None:
    result = CliRunner().invoke(app, ["conform", "sick"])
    assert result.exit_code == 0
    assert "pass  answers a command, and not as if it were a label\n" in result.output
    assert "6 checks, 0 failed" in result.output
