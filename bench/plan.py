"""Labels and plans: time to classify and look up a label, to load partners' packs, to read and compile a plan.

    python bench/plan.py                  5 million advised labels, 3,000 packs, 100,000 rules, about a minute
    python bench/plan.py --small          a hundredth of each

The anchor of labels is an ordinary Python program in the same run: a regular expression a format, the check digits in
Python, a dictionary. Figures are processor time: of a label the best of three repeats, of files the first time they are
read. `bench/README.md` says what they mean.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time_ns
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import get_cython_function_address

# The parts are beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from machine import command, machine

from hubctl._lookup import LaneTable
from hubctl.core.catalogue import load_packs
from hubctl.core.events import Reason
from hubctl.core.hubfile import resolve_hub
from hubctl.core.labels import compile_formats, compose_many
from hubctl.core.overlaps import overlaps
from hubctl.core.plan import compile_plan, load_plan

ACCEPTED = ["usps-impb", "ups-1z", "sf", "jt"]
N_LANES = 300
N_ENTRY_BYTES = 64  # two slots of 32 bytes for each label
N_READING_BYTES = 64  # room for what one call finds
MONOTONIC = 1
NS_PER_S = 1_000_000_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
REPEATS = 3

Texts = npt.NDArray[np.bytes_]


class BenchError(Exception):
    """The work that was to be timed was not done."""


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a hundredth of everything")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


def best_ns(work: Callable[[], object]) -> int:
    """Processor time of the quickest of REPEATS runs."""
    times = []
    for _ in range(REPEATS):
        begun_ns = process_time_ns()
        work()
        times.append(process_time_ns() - begun_ns)
    return min(times)


def once_ns(work: Callable[[], object]) -> int:
    """Processor time of the first run, before anything is remembered."""
    begun_ns = process_time_ns()
    work()
    return process_time_ns() - begun_ns


# Labels


def mixed_labels(n: int) -> Texts:
    """As many of each accepted format, in turn."""
    serials = np.arange(n // len(ACCEPTED), dtype=np.int64) * 7 % 100_000
    return np.stack([compose_many(name, serials) for name in ACCEPTED], axis=1).reshape(-1)


def rules() -> list[tuple[str, str, int]]:
    """A lane for each ZIP prefix, and for what says no destination."""
    return [("zip", f"{no:03}", no % N_LANES) for no in range(1000)] + [
        ("partner", f"{name.upper()}/", 1) for name in ACCEPTED[1:]
    ]


def mod10(digits: str) -> str:
    """GS1's check digit."""
    return str(-sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits))) % 10)


def ups(code: str) -> str:
    """The check digit of a 1Z number."""
    values = [int(c) if c.isdigit() else (ord(c) - 3) % 10 for c in code[2:-1]]
    return str(-sum(value * (1 + i % 2) for i, value in enumerate(values)) % 10)


def ordinary_lane(code: str, zips: dict[str, int]) -> int:
    """What a program does that was written in an afternoon."""
    if match := re.fullmatch(r"420(\d{5})(9[2-5]\d{20})", code):
        return zips[match[1][:3]] if mod10(match[2][:-1]) == code[-1] else -1
    if re.fullmatch(r"9[2-5]\d{20}", code):
        return 1 if mod10(code[:-1]) == code[-1] else -1
    if re.fullmatch(r"1Z[A-Z0-9]{15}\d", code):
        return 1 if ups(code) == code[-1] else -1
    return 1 if re.fullmatch(r"SF[A-Z0-9]\d{12}|JT\d{13}", code) else -1


def time_labels(n: int) -> dict[str, float]:
    """ns a label: classified, its check character tried, its lane found."""
    labels = mixed_labels(n)
    table = LaneTable(compile_formats(ACCEPTED), rules())
    lanes = table.resolve_many(labels)[1]
    few = [label.decode() for label in labels[:20_000].tolist()]
    zips = {prefix: lane for space, prefix, lane in rules() if space == "zip"}
    if [ordinary_lane(code, zips) for code in few] != lanes[: len(few)].tolist():
        raise BenchError("the two programs do not agree")
    ordinary_ns = best_ns(lambda: [ordinary_lane(code, zips) for code in few]) / len(few)
    own_ns = best_ns(lambda: table.resolve_many(labels)) / len(labels)
    return {"label_ns": own_ns, "ordinary_ns": ordinary_ns, "times": ordinary_ns / own_ns}


