"""Fuzzes the decoders with libFuzzer under the address sanitizer.

    python -m tests.fuzz.run                              # every target, 100,000 inputs each
    python -m tests.fuzz.run --executions 10000000 scanner-zebra-ssi
    python -m tests.fuzz.run --list

It needs clang with its runtime (Debian: `clang`) and Cython. Decoders and targets are built from their sources, with
coverage and sanitizers, below `build/fuzz`. Corpora are `tests/fuzz/corpora/TARGET`; what is new goes to
`build/fuzz/found/TARGET`, and an input that ends the program to `build/fuzz/crash-...`, which the command names.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from tests.fuzz.targets import HERE, TARGETS, setting

ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
CHECKS = "address,bounds,shift,signed-integer-overflow,integer-divide-by-zero,null"
DIRECTIVES = ("boundscheck=False", "wraparound=False", "cdivision=True", "initializedcheck=False")
FLAGS = [
    *("-O2", "-g", "-fPIC", "-fno-strict-aliasing", "-fno-omit-frame-pointer", "-w"),
    *(f"-fsanitize={CHECKS},fuzzer-no-link", "-fno-sanitize-recover=all"),
    "-fno-sanitize-coverage=trace-cmp",  # these decoders compare every byte they take: it would cost most of the time
]
SECONDS_OF_AN_INPUT = 5  # an input that takes longer is a hang


def clang_part(name: str) -> str:
    """Where clang keeps a part of its runtime."""
    said = subprocess.run(["clang", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return said.stdout.strip()


def build(module: str, source: Path, package: str) -> None:
    """Translates and compiles one module, if its sources are newer than what is there."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    built = BUILD / package / f"{module}{suffix}"
    newest = max(path.stat().st_mtime for path in [source, *(ROOT / "ext" / "hubctl").glob("*.p*")])
    if built.exists() and built.stat().st_mtime > newest:
        return
    built.parent.mkdir(parents=True, exist_ok=True)
    c_file = BUILD / f"{module}.c"
    options = [word for directive in DIRECTIVES for word in ("-X", directive)]
    command = [sys.executable, "-m", "cython", "-3", *options, "-I", "ext", "-o", str(c_file), str(source)]
    subprocess.run([*command, "--module-name", f"{package}.{module}".strip(".")], check=True, cwd=ROOT)
    include = sysconfig.get_path("include")
    compile_line = ["clang", *FLAGS, f"-I{include}", "-shared", "-shared-libasan", str(c_file)]
    subprocess.run([*compile_line, "-o", str(built)], check=True)


def build_fuzzer() -> Path:
    """libFuzzer as a library of its own, that hears of the coverage of every module which is loaded after it."""
    built = BUILD / "libfuzzer.so"
    if not built.exists():
        parts = [
            "-Wl,--whole-archive",
            clang_part("libclang_rt.fuzzer_no_main-x86_64.a"),
            "-Wl,--no-whole-archive",
        ]
        subprocess.run(["clang++", "-shared", *parts, "-o", str(built)], check=True)
    return built


def prepare(name: str) -> None:
    """Builds a target and what it calls."""
    target = TARGETS[name]
    for module in target.needs:
        build(module, ROOT / "ext" / "hubctl" / f"{module}.pyx", "hubctl")
    # What is not built here, the rows that the decoders share with Python, is found where it is.
    beside = f"__path__.append({str(ROOT / 'hubctl')!r})"
    (BUILD / "hubctl" / "__init__.py").write_text(f'"""The decoders, with sanitizers."""\n{beside}\n')
    build(target.module, HERE / f"{target.module}.pyx", "")


def start(name: str, executions: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Runs a target in a process of its own, which the sanitizer's runtime is loaded into first."""
    found = BUILD / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    corpus = HERE / "corpora" / name
    words = [
        name,
        f"-runs={executions}",
        f"-seed={seed}",
        f"-timeout={SECONDS_OF_AN_INPUT}",
        f"-max_len={TARGETS[name].n_bytes_max}",
    ]
    words += [
        f"-max_len={TARGETS[name].n_bytes_max}",
        "-print_final_stats=1",
        f"-artifact_prefix={BUILD}/crash-{name}-",
        str(found),
        str(corpus),
    ]
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    code = (
        f"import sys; sys.path[:0] = [{str(BUILD)!r}]; import {TARGETS[name].module} as target; "
        f"target.run(bytes.fromhex({setting(name).hex()!r}), {[word.encode() for word in words]!r})"
    )
    environment = os.environ | {
        "LD_PRELOAD": f"{build_fuzzer()} {clang_part('libclang_rt.asan-x86_64.so')}",
        "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0:malloc_context_size=0:quarantine_size_mb=4",
        "PYTHONPATH": os.pathsep.join([str(BUILD), *libraries]),
        "PYTHONMALLOC": "malloc",
    }
    return subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, cwd=BUILD, capture_output=True, text=True
    )


def fuzz(name: str, executions: int, seed: int) -> bool:
    """Fuzzes one target and says how it went; false if something was found."""
    prepare(name)
    began = time.monotonic()
    run = start(name, executions, seed)
    took_s = time.monotonic() - began
    done = re.search(r"stat::number_of_executed_units:\s+(\d+)", run.stderr)
    covered = re.findall(r"cov: (\d+)", run.stderr)
    if run.returncode or not done:
        print(f"{name}: FOUND SOMETHING (exit code {run.returncode})\n{run.stderr[-4000:]}", flush=True)
        return False
    edges = covered[-1] if covered else "?"
    print(f"{name}: {int(done[1]):,} inputs, {edges} edges, {took_s:.0f} s, no finding", flush=True)
    return True


def main() -> int:
    """The command; 1 if anything was found."""
    parser = argparse.ArgumentParser(
        description="Fuzz the decoders with libFuzzer under the address sanitizer."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all, if none is named")
    parser.add_argument("--executions", type=int, default=100_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="names the targets")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in TARGETS]
    if options.list or unknown:
        print(
            "\n".join(TARGETS) if options.list else f"no target {unknown[0]}: must be of {', '.join(TARGETS)}"
        )
        return 2 if unknown else 0
    if shutil.which("clang") is None:
        print("clang is missing (Debian: clang)", file=sys.stderr)
        return 2
    went_well = [fuzz(name, options.executions, options.seed) for name in options.targets or TARGETS]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
