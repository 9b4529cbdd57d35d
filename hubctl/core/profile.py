"""Device profiles: what a make of Modbus device is like, as data, so that a new device needs no code.

A profile is a TOML file: where things are, how much fits into one request, how to know the device, how to bring it out
of its safe state, how to arm its watchdog and prove that it is armed. `load_profile` reads and checks one; all its
faults come in one `ConfigError`. Addresses in it are those on the wire, from 0; the numbers that a hub file uses are
those of its spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field

from hubctl.core.address import Space
from hubctl.core.config import ConfigError, Fault, Source, nearest
from hubctl.core.profilecheck import check_profile
from hubctl.core.shape import Section, read_shape

PACKAGED = "hubctl.profiles"
STEP_WORDS_MAX = 20  # written, or compared, by one step
WATCH_MS = 500  # for one round of what is watched on a device without a watchdog
KEEP_ALIVES = 3  # in the time that a watchdog waits


def _ascii(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII characters")
    return text


Wire: TypeAlias = Annotated[int, Field(ge=0, le=0xFFFF)]
Word: TypeAlias = Annotated[int, Field(ge=0, le=0xFFFF)]
Words: TypeAlias = Annotated[list[Word], Field(min_length=1, max_length=STEP_WORDS_MAX)]
TableName: TypeAlias = Literal["coil", "discrete", "holding", "input"]
Text: TypeAlias = Annotated[str, Field(max_length=400)]


class About(Section):
    """Which device it is."""

    name: str = Field(
        min_length=1, max_length=32, pattern="^[a-z0-9-]+$", description="as a hub file names it"
    )
    device: Text = Field(description="maker and models")
    notes: list[Text] = Field(default=[], max_length=16, description="what a person has to know or set")


class Limits(Section):
    """What one request may ask, and how fast they may come."""

    functions: list[int] = Field(
        min_length=1, max_length=32, description="Modbus functions that it knows; others bring exception 1"
    )
    read_bits: int = Field(2000, ge=1, le=2000, description="bits of one reply")
    write_bits: int = Field(1968, ge=1, le=1968, description="bits of one write")
    read_registers: int = Field(125, ge=1, le=125, description="registers of one reply")
    write_registers: int = Field(123, ge=1, le=123, description="registers of one write")
    in_flight: int = Field(1, ge=1, le=16, description="requests under way at once")
    gap_ms: int = Field(0, ge=0, le=1000, description="quiet between an answer and the next request")
    settle_ms: int = Field(0, ge=0, le=5000, description="quiet after a connection, before the first request")


class Span(Section):
    """Bits or registers that lie together."""

    first: int = Field(0, ge=0, le=0xFFFF, description="number of the first one in hub files")
    at: Wire = Field(0, description="its address on the wire")
    n: int = Field(ge=1, le=0x10000, description="how many")
    whole: bool = Field(False, description="true: a read must begin at its first one")
    about: Text = Field("", description="what they hold")

    def wire_of(self, number: int, width: int = 1) -> int | None:
        """Address on the wire of a hub file's number; None if so many are not in the span."""
        offset = number - self.first
        return self.at + offset if offset >= 0 and offset + width <= self.n else None


class Coils(Span):
    """Its outputs."""

    shown_at: Wire | None = Field(None, description="where function 1 shows the first one; default `at`")

    @property
    def shown_by(self) -> int:
        """How much further up function 1 shows an output than function 5 writes it."""
        return 0 if self.shown_at is None else self.shown_at - self.at


class Step(Section):
    """One request, and what its answer must say."""

    table: TableName = Field(description="what is read or written")
    at: Wire = Field(description="first address on the wire")
    write: list[Word | Literal["watchdog"]] | None = Field(
        None, max_length=STEP_WORDS_MAX, description='words to write; "watchdog" is the watchdog\'s time'
    )
    turns: Annotated[list[Word], Field(min_length=2, max_length=STEP_WORDS_MAX)] | None = Field(
        None, description="words to write into one register, one each time"
    )
    n: int | None = Field(None, ge=1, le=125, description="how many are read; default those compared")
    skip: int = Field(0, ge=0, le=124, description="of these, how many come before those compared")
    equals: list[Word | Literal["watchdog"]] | None = Field(
        None, max_length=STEP_WORDS_MAX, description="what they must be"
    )
    mask: Words | None = Field(None, description="bits of each that count; default all")
    one_of: Words | None = Field(None, description="what the one register may be")
    contains: Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_ascii)] | None = Field(
        None, description="text that the registers must have in them, high byte first"
    )
    optional: bool = Field(False, description="true: an exception to it does not matter")
    why: Text = Field("", description="what is wrong if the answer is another")

    @property
    def writes(self) -> bool:
        """Whether it writes."""
        return self.write is not None or self.turns is not None

    @property
    def n_things(self) -> int:
        """How many are read or written."""
        if self.write is not None:
            return len(self.write)
        if self.turns is not None:
            return 1
        return self.n or self.skip + len(self.equals or (0,))

    @property
    def function(self) -> int:
        """The Modbus function that does it."""
        space = Space[self.table.upper()]
        if not self.writes:
            return space
        one, several = (5, 15) if space is Space.COIL else (6, 16)
        return one if self.n_things == 1 else several


