"""What a simulated hub is made of: the rows of its tables, their limits, and the words for what happens.

Lengths are in micrometres, times in ns, weights in g. Sizes are limits, so that the loop is compiled once for
every hub.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

ON_BELT = -1
TAKEN_OFF = -2
NOT_YET = -3
NOT_PUT = -4  # nobody found room for it

N_BELTS_MAX = 4
N_INDUCTS_MAX = 16
HAND = N_INDUCTS_MAX  # source of what is put onto belt 0 by hand; belt b: HAND + b
N_SOURCES = N_INDUCTS_MAX + N_BELTS_MAX
N_EYES_MAX = 256
N_SCANNERS_MAX = 32
N_SCALES_MAX = 32
N_DIVERTERS_MAX = 1024
N_CHUTES_MAX = 4096
N_EVENTS_MAX = 1 << 15  # events awaited at once, on each belt and in time: six a parcel on the belt


class Outcome(IntEnum):
    """What a scanner makes of a parcel."""

    NO_READ = 0
    READ = 1
    DOUBLED = 2  # its telegram comes twice
    OTHER = 3  # the other label that the parcel carries
    BOTH = 4  # two telegrams, one for each label
    GARBLED = 5  # a code that is no label


class Text(IntEnum):
    """What a telegram says."""

    NO_READ = 0
    LABEL = 1
    OTHER = 2
    GARBAGE = 3


class WriteFate(IntEnum):
    """What becomes of the write of an output."""

    DONE = 0
    LOST = 1  # said to be done, and not done
    NODE_DOWN = 2  # not done, and said so
    MISSED = 3  # too late, and said so


class Happens(IntEnum):
    """What the world's devices notice."""

    EYE = 0  # device=eye, value 1 blocked, 0 cleared
    TELEGRAM = 1  # device=scanner, value=Text about `parcel`
    CONFIRM = 2  # device=chute, value 1 blocked, 0 cleared
    LEVEL = 3  # device=chute, value 1 full, 0 not
    LINK = 4  # device=link, value 0 dropped, 1 back
    BEGINS = 5  # device=kind of mishap, value=its row in `mishaps`
    ENDS = 6
    HOME = 7  # device=diverter, value 1 its paddle is home, 0 out
    WEIGHED = 8  # device=scale
    FETCHED = 9  # a person has taken `parcel` off a carrier that fails
    MENDED = 10  # device=belt, value=carrier that a person puts into use again
    SCANNED = 11  # device=scanner, whose telegram says at which count


class Cause(IntEnum):
    """How a parcel left a belt."""

    NONE = 0
    FIRED = 1  # a paddle took it that an output had moved
    SWEPT = 2  # a paddle took it that should have gone home
    END = 3  # over the belt's end
    HAND = 4  # a person took it off


class Moved(IntEnum):
    """Whether a parcel is where the belt alone would have brought it."""

    NO = 0
    SEEN = 1  # it is not, and an eye has seen it since
    UNSEEN = 2  # and none has


class Mishap(IntEnum):
    """What befalls devices for a while. Each is the fault of the same name in small letters."""

    LINK_DROP = 0  # device=link
    SCANNER_SILENT = 1  # device=scanner
    BELT_STOPS = 2  # device=belt
    BELT_SLOWS = 3  # device=belt, value=speed in um/s
    BELT_JOGS = 4  # device=belt, value=um that it goes back
    DIVERTER_STUCK_OUT = 5  # device=diverter: out at its next fire, it does not go home
    CHUTE_FLAPS = 6  # device=chute, value=ns between two changes of its full eye
    ENCODER_SCALE = 7  # device=belt, value=ppm that it counts too much
    ENCODER_STOPS = 8  # device=belt: the counter stands while the belt runs
    ENCODER_RESETS = 9  # device=belt: the counter begins at 0
    EYE_CHATTER = 10  # device=eye, value=ns from an edge to the false ones that follow it
    EYE_STUCK_ON = 11  # device=eye
    EYE_STUCK_OFF = 12  # device=eye
    DIVERT_UNCONFIRMED = 13  # device=chute: its eye sees nobody
    SLOW_NODE = 14  # device=node, value=ns that it tells late
    HOST_SILENT = 15
    HOST_LATE = 16
    PLAN_SWAP = 17
    RESTART = 18
    STALL = 19
    GARBAGE = 20  # device=scanner
    CLOCK_JUMP = 21  # value=s that the wall clock jumps
    CHUTE_CLOSED = 22  # device=chute: a person closes it, and opens it again
    BAG_CHANGE = 23  # device=chute: it is closing, its bag is changed, it is open again
    INTERCEPT = 24  # the label of the parcel is put on the list
    HOLD_BACK = 25  # the same, on the other list
    CHANGE = 26  # device=chute: the parcel shall go there
    CODE = 27  # a person says which label the parcel carries
    TELL_TAKEN_OFF = 28  # a person says that the parcel is off the belt, and it is
    CARRIER_MISSED = 29  # device=loop: its carrier eye misses the next carrier
    ORIGIN_MISSED = 30  # device=loop: its origin eye misses the next origin
    ORIGIN_DOUBLED = 31  # device=loop, value=um behind the next origin where it is seen again
    TILT_FAILS = 32  # device=carrier: whoever lies on it stays there
    CARRIER_OUT = 33  # device=carrier: a person takes it out of use, and puts it into use again
    LAUNCH_FAILS = 34  # device=induct
    MACHINE_HELD = 35  # a person holds the machine, and lets it go on
    MACHINE_STOPPED = 36  # a person stops it, resets it and starts it
    SAFETY_TRIPPED = 37  # the hard-wired chain stops all belts; a person clears, resets and starts


