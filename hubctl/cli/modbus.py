"""`hubctl modbus`: read, write, watch and find Modbus devices while they are being put into service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias, get_type_hints

import typer

from hubctl.cli.output import JSON_OPTION, print_json
from hubctl.cli.places import OnWire, Place, name_of, on_wire, place_of

if TYPE_CHECKING:
    from hubctl.cli.targets import Target
    from hubctl.core.address import Space
    from hubctl.io.modbus import ModbusClient

EXIT_NO_ANSWER = 1
UNIT_MAX = 247
SCAN_TIMEOUT_MS = 200
OBJECTS = ("vendor", "product", "revision", "address", "product name", "model", "application")

KEYWORD = Parameter.KEYWORD_ONLY

app = typer.Typer(no_args_is_help=True)

TargetArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="tcp://HOST:PORT, rtu+tcp://HOST:PORT, tls://HOST:PORT, a serial port; with --hub a node's name.",
    ),
]
PlaceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="PLACE",
        help='Where: "coil/3", "holding/0x2000"; from 0 as on the wire, or with --hub as the hub file numbers it.',
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option(JSON_OPTION, help="One object on standard output.")]


class Reaching(NamedTuple):
    """The options that say how a device is reached."""

    unit: Annotated[int | None, typer.Option(min=0, max=255, help="Modbus unit; default 1.")] = None
    timeout_ms: Annotated[
        int | None, typer.Option(min=1, max=60_000, help="For each answer, ms; default 1000, for a scan 200.")
    ] = None
    hub: Annotated[str | None, typer.Option(help="Hub file; TARGET is one of its nodes.")] = None
    baud: Annotated[int, typer.Option(help="Of a serial port.")] = 115_200
    parity: Annotated[str, typer.Option(help="Of a serial port: none, even or odd.")] = "none"
    stop_bits: Annotated[int, typer.Option(min=1, max=2, help="Of a serial port.")] = 1
    ca: Annotated[str, typer.Option(help="TLS: PEM file of the authority to trust.")] = ""
    cert: Annotated[str, typer.Option(help="TLS: PEM file of our certificate, with our role.")] = ""
    key: Annotated[str, typer.Option(help="TLS: PEM file of its private key.")] = ""
    server_name: Annotated[str, typer.Option(help="TLS: name in the device's certificate; default HOST.")] = (
        ""
    )

    def target(self, text: str) -> Target:
        """The device of a TARGET."""
        from hubctl.cli.targets import Keys, Line, target_of

        line = Line(self.baud, self.parity, self.stop_bits)
        keys = Keys(self.ca, self.cert, self.key, self.server_name)
        return target_of(text, unit=self.unit, timeout_ms=self.timeout_ms, hub=self.hub, line=line, keys=keys)


def reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `Reaching`, and hands them over as `reach`."""

    @wraps(command)
    def run(**given: Any) -> None:
        reach = Reaching(*(given.pop(name) for name in Reaching._fields))
        command(reach=reach, **given)

    hints = get_type_hints(command, include_extras=True) | get_type_hints(Reaching, include_extras=True)
    own = [parameter for parameter in signature(command).parameters.values() if parameter.name != "reach"]
    more = [Parameter(name, KEYWORD, default=default) for name, default in Reaching._field_defaults.items()]
    parameters = [one.replace(annotation=hints[one.name]) for one in (*own[:-1], *more, own[-1])]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


@app.callback()
def modbus() -> None:
    """Modbus devices: who they are, what they say, what they do when they are told."""


@contextmanager
def asking(text: str, target: Target) -> Iterator[ModbusClient]:
    """A client; whatever keeps it from true answers ends the command with a sentence."""
    from hubctl._wire import LocalError
    from hubctl.io.links import DialError
    from hubctl.io.modbus import ModbusClient, ModbusError

    try:
        gap_ms = target.profile.limits.gap_ms if target.profile else 0
        with ModbusClient(target.link, timeout_ms=target.timeout_ms, gap_ms=gap_ms) as client:
            yield client
    except (DialError, ModbusError) as failure:
        typer.echo(f"{text}: {failure}", err=True)
        raise typer.Exit(EXIT_NO_ANSWER) from None
    except LocalError as failure:
        raise typer.BadParameter(str(failure)) from None


@app.command("read")
@reaching
def read(
    target: TargetArgument,
    place: PlaceArgument,
    count: Annotated[
        int, typer.Option(min=1, max=65536, help="How many, in as many requests as needed.")
    ] = 1,
    block: Annotated[int, typer.Option(min=0, max=2000, help="At most so many in one request.")] = 0,
    *,
    reach: Reaching,
    as_json: JsonOption = False,
) -> None:
    """Read coils, discrete inputs or registers; exit 1 if there is no true answer."""
    found = reach.target(target)
    at = place_of(place)
    where = on_wire(found, at, count)
    with asking(target, found) as client:
        values = where.read(client, block)
    if as_json:
        print_json({"unit": found.unit, "place": name_of(at), "values": values})
        return
    for offset, value in enumerate(values):
        typer.echo(f"{name_of(at, offset):<16}{shown(at.space, value)}")