class Pulse(Section):
    """Outputs that the device itself switches off: a write of the time to an address of their own."""

    at: Wire = Field(description="address on the wire for the first output")
    unit_ms: int = Field(ge=1, le=10_000, description="of the time that is written")
    units_max: int = Field(ge=1, le=0xFFFF, description="longest pulse in units")


class Safe(Section):
    """The state in which the device holds its outputs safe until it is told to go on."""

    exception: int = Field(0, ge=0, le=255, description="by which it answers everything then; 0: by none")
    clear: list[Step] = Field(default=[], max_length=8, description="how it is left")


class Watchdog(Section):
    """How the device is told to be safe when nobody speaks to it."""

    unit_ms: int = Field(ge=1, le=10_000, description="of its time")
    ms_min: int = Field(ge=1, le=60_000, description="shortest time")
    ms_max: int = Field(ge=1, le=60_000, description="longest time")
    arm: list[Step] = Field(
        min_length=2, max_length=12, description="how it is armed; the last steps read back that it is"
    )
    keep: list[Step] = Field(default=[], max_length=4, description="what is written to keep it from acting")


class NamedCounter(Section):
    """A counter that a belt can be followed by."""

    name: str = Field(min_length=1, max_length=32, description="what the maker calls it")
    table: Literal["holding", "input"] = Field(description="where it is")
    number: Wire = Field(description="of its first register, as a hub file has it")
    bits: Literal[16, 24, 32] = Field(description="width after which it wraps")


class Drive(Section):
    """Holding registers of a drive, by their addresses on the wire."""

    control: Wire = Field(description="where run and stop are written")
    run: Word = Field(description="written to run")
    stop: Word = Field(description="written to stop")
    setpoint: Wire = Field(description="where the speed is written")
    full: Word = Field(description="setpoint of full speed")
    setpoint_max: Word = Field(description="highest setpoint it takes")
    actual: Wire | None = Field(
        None, description="where the speed it runs at is read, in the unit of the setpoint; absent: nowhere"
    )