@numba.njit
def call_all(resolve: Any, table: Any, texts: Any, sizes: Any, found: Any) -> None:
    """One call a label, from compiled code."""
    for row in range(len(sizes)):
        resolve(table, texts.ctypes.data + row * texts.shape[1], sizes[row], found.ctypes.data)


@numba.njit
def call_timed(
    resolve: Any, clock: Any, table: Any, texts: Any, sizes: Any, found: Any, waits_ns: Any
) -> None:
    """The same between two looks at the clock; a row beyond the last call's has the looks alone."""
    looks = np.zeros(4, np.int64)
    for row in range(len(waits_ns)):
        clock(MONOTONIC, looks.ctypes.data)
        if row < len(sizes):
            resolve(table, texts.ctypes.data + row * texts.shape[1], sizes[row], found.ctypes.data)
        clock(MONOTONIC, looks.ctypes.data + 16)
        waits_ns[row] = (looks[2] - looks[0]) * NS_PER_S + looks[3] - looks[1]


def time_singles(n: int) -> dict[str, float]:
    """ns a call of the kernel's own C function, label by label; the clock's own time is taken off the median."""
    labels = mixed_labels(n)
    table = LaneTable(compile_formats(ACCEPTED), rules())
    address = get_cython_function_address("hubctl._lookup", "resolve")
    pointer = ctypes.c_void_p
    resolve = ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_int, pointer)(address)
    clock = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, pointer)(
        ctypes.cast(ctypes.CDLL(None).clock_gettime, pointer).value or 0
    )
    texts = labels.view(np.uint8).reshape(len(labels), -1)
    sizes = np.char.str_len(labels).astype(np.int32)
    found, waits_ns = np.zeros(N_READING_BYTES, np.uint8), np.zeros(2 * len(sizes), np.int64)
    given = (table.address, texts, sizes, found)
    call_all(resolve, *given)
    ns = best_ns(lambda: call_all(resolve, *given)) / len(sizes)
    call_timed(resolve, clock, *given, waits_ns)
    waits_ns, empty_ns = waits_ns[: len(sizes)], np.median(waits_ns[len(sizes) :])
    p50, p999 = (np.percentile(waits_ns, (50, 99.9)) - empty_ns).tolist()
    return {"single_ns": ns, "singles_per_s": 1e9 / ns, "single_p50_ns": p50, "single_p999_ns": p999}


def time_advice(n: int) -> dict[str, float]:
    """Load and look up labels that the host has advised, in another order than they were told in."""
    labels = compose_many("sf", np.arange(n, dtype=np.int64))
    lanes = (np.arange(n) % N_LANES).astype(np.int32)
    begun_ns = process_time_ns()
    table = LaneTable(compile_formats(ACCEPTED), [], labels, lanes)
    load_ns = process_time_ns() - begun_ns
    asked = (np.arange(min(n, 1_000_000), dtype=np.int64) * 2_654_435_761) % n
    texts = labels[asked]
    reasons, found = table.resolve_many(texts)
    if (reasons != Reason.OK).any() or (found != lanes[asked]).any():
        raise BenchError("an advised label has not its lane")
    known = dict(zip(labels.tolist(), lanes.tolist(), strict=True))
    keys = texts.tolist()
    dict_ns = best_ns(lambda: [known[key] for key in keys]) / len(keys)
    own_ns = best_ns(lambda: table.resolve_many(texts)) / len(texts)
    return {
        "advised_labels": n,
        "load_ns": load_ns / n,
        "advised_ns": own_ns,
        "dict_ns": dict_ns,
        "bytes_a_label": N_ENTRY_BYTES,
    }


# Packs and plans


