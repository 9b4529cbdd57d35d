"""`hubctl profile`: device profiles, checked and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.core.profile import Profile, Span

app = typer.Typer(no_args_is_help=True)


@app.callback()
def profile() -> None:
    """Device profiles: what a make of Modbus device is like."""


@app.command("check")
def check_file(
    file: Annotated[str, typer.Argument(help="Profile, a TOML file, or the name of a packaged one.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Check a profile; exit 2 with every fault if it has one."""
    from hubctl.core.profile import load_profile, profile_path

    checked = load_profile(profile_path(file))
    if as_json:
        print_json({"profile": checked.name, "faults": []})
    else:
        typer.echo(f"profile {checked.name}: {checked.profile.device}\nno faults")


@app.command("show")
def show(
    name: Annotated[
        str | None, typer.Argument(help="Name, or a TOML file; without one, all of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of profiles.")] = False,
) -> None:
    """Show what a profile says of its device, or list the packaged ones."""
    from hubctl.core.profile import Profile, profile_names, resolve_profile

    if schema:
        print_json(Profile.model_json_schema())
        return
    shown = [resolve_profile(each) for each in ([name] if name else profile_names())]
    if as_json:
        print_json({"profiles": [each.model_dump() for each in shown]})
    elif name:
        typer.echo("\n".join(_lines(shown[0])))
    else:
        width = max(len(each.name) for each in shown)
        typer.echo("\n".join(f"{each.name:{width}}  {each.profile.device}" for each in shown))


def _lines(shown: Profile) -> list[str]:
    from hubctl.core.profile import step_words

    limits = shown.limits
    lines = [
        f"{shown.name}: {shown.profile.device}",
        f"functions {', '.join(map(str, limits.functions))}; a request reads at most {limits.read_bits} bits or "
        f"{limits.read_registers} registers, writes {limits.write_bits} or {limits.write_registers}",
    ]
    if limits.gap_ms or limits.settle_ms or limits.in_flight > 1:
        lines.append(
            f"{limits.in_flight} in flight, {limits.gap_ms} ms between answer and request, "
            f"{limits.settle_ms} ms after a connection"
        )
    lines += _places(shown)
    lines += [f"{section}: {step_words(step)}" for section, step in shown.steps()]
    lines += [f"- {note}" for note in shown.profile.notes]
    return lines


def _places(shown: Profile) -> list[str]:
    """What a hub file can name."""
    lines = []
    if shown.coils:
        lines.append(_span("coil", shown.coils))
        if shown.coils.shown_by:
            lines[-1] += f", read back from {shown.coils.shown_by + shown.coils.at:#06x} on"
    if shown.discrete:
        lines.append(_span("discrete", shown.discrete))
    lines += [_span("holding", span) for span in shown.holding]
    lines += [_span("input", span) for span in shown.input]
    order = shown.word_order.replace("_", " word ")
    lines += [f"counter {c.name}: {c.table}/{c.number}, {c.bits} bits, {order}" for c in shown.counters]
    if shown.pulse:
        lines.append(f"pulses timed by the device, in steps of {shown.pulse.unit_ms} ms")
    if shown.watchdog:
        lines.append(f"watchdog of {shown.watchdog.ms_min} to {shown.watchdog.ms_max} ms")
    if shown.drive:
        lines.append(f"drives a belt: {shown.drive.full} is full speed")
    return lines


def _span(table: str, span: Span) -> str:
    numbers = f"{table}/{span.first}" + (f" to {table}/{span.first + span.n - 1}" if span.n > 1 else "")
    whole = ", read from its first one on" if span.whole else ""
    about = f": {span.about}" if span.about else ""
    return f"{numbers} on the wire from {span.at:#06x}{whole}{about}"