def shown(space: Space, value: int) -> str:
    """A bit as a word; a register as a number, with its sign and in hexadecimal digits."""
    if space <= 2:  # coils and discrete inputs
        return "on" if value else "off"
    signed = value - 0x10000 if value & 0x8000 else value
    return f"{value:5}  {signed:6}  {value:#06x}"


@app.command("write")
@reaching
def write(
    target: TargetArgument,
    place: PlaceArgument,
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE...", help="on or off for coils, numbers for registers.")
    ],
    raw: Annotated[
        bool,
        typer.Option(help="Function 5 with this number, as some relays take a pulse; PLACE as on the wire."),
    ] = False,
    *,
    reach: Reaching,
    as_json: JsonOption = False,
) -> None:
    """Write coils or holding registers, once, and read them back; exit 1 if they do not say so then."""
    found = reach.target(target)
    at = place_of(place)
    if raw and len(values) > 1:
        raise typer.BadParameter(f"{' '.join(values)}: --raw writes one number")
    numbers = [number_of(at, value, raw) for value in values]
    where = on_wire(found._replace(profile=None) if raw else found, at, len(numbers))
    with asking(target, found) as client:
        if raw:
            client.write_raw(found.unit, where.write_at, numbers[0])
        else:
            client.write(found.unit, at.space, where.write_at, numbers)
        back = numbers if raw else where.read(client)
    if as_json:
        print_json({"unit": found.unit, "place": name_of(at), "written": numbers, "read_back": back})
    elif back == numbers:
        typer.echo(f"{name_of(at)}: written" + ("" if raw else ", and read back"))
    if back != numbers:
        typer.echo(f"{name_of(at)}: written {numbers}, read back {back}", err=True)
        raise typer.Exit(EXIT_NO_ANSWER)


def number_of(place: Place, text: str, raw: bool) -> int:
    """A value to write."""
    is_coil = place.space == 1
    if place.space in (2, 4):
        raise typer.BadParameter(f"{name_of(place)}: only coils and holding registers can be written")
    if raw and not is_coil:
        raise typer.BadParameter(f"{name_of(place)}: --raw is for coils")
    if is_coil and not raw:
        if text not in ("on", "off", "1", "0"):
            raise typer.BadParameter(f"{text}: must be on or off")
        return int(text in ("on", "1"))
    try:
        value = int(text, 0)
    except ValueError:
        raise typer.BadParameter(f"{text}: must be a number") from None
    if not -0x8000 <= value <= 0xFFFF:
        raise typer.BadParameter(f"{text}: must be -32768 to 65535")
    return value & 0xFFFF


@app.command("identify")
@reaching
def identify(
    target: TargetArgument,
    *,
    reach: Reaching,
    as_json: JsonOption = False,
) -> None:
    """Ask a device who it is (function 43/14); exit 1 if it does not say."""
    found = reach.target(target)
    with asking(target, found) as client:
        objects = client.identify(found.unit).objects
    role = role_at(found)
    if as_json:
        print_json(
            {
                "unit": found.unit,
                "objects": {str(number): text for number, text in objects.items()},
                "role": role,
            }
        )
        return
    for number, text in sorted(objects.items()):
        typer.echo(f"{OBJECTS[number] if number < len(OBJECTS) else f'object {number}':<14}{text}")
    if reach.cert:
        typer.echo(
            f"{'our role':<14}{role or 'none in our certificate: a server that asks for one lets us do little'}"
        )


def role_at(target: Target) -> str | None:
    """The role that our certificate gives us."""
    from hubctl.core.hubfile import ModbusTlsLink
    from hubctl.io.tls import role_of

    return role_of(target.link.certificate) if isinstance(target.link, ModbusTlsLink) else None


@app.command("scan")
@reaching
def scan(
    target: TargetArgument,
    units: Annotated[str, typer.Option(help="Units to try.")] = f"1-{UNIT_MAX}",
    places: Annotated[
        str | None, typer.Option(help='Instead: which places on the wire one unit has, as "holding/0-99".')
    ] = None,
    *,
    reach: Reaching,
    as_json: JsonOption = False,
) -> None:
    """Find the units behind a link, or the places that a unit has; exit 1 if there are none."""
    found = reach._replace(timeout_ms=reach.timeout_ms or SCAN_TIMEOUT_MS).target(target)
    wanted = [] if places is None else places_of(places)
    tried = [] if wanted else span_of(units, 255)
    by_wire = found._replace(profile=None)
    with asking(target, found) as client:
        rows = [(f"unit {one}", told) for one in tried if (told := told_by(client, one))]
        for place in wanted:
            if value := held(client, on_wire(by_wire, place)):
                rows.append((name_of(place), shown(place.space, value[0])))
    if as_json:
        print_json({"found": [{"what": what, "says": says} for what, says in rows]})
    else:
        typer.echo("\n".join(f"{what:<16}{says}" for what, says in rows) or "nothing answers")
    if not rows:
        raise typer.Exit(EXIT_NO_ANSWER)