PARCEL = np.dtype(
    [
        ("start_um", "<i8"),  # belt travel at which its leading edge is (or would be) at 0 mm
        ("length_um", "<i8"),
        ("label_um", "<i8"),  # the label's place behind the leading edge
        ("gap_um", "<i8"),  # its induct keeps it so far behind the one before
        ("put_um", "<i8"),  # put on by hand with its leading edge here; -1: inducted
        ("removed_um", "<i8"),  # taken off by hand when its leading edge is here; -1: never
        ("slip_at_um", "<i8"),  # here it slips back by `slip_um`, as far as there is room
        ("slip_um", "<i8"),
        ("stands_at_um", "<i8"),  # here it stands for `stands_ns`, and whoever comes behind it
        ("stands_ns", "<i8"),
        ("slip_ppm", "<i8"),
        ("lane", "<i4"),  # where its label says it goes, as a lane of the plan; -1: nowhere
        ("other_lane", "<i4"),  # the same of its other label, if it carries one
        ("fills_chute", "<i4"),  # the chute it lands in is full from then on, until emptied
        ("mishap", "<i4"),  # first row of `mishaps` that begins as it is inducted; -1: none
        ("source", "<i4"),  # the induct it comes by, counted over the induct eyes
        ("belt", "<i4"),  # the belt it is put on by hand
        ("beside", "<i4"),  # the parcel it lies beside; -1: none
        ("weight_g", "<i4"),
        ("width_mm", "<i4"),
        ("height_mm", "<i4"),
        ("falls_off", "<i4"),  # it falls down where it should come onto another belt
        ("fates", "<i8"),  # bit n: fault n of `Faults` is its fate
    ]
)

READ = np.dtype(
    [
        ("outcome", "<i4"),  # Outcome
        ("delay_ms", "<i4"),  # from the scan line to the telegram
        ("counts", "<i8"),  # what the belt's counter showed when it was under the scan line
        ("trigger", "<i8"),  # how many the eye that triggers the scanner had seen with it
    ]
)

MISHAP = np.dtype(
    [
        ("parcel", "<i4"),  # begins as this one is inducted
        ("kind", "<i4"),  # Mishap
        ("device", "<i4"),
        ("reserved", "<i4"),
        ("value", "<i8"),
        ("for_ns", "<i8"),  # and ends so much later; 0: at once
        ("began_ns", "<i8"),  # when it did; 0: not yet
    ]
)

PROGRESS = np.dtype(
    [
        ("origin_um", "<i8"),  # travel of its belt at which its leading edge was at 0 mm
        ("stood_um", "<i8"),  # it stands here while the belt runs; -1: it runs too
        ("inducted_ns", "<i8"),
        ("landed_ns", "<i8"),
        ("scanned", "<i8"),  # bit n: past scanner n; bit 32 + n: past scale n
        ("via", "<i8"),  # belts it was passed on to: the last in the lowest 4 bits, counted from 1
        ("fates", "<i8"),  # the same of faults that came to its diverts
        ("track", "<i8"),  # the kernel's number for it, where that is known; 0: not
        ("next_lead", "<i4"),  # eye the leading edge comes to next
        ("next_trail", "<i4"),
        ("next_diverter", "<i4"),
        ("belt", "<i4"),
        ("ahead", "<i4"),  # on its belt; -1: nobody
        ("behind", "<i4"),
        ("epoch", "<i4"),
        ("landed", "<i4"),  # chute index, or ON_BELT, TAKEN_OFF, NOT_YET, NOT_PUT
        ("cause", "<i4"),  # Cause of its landing
        ("has_slipped", "<i4"),
        ("has_stood", "<i4"),
        ("n_looks", "<i4"),  # how often it came by a load eye
        ("reserved", "<i4"),
        ("n_passed_on", "<i4"),  # how often it went over to another belt, or to the start of its own
        ("moved", "<i4"),  # Moved: it slipped, stood or was run into
        ("as_one", "<i4"),  # the last parcel that an eye took for one with it; -1
        ("joint_um", "<i8"),  # what its last eye took for one with it began so far before it
        ("as_one_um", "<i8"),  # the least that an eye has seen of it and `as_one`, with those ahead of them
        ("seen_ns", "<i8"),  # when its leading edge came to the last eye
        ("seen_eye", "<i8"),  # which that was
    ]
)