def prefix_of(no: int) -> str:
    """Three letters of its own for each partner."""
    return "".join(LETTERS[no // step % 26] for step in (676, 26, 1))


def write_packs(folder: Path, n: int) -> None:
    """A pack a partner; each hundredth has numbers without letters, which others have too."""
    for no in range(n):
        plain = no % 100 == 0
        pattern = f"d{{{9 + no // 100}}}" if plain else f"{prefix_of(no)} d{{9}}"
        example = "1" * (9 + no // 100) if plain else prefix_of(no) + "123456789"
        form = f'{{ pattern = "{pattern}", example = "{example}" }}'
        text = f'[[formats]]\nname = "partner-{no}"\ncarrier = "Partner {no}"\nforms = [{form}]\n'
        (folder / f"p{no:05}.toml").write_text(text, encoding="utf-8")


def time_packs(n: int) -> dict[str, float]:
    """ms to read, check and compile packs, and to find all overlaps; ns a label with all of them."""
    with tempfile.TemporaryDirectory() as name:
        write_packs(Path(name), n)
        load_ns = once_ns(lambda: load_packs(Path(name)).forms)
        catalogue = load_packs(Path(name))
    names = list(catalogue.index)
    labels = np.array([f"{prefix_of(no)}{no:09}".encode() for no in range(n)] * 10, "S56")
    table = LaneTable(catalogue.compile(names), [])
    return {
        "packs": n,
        "packs_ms": load_ns / 1e6,
        "overlaps_ms": best_ns(lambda: overlaps(catalogue, names)) / 1e6,
        "overlaps": len(overlaps(catalogue, names)),
        "label_of_packs_ns": best_ns(lambda: table.resolve_many(labels)) / len(labels),
    }


PLAN = """plan = { name = "large" }
labels = { accept = ["usps-impb"] }
tables = ["rules.csv"]
lanes = [
  { name = "L0", keys = [], chutes = ["C01"] },
  { name = "L1", keys = [], chutes = ["C02"] },
]
"""


def time_plan(n: int) -> dict[str, float]:
    """ms to read and check, and to compile, a plan whose rules stand in a table."""
    hub = resolve_hub("demo")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "large.plan.toml"
        file.write_text(PLAN, encoding="utf-8")
        lines = "".join(f"zip:{no:05},L{no % 2}\n" for no in range(n))
        (Path(name) / "rules.csv").write_text(f"key,lane\n{lines}", encoding="utf-8")
        read_ns = once_ns(lambda: load_plan(file, hub))
        plan = load_plan(file, hub)
    return {
        "rules": n,
        "read_ms": read_ns / 1e6,
        "compile_ms": once_ns(lambda: compile_plan(plan, hub)) / 1e6,
    }


def printed(found: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    lines = [
        "a label: {label_ns:.0f} ns; ordinary Python {ordinary_ns:,.0f} ns, {times:.0f} times as long",
        "a label by a call of its own: {single_ns:.0f} ns, {singles_per_s:,.0f} a second; "
        "p50 {single_p50_ns:.0f} ns, p99.9 {single_p999_ns:,.0f} ns",
        "an advised label among {advised_labels:,}: {advised_ns:.0f} ns; a dictionary alone {dict_ns:,.0f} ns; "
        "loaded in {load_ns:.0f} ns, {bytes_a_label} bytes each",
        "{packs:,} packs: loaded in {packs_ms:,.0f} ms, {overlaps:,} overlaps in {overlaps_ms:.0f} ms; "
        "a label of theirs {label_of_packs_ns:.0f} ns",
        "plan of {rules:,} rules: read and checked in {read_ms:,.0f} ms, compiled in {compile_ms:,.0f} ms",
    ]
    return "\n".join(lines).format(**found)


def main() -> None:
    """Time everything, and print it."""
    options = arguments()
    share = 100 if options.small else 1
    found: dict[str, Any] = {
        **time_labels(1_000_000 // share),
        **time_singles(1_000_000 // share),
        **time_advice(5_000_000 // share),
        **time_packs(3000 // share),
        **time_plan(100_000 // share),
    }
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), **found}))
    else:
        print(f"{machine()}\n{command()}\n\n{printed(found)}")


if __name__ == "__main__":
    main()