class Profile(Section):
    """A whole profile."""

    model_config = ConfigDict(title="hubctl device profile")

    profile: About = Field(description="which device it is")
    limits: Limits = Field(description="what one request may ask, and how fast they may come")
    word_order: Literal["high_first", "low_first"] = Field(
        "high_first", description="which register of a wide counter comes first"
    )
    coils: Coils | None = Field(None, description="its outputs; absent: none")
    discrete: Span | None = Field(None, description="its inputs; absent: none")
    holding: list[Span] = Field(default=[], max_length=64, description="its holding registers")
    input: list[Span] = Field(default=[], max_length=64, description="its input registers")
    counters: list[NamedCounter] = Field(default=[], max_length=64, description="its counters")
    identity: list[Step] = Field(
        min_length=1, max_length=8, description="what proves that it is the device, before anything else"
    )
    safe: Safe = Field(Safe(exception=0), description="the state in which it holds its outputs safe")
    watchdog: Watchdog | None = Field(None, description="absent: it has none that Modbus arms")
    watch: list[Step] = Field(
        default=[], max_length=4, description="what is read again and again; another answer takes it down"
    )
    pulse: Pulse | None = Field(None, description="absent: the host switches outputs off")
    drive: Drive | None = Field(None, description="absent: it drives no belt")

    @property
    def name(self) -> str:
        """As a hub file names it."""
        return self.profile.name

    def spans(self, space: Space) -> list[Span]:
        """The spans of one Modbus table."""
        if space is Space.COIL:
            return [self.coils] if self.coils else []
        if space is Space.DISCRETE:
            return [self.discrete] if self.discrete else []
        return self.holding if space is Space.HOLDING else self.input

    def span_of(self, space: Space, number: int, width: int = 1) -> Span | None:
        """The span that holds so many from a hub file's number on, or None."""
        fitting = (span for span in self.spans(space) if span.wire_of(number, width) is not None)
        return next(fitting, None)

    def counter_at(self, space: Space, number: int) -> NamedCounter | None:
        """The counter that begins at a hub file's number, or None."""
        at_place = (c for c in self.counters if Space[c.table.upper()] is space and c.number == number)
        return next(at_place, None)

    def steps(self) -> list[tuple[str, Step]]:
        """Every step that brings it up and keeps it up, with the section it stands in, in order."""
        arm = self.watchdog.arm if self.watchdog else []
        keep = self.watchdog.keep if self.watchdog else []
        sections = (
            ("identity", self.identity),
            ("safe.clear", self.safe.clear),
            ("watchdog.arm", arm),
            ("watchdog.keep", keep),
            ("watch", self.watch),
        )
        return [(section, step) for section, steps in sections for step in steps]

    def keep_ms(self, watchdog_ms: int, n_steps: int) -> int:
        """Between two of so many steps that keep it up and watch it."""
        round_ms = watchdog_ms // KEEP_ALIVES if self.watchdog else WATCH_MS
        return max(round_ms // max(n_steps, 1), 1)


def load_profile(file: Path) -> Profile:
    """Read and check a profile.

    Raises
    ------
    ConfigError
        With every fault of the file.
    """
    source = Source.read(file)
    profile = read_shape(Profile, source)
    check_profile(profile, source)
    source.raise_if_faulty()
    return profile


@cache
def resolve_profile(name_or_path: str) -> Profile:
    """The profile of a file, or the packaged one of that name; it is read once."""
    return load_profile(profile_path(name_or_path))


def profile_path(name_or_path: str) -> Path:
    """The file that is meant: a path that ends in `.toml`, or the name of a packaged profile."""
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    packaged = Path(str(resources.files(PACKAGED))) / f"{name_or_path}.toml"
    if name_or_path not in profile_names():
        hint = nearest(name_or_path, profile_names())
        message = "no profile of that name; a file must end in .toml"
        raise ConfigError([Fault(name_or_path, 1, "", "", "", message, hint)])
    return packaged


def profile_names() -> list[str]:
    """Names of the packaged profiles."""
    names = (entry.name for entry in resources.files(PACKAGED).iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def word_of(word: int | str, profile: Profile, watchdog_ms: int) -> int:
    """A step's word as it travels: `watchdog` is the watchdog's time in its unit."""
    if isinstance(word, int):
        return word
    assert profile.watchdog is not None
    return watchdog_ms // profile.watchdog.unit_ms


def written(at: int, word: int, why: str) -> Step:
    """A step that writes one register."""
    return Step.model_validate({"table": "holding", "at": at, "write": [word], "why": why})


def proved(at: int, word: int, why: str) -> Step:
    """A step that reads one register, which must have that value."""
    return Step.model_validate({"table": "holding", "at": at, "equals": [word], "why": why})


def answered(at: int, why: str) -> Step:
    """A step that reads one register, whatever it holds."""
    return Step.model_validate({"table": "holding", "at": at, "why": why})


def step_words(step: Step) -> str:
    """What a step asks, for a person: `holding 0x2011 must be 750`."""
    place = f"{step.table} {step.at + step.skip:#06x}"
    if step.contains is not None:
        return f'{place} must contain "{step.contains}"'
    if step.turns is not None or step.write is not None:
        return f"write {_listed(step.turns or step.write or [])} to {place}"
    if step.one_of is not None:
        return f"{place} must be one of {_listed(step.one_of)}"
    if step.equals is not None:
        masked = f" in the bits {_listed(step.mask)}" if step.mask else ""
        return f"{place} must be {_listed(step.equals)}{masked}"
    return f"{place} must answer"


def _listed(words: Sequence[int | str]) -> str:
    return ", ".join(map(shown_word, words))


def shown_word(word: int | str) -> str:
    """A word for a person: small ones as numbers, others as patterns.

    >>> shown_word(750), shown_word(0xAA55)
    ('750', '0xaa55')
    """
    return f"{word:#06x}" if isinstance(word, int) and word > 999 else str(word)