TAKEN = np.dtype(
    [
        ("t_ns", "<i8"),  # its centre was at the paddle
        ("beside_um", "<i8"),  # from its centre to the nearest of its neighbours
        ("parcel", "<i4"),
        ("chute", "<i4"),
        ("cause", "<i4"),
        ("neighbour", "<i4"),  # -1: there is none
        ("seen_ns", "<i8"),  # of its progress, then
        ("seen_eye", "<i4"),
        ("moved", "<i4"),
    ]
)

AS_ONE = np.dtype(
    [
        ("parcel", "<i4"),
        ("ahead", "<i4"),  # an eye took the two for one
        ("whole_um", "<i8"),  # and saw so much of them
        ("eye", "<i8"),
    ]
)

HAPPENING = np.dtype(
    [
        ("t_ns", "<i8"),
        ("kind", "<i4"),
        ("device", "<i4"),
        ("value", "<i4"),
        ("parcel", "<i4"),
    ]
)

BELT = np.dtype(
    [
        ("base_ns", "<i8"),  # the belt had run `base_um` then
        ("base_um", "<i8"),
        ("speed_um_s", "<i8"),
        ("design_um_s", "<i8"),
        ("told_um_s", "<i8"),  # as fast as it is told to run
        ("cap_um_s", "<i8"),  # and as it can
        ("n_stops", "<i8"),  # mishaps under way
        ("n_slows", "<i8"),
        ("n_jogs", "<i8"),
        ("end_um", "<i8"),
        ("end_chute", "<i8"),
        ("first_eye", "<i8"),
        ("end_eye", "<i8"),
        ("first_diverter", "<i8"),
        ("end_diverter", "<i8"),
        ("first", "<i8"),  # parcel furthest down; -1: none
        ("last", "<i8"),
        ("ring_um", "<i8"),  # once round; 0: it is no loop
        ("pitch_um", "<i8"),
        ("carrier_um", "<i8"),  # the longest parcel that one carrier takes
        ("n_carriers", "<i8"),
        ("first_carrier", "<i8"),  # among those of all loops
        ("origin_eye", "<i8"),  # -1: it has none
        ("carrier_eye", "<i8"),
        ("n_carriers_missed", "<i8"),  # flags that will not be seen
        ("n_origins_missed", "<i8"),
        ("doubled_um", "<i8"),  # the next origin is seen again so far behind it; 0: it is not
        ("n_to_leave", "<i8"),  # parcels that are still to leave the loop
        ("last_left_um", "<i8"),  # it had run so far when the last one did
        ("next_ns", "<i8"),  # when the first event comes
        ("n_travel", "<i8"),
        ("travel_keys", "<i8", (N_EVENTS_MAX,)),
        ("travel_payloads", "<i8", (N_EVENTS_MAX,)),
    ]
)