def span_of(text: str, most: int) -> range:
    """The numbers of "3", or of "1-247"."""
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit() or not int(first) <= int(last or first) <= most:
        raise typer.BadParameter(f"{text}: must be a number or a span up to {most}, like 1-20")
    return range(int(first), int(last or first) + 1)


def told_by(client: ModbusClient, unit: int) -> str:
    """How a unit answers; nothing if it does not. An exception is an answer too."""
    from hubctl._wire import Refusal
    from hubctl.core.address import Space
    from hubctl.io.modbus import ModbusError

    try:
        client.read(unit, Space.HOLDING, 0)
    except ModbusError as failure:
        gateway = failure.exception in (10, 11)
        return (
            ""
            if failure.refusal is Refusal.TIMEOUT or gateway
            else str(failure).partition(" ")[2].partition(" ")[2]
        )
    return "answers"


def places_of(text: str) -> list[Place]:
    """The places of a table and a span."""
    table, _, numbers = text.partition("/")
    space = place_of(f"{table}/0").space
    return [Place(space, number) for number in span_of(numbers, 65535)]


def held(client: ModbusClient, where: OnWire) -> list[int]:
    """What lies at a place; nothing if the device says that nothing does."""
    from hubctl.io.modbus import ModbusError

    try:
        return where.read(client)
    except ModbusError as failure:
        if failure.exception in (1, 2, 3):
            return []
        raise


@app.command("watch")
@reaching
def watch(
    target: TargetArgument,
    place: PlaceArgument,
    count: Annotated[int, typer.Option(min=1, max=2000, help="How many.")] = 1,
    period_ms: Annotated[int, typer.Option(min=1, max=60_000, help="From one question to the next.")] = 100,
    seconds: Annotated[float, typer.Option(min=0, help="How long; 0: until Ctrl-C.")] = 0,
    *,
    reach: Reaching,
    as_json: JsonOption = False,
) -> None:
    """Ask again and again, print what changes, and at the end how long answers took and what was refused."""
    found = reach.target(target)
    at = place_of(place)
    where = on_wire(found, at, count)
    until_s = time.monotonic() + seconds if seconds else float("inf")
    with asking(target, found) as client:
        n_changes = watched(partial(where.read, client), at, period_ms / 1000, until_s, quiet=as_json)
        told = summary_of(client) | {"changes": n_changes}
    if as_json:
        print_json(told)
    else:
        typer.echo("{answers} answers, p50 {p50_us} us, p99 {p99_us} us, max {max_us} us".format(**told))
        typer.echo("refused: " + (", ".join(f"{n} {kind}" for kind, n in told["refused"].items()) or "none"))


def watched(ask: Callable[[], list[int]], at: Place, period_s: float, until_s: float, *, quiet: bool) -> int:
    """Asks until the time is over or Ctrl-C; how many values changed."""
    n_changes = 0
    before: list[int] = []
    start_s = due_s = time.monotonic()
    try:
        while due_s < until_s:
            wait_until(due_s)
            due_s += period_s
            values = answered(ask)
            if values is None:
                continue
            for offset, value in enumerate(values):
                if before and value == before[offset]:
                    continue
                n_changes += bool(before)
                if not quiet:
                    since_s = time.monotonic() - start_s
                    typer.echo(f"{since_s:9.3f} s  {name_of(at, offset):<16}{shown(at.space, value)}")
            before = values
    except KeyboardInterrupt:
        return n_changes
    return n_changes


def wait_until(due_s: float) -> None:
    """Lets the time pass."""
    time.sleep(max(0.0, due_s - time.monotonic()))


def answered(ask: Callable[[], list[int]]) -> list[int] | None:
    """The answer; what was refused is said, counted by the client, and the watching goes on."""
    from hubctl.io.modbus import ModbusError

    try:
        return ask()
    except ModbusError as failure:
        typer.echo(str(failure), err=True)
        return None


def summary_of(client: ModbusClient) -> dict[str, Any]:
    """How long answers took, and what was refused."""
    took = sorted(client.round_trips_ns) or [0]
    return {
        "answers": len(client.round_trips_ns) - sum(client.refused.values()),
        "p50_us": took[len(took) // 2] // 1000,
        "p99_us": took[len(took) * 99 // 100] // 1000,
        "max_us": took[-1] // 1000,
        "refused": {kind.name.lower(): n for kind, n in client.refused.items()},
    }