# One row, so that a compiled function takes one pointer.
CORE = np.dtype(
    [
        ("now_ns", "<i8"),
        ("n_belts", "<i8"),
        ("n_eyes", "<i8"),
        ("n_scanners", "<i8"),
        ("n_diverters", "<i8"),
        ("n_happened", "<i8"),
        ("n_fires", "<i8"),
        ("n_taken", "<i8"),  # all there were; those without room in `taken` are not in it
        ("n_as_one", "<i8"),  # the same of `as_one`
        ("n_timed", "<i8"),
        ("harm_ns", "<i8"),  # fires fail for so long from the start, and then
        ("heal_ns", "<i8"),  # for so long they do not, and so on; 0: always
        ("eyes_um", "<i8", (N_EYES_MAX,)),
        ("eye_source", "<i8", (N_EYES_MAX,)),  # for an induct eye its induct; -1
        ("debounce_um", "<i8", (N_EYES_MAX,)),  # a shorter gap is not seen
        ("is_load_eye", "<i8", (N_EYES_MAX,)),
        ("over_eye", "<i8", (N_EYES_MAX,)),  # parcels that block each eye
        ("n_seen", "<i8", (N_EYES_MAX,)),  # how often each was blocked
        ("was_over_eye", "<i8", (N_EYES_MAX,)),  # the same before a jog
        ("tails_at_eye", "<i8", (N_EYES_MAX,)),  # of these, parcels whose leading edge is on the next belt
        ("scanners_um", "<i8", (N_SCANNERS_MAX,)),
        ("scanner_belt", "<i8", (N_SCANNERS_MAX,)),
        ("scanner_trigger", "<i8", (N_SCANNERS_MAX,)),  # the eye that triggers it; -1
        ("scanner_latches", "<i8", (N_SCANNERS_MAX,)),  # it takes the belt's counter as it reads
        ("is_trigger", "<i8", (N_EYES_MAX,)),  # of some scanner
        ("n_scales", "<i8"),
        ("scales_um", "<i8", (N_SCALES_MAX,)),
        ("scale_belt", "<i8", (N_SCALES_MAX,)),
        ("scale_late_ns", "<i8", (N_SCALES_MAX,)),  # from the weighing to its result
        ("delivered_ns", "<i8", (N_SCANNERS_MAX,)),  # last telegram of each scanner: they come in order
        ("diverters_um", "<i8", (N_DIVERTERS_MAX,)),
        ("diverter_belt", "<i8", (N_DIVERTERS_MAX,)),
        ("latency_ns", "<i8", (N_DIVERTERS_MAX,)),
        ("has_home", "<i8", (N_DIVERTERS_MAX,)),  # it tells where its paddle is
        ("n_stuck", "<i8", (N_DIVERTERS_MAX,)),  # mishaps that keep it out
        ("paddle_chute", "<i8", (N_DIVERTERS_MAX,)),  # where the paddle leads that is out; -1: it is home
        ("n_pushes", "<i8", (N_DIVERTERS_MAX,)),  # outputs that hold it out; 0 while it is stuck there
        ("moves", "<i8", (N_CHUTES_MAX,)),  # the last fire into this chute moves its paddle
        ("chute_diverter", "<i8", (N_CHUTES_MAX,)),  # -1: at a belt's end
        ("chute_to_belt", "<i8", (N_CHUTES_MAX,)),  # the belt it leads onto; -1
        ("chute_to_um", "<i8", (N_CHUTES_MAX,)),
        ("slide_ns", "<i8", (N_CHUTES_MAX,)),  # from the paddle to the chute eye, of a parcel's centre
        ("n_landed", "<i8", (N_CHUTES_MAX,)),
        ("tilts", "<i8", (N_CHUTES_MAX,)),  # of a loop: the last fire into it moves a carrier
        ("tilt_um", "<i8", (N_CHUTES_MAX,)),  # travel of the loop when it began to
        ("tilt_ns", "<i8", (N_CHUTES_MAX,)),  # and when
        ("source_belt", "<i8", (N_SOURCES,)),
        ("source_eye", "<i8", (N_SOURCES,)),
        ("source_at_um", "<i8", (N_SOURCES,)),  # where parcels come down that enter there
        ("source_first", "<i8", (N_SOURCES,)),  # the first who will; -1
        ("source_held", "<i8", (N_SOURCES,)),
        ("source_sticks", "<i8", (N_SOURCES,)),  # mishaps that keep an induction from launching
        ("source_waits", "<i8", (N_SOURCES,)),  # who waits there while it is held; -1
        ("timed_keys", "<i8", (N_EVENTS_MAX,)),
        ("timed_payloads", "<i8", (N_EVENTS_MAX,)),
    ]
)


def blank_parcels(n: int) -> npt.NDArray[Any]:
    """Rows of PARCEL whose fate is to be inducted and nothing else, shape (n,)."""
    parcels = np.zeros(n, PARCEL)
    for name in ("put_um", "removed_um", "mishap", "beside", "other_lane"):
        parcels[name] = -1
    return parcels


class World(NamedTuple):
    """The state of a simulated hub."""

    core: npt.NDArray[Any]  # CORE, shape (1,)
    belts: npt.NDArray[Any]  # BELT, shape (n_belts,)
    parcels: npt.NDArray[Any]  # PARCEL, shape (n,), in order of entry
    next_of: npt.NDArray[np.int64]  # shape (n,): the parcel that enters after each one in the same place; -1
    reads: npt.NDArray[Any]  # READ, shape (n, n_scanners)
    mishaps: npt.NDArray[Any]  # MISHAP, in order of the parcels that they begin with; one row at least
    progress: npt.NDArray[Any]  # PROGRESS, shape (n,)
    taken: npt.NDArray[Any]  # TAKEN: what the paddles did, in order of time
    as_one: npt.NDArray[Any]  # AS_ONE
    happened: npt.NDArray[Any]  # HAPPENING: what the last event made the devices notice
    fire_fails: npt.NDArray[np.bool_]  # the k-th fire moves nothing
    carriers: npt.NDArray[np.int64]  # of all loops: whose middle is nearest; -1: nobody's. One at least
    spoiled: npt.NDArray[np.int64]  # of the same: mishaps that keep each from discharging
