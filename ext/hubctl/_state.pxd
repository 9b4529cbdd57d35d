"""The kernel's memory: one block taken at start, all of it indices and integers, so that a snapshot is a copy.

`State` holds pointers into the block and the plan; everything else lives in the block. A track is a row
number; -1 is none. Down is the way the belt runs: the parcel ahead is `ahead`, the one behind it `behind`.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from hubctl._records cimport NO_COUNTS, NO_INDEX, N_REASONS, Record
from hubctl._tables cimport Belt, Chute, Diverter, Eye, Host, Lane, Ring, Scale, Scanner, Step, Wave
from hubctl._tables cimport Machine as MachineTable

cdef enum:
    NOBODY = -1
    N_SAMPLES = 16            # encoder samples kept for the speed
    N_STANDING_EDGES = 4      # blocked eyes, each another than before, while the counts stand: they are frozen
    N_STEPS = 3               # parcels in a row that an eye sees where they should be, after it missed N_ASTRAY: it is in step
    N_ASTRAY = 2
    N_BLIND = 4               # parcels in a row that an eye missed and the next one saw: it is blind
    N_CHATTERS = 5            # gaps and blips at an eye, never N_CALM parcels without one in between: it chatters
    N_CALM = 4
    N_DRIFT = 64              # parcels seen, over which an average error is worked out
    DRIFT_PPM = 2000          # a change of it that is worth telling: 2 mm a metre
    N_STRAIN = 16             # parcels seen, after which an error is mostly forgotten
    STRAIN_FROM = 500         # thousandths of the windows that the errors eat: the belt drifts
    STRAIN_UNTIL = 250        # and no longer does
    N_IMPOSSIBLE = 2          # samples in a row that no belt can have run to: the counter has begun anew
    SAMPLE_SPACING_NS = 10000000  # 16 samples 10 ms apart: speed over 160 ms
    SLOT_SHIFT = 6            # a slot of the wheel is 64 counts: few enough slots to stay in the cache
    N_CANDIDATES_MAX = 64     # chutes tried for one parcel: one bit each
    N_GROUPS_MAX = 256        # groups whose turns are kept
    N_LISTED = 2048           # places for labels on lists, a power of two; half of them are used
    N_RATE_SLOTS = 8          # a period is looked at in so many parts, and one more for the part begun
    ROOM_MIN = 128            # records kept free for what one thing may say: every candidate, and what follows
    N_WILD = 16               # labels of nobody that are remembered
    LATE_READ_NS = 3000000000 # a telegram may be so late and still come
    N_TRIGGERS = 16           # edges kept of those that trigger a scanner
    N_QUESTIONS = 1024        # to the host, the last that are remembered, a power of two

cdef enum TrackState:
    FREE = 0
    ON_BELT = 1       # no divert planned: runs to the belt's end
    ROUTED = 2        # a divert is planned, its node perhaps told of it, and may still change
    COMMITTED_TRACK = 3  # the divert waits for its count
    FIRED_TRACK = 4   # told to divert: possibly still on the belt

cdef enum TrackMark:
    STRAY = 1            # an eye saw it that expected nobody
    LABELLED = 2         # a valid label is held
    EYE_PASSED = 4       # fired: not seen at the next eye
    CONFIRM_OVER = 8     # fired: its chute eye had its time
    BARRED = 16          # goes to the exception whatever its label says
    CONTRADICTED = 32    # two different doubtful reads
    DIRECTED = 8192      # a person or the host said which chute
    CODED_LABEL = 64     # a person or the host said which label it carries: scanners change it no more
    COMES_OVER = 128     # from another belt, and no eye of this one has seen it yet
    UNPROVED = 256       # the last eye did not see it: it is lost, or the eye is blind
    ARMED = 512          # its node was told of its divert, and has not said what became of it
    SUSPECT = 1024       # a stray that lies where another track was lost: it may be that one
    MAY_BE_ANOTHER = 4096  # it came by an eye that a jam covered, or that had just missed several: it may be one behind it
    NOT_TOLD = 2048      # its node is told of its divert no sooner than at the commit, unless something changes

cdef struct Load:
    int64_t n_parcels
    int64_t weight_g
    int64_t volume_ml

cdef struct Track:
    int64_t parcel
    int64_t origin_counts     # count at which its leading edge is at 0 mm
    int64_t from_counts       # where it came onto its belt
    int64_t seen_counts       # the place on its belt where its position was last exact
    int64_t length_counts     # -1 until its trailing edge has passed the induct eye
    int64_t opened_ns
    int64_t timer_counts      # when the wheel looks at it next
    int64_t heap_key          # fire counts while committed, end of the confirm window in ns once fired
    int64_t fire_counts
    int64_t fired_ns
    int64_t told_counts       # armed: where, as its node was told last
    uint64_t identity         # of the label held
    uint64_t doubt            # identity of the doubtful read
    uint64_t belts            # bit b: it has been on belt b in this lap
    int64_t label_place       # how far behind its leading edge its label was read; NO_COUNTS: not known
    uint64_t tried            # bit k: the k-th chute of its chain was passed over
    Load load                 # what it is; weight and volume 0 while they are not known
    Load booked_load          # as what it was booked
    int64_t booked_slot       # part of its chute's period in which it was booked
    int32_t booked_mm
    int32_t wave              # of its lane; -1: none
    int32_t first_wave        # the first of its lane that it makes; -1: none
    int32_t ahead
    int32_t behind
    int32_t timer_next
    int32_t timer_prev
    int32_t timer_slot
    int32_t heap_at
    int32_t chute_next        # in the chute's queue of the fired
    int32_t chute_prev
    int32_t told_next         # armed: among those of its diverter
    int32_t told_prev
    int32_t lane
    uint32_t plan
    uint32_t seq
    uint32_t back_seq         # of a divert taken back, of which its node has still to speak; 0: none
    uint32_t answered         # bit n: scanner n has answered for it
    uint32_t no_reads         # bit n: scanner n said no-read
    uint32_t doubters         # bit n: the doubtful read is scanner n's
    uint32_t label_by         # bit n: scanner n gave a label
    uint32_t weighed_by       # bit n: scale n weighed it on this belt
    uint32_t sized_by
    uint32_t question         # the last that the host was asked about its label; 0: none
    uint32_t asked_plan       # under this plan
    int32_t width_mm          # 0: not known
    int32_t height_mm
    uint16_t state
    uint16_t marks
    uint16_t belt
    uint16_t next_eye         # eye index; NO_INDEX past the last
    uint16_t missed_eye       # unproved: the last eye that did not see it
    uint16_t chute            # where it is to end
    uint16_t exit             # the chute by which it leaves the present belt on its way there
    uint16_t back_chute       # as they were when its divert was taken back
    uint16_t back_exit
    uint16_t back_reason
    uint16_t reason
    uint16_t first_skip       # why the first candidate was passed over
    uint16_t priority
    uint16_t booked           # chute in which a place is kept for it; NO_INDEX: none
    uint16_t candidate        # place in its chain of the chute that took it
    uint16_t directed         # chute that a person or the host said
    uint16_t round_belt       # belt on which it is on its way to another lap; NO_INDEX: it is not
    uint16_t laps             # begun, after the first time round
    int32_t said_wave
    uint32_t said_plan
    int32_t chain             # first step of the chain that `tried` is of
    uint16_t n_text
    uint16_t said_chute       # what the last DECIDED said
    uint16_t said_reason
    char[56] text

cdef enum RideStage:
    AT_INDUCTION = 0  # ready, and waits for a carrier
    BOOKED = 1        # a carrier comes for it
    RIDING = 2        # its launch was commanded
    OFF_RING = 3      # fired when the ring was lost, or never to be launched

cdef struct Ride:
    int64_t lap_counts        # count at which its lap ends
    int64_t launch_counts     # count at which its middle is put onto the carrier's
    int64_t load_counts       # of an unknown load: since when it blocked the eye that met it
    int64_t read_counts       # count at which every scanner of its lap must have spoken; 0: they have
    int32_t carrier           # the first of its carriers, by number; NOBODY without
    uint16_t n_carriers
    uint16_t eye              # where it got on
    uint16_t stage
    uint16_t is_proved        # a load eye saw it where it should be
    uint16_t is_off           # proved to have left its carriers
    uint16_t first_empty      # a load eye saw its first carrier empty, and has still to see the second
    uint16_t n_unseen         # looks in a row of blind load eyes that did not see it
    uint16_t[3] reserved

cdef enum CarrierState:
    UNKNOWN_CARRIER = 0       # nobody knows what lies on it
    EMPTY_CARRIER = 1         # a load eye or a chute eye proved that nothing does
    DOUBTFUL_CARRIER = 2      # the ring was lost, and many are loaded: one look is not enough where there are more eyes

cdef enum CarrierUse:
    IN_USE = 0
    TAKEN_OUT = 1             # by a person: it is not booked
    FAILED_CARRIER = 2        # it does not discharge: not booked, and not fired

cdef struct Carrier:
    int32_t track             # that rides on it or has booked it
    uint16_t state
    uint16_t use
    uint16_t n_failures       # discharges in a row that failed
    uint16_t reserved
    uint32_t touched          # bit n: the loop's eye n was blocked while the middle of it passed
    int64_t load_counts       # since when it was, the last time

cdef struct RingState:
    int64_t zero_counts       # carrier 0 was, or will be, at 0 mm then
    int64_t length_counts     # once round, as measured
    int64_t origin_counts     # last edge of the origin eye
    int64_t carrier_counts    # last edge of the carrier eye
    int64_t turn_counts       # the next carrier comes to 0 mm then
    int32_t n_counted         # carriers since the origin
    int32_t n_good            # rings in a row that were right
    int32_t has_origin        # the origin was seen since it was last lost
    int32_t is_synchronised
    int32_t is_lost           # RING_LOST is raised
    int32_t n_given_up        # once lost: carriers that have been given up so far
    int64_t lost_counts_max   # adrift: it has run so much further than was counted, at most; 0: it is not
    int64_t gap_from_counts   # nothing was heard of it, the last time, from here
    int64_t gap_until_counts  # to here
    int32_t is_rough          # its last origin was told after a gap: nothing is measured by it
    int32_t reserved

cdef struct RingEye:
    int64_t blocked_counts    # load eye: since when it is blocked
    int64_t due_counts        # the verdict on `carrier` is due then
    int32_t carrier
    int32_t is_blocked
    int32_t is_jammed         # blocked for longer than anything that lies on carriers
    int32_t n_misses          # loads in a row that it should have seen
    int32_t is_blind          # EYE_BLIND is raised
    int32_t n_launches        # induct eye: launches in a row after which the parcel still stood there
    int64_t jam_counts        # load eye: it was jammed until here
    int64_t edge_ns           # when it told its last edge
    int64_t edge_length_mm    # induct eye: and what the induction measured then
    int64_t land_ns           # induct eye: whom it launched last comes down then; 0: nobody is under way
    int64_t land_counts       # and it should be there
    int64_t land_parcel
    int32_t land_carrier      # on this carrier
    int32_t is_unsettled      # induct eye: edges came close upon each other; its level is taken when it stays

cdef struct BeltState:
    int64_t counts            # extended, at t_ns
    int64_t t_ns
    int64_t speed_counts_s
    int64_t wheel_counts      # the wheel has been turned to here
    int64_t base_counts       # extended count at which the counter shows 0, after it has begun anew
    int64_t moved_ns          # its count last changed
    int64_t moved_counts      # to this
    int64_t moved_speed       # and its speed then
    int64_t pace_ns           # an earlier change, PACE_NS before or more
    int64_t pace_counts
    int64_t pace_speed        # its speed in the moments before that change
    int64_t stood_counts      # where its counter stood last, at once
    int64_t turned_counts     # the furthest the belt has been when it last turned backward
    int64_t turned_ns
    int64_t[16] sample_counts
    int64_t[16] sample_ns
    int64_t n_samples         # taken so far; ring of N_SAMPLES
    int32_t first             # track furthest down the belt
    int32_t last
    int32_t n_recirculating   # on their way to another lap
    int32_t is_gridlocked     # so many that nobody else is sent on one
    int32_t n_fires           # size of the fire heap
    int32_t backward          # the last change of its count was downward
    int32_t n_impossible      # samples in a row that no belt can have run to
    int32_t flushing          # its tracks are being closed: nobody knows where they are
    int32_t jumped            # ENCODER_JUMPED is raised
    int32_t silent            # ENCODER_SILENT is raised
    int32_t n_unproved        # parcels that are still to come in their places before its count is believed
    int32_t standing_eye      # the last eye that was blocked while the counts stood still
    int32_t standing_edges    # so often another one than before
    int32_t watch             # its eyes are to be looked at: it has run on by a slot of the wheel
    int64_t drift_counts      # errors from eye to eye, of n_drift parcels
    int64_t drift_run_counts  # and the belt between those eyes
    int64_t drift_ppm         # as last told
    int64_t strain            # the mean share of the windows that errors eat, thousandths times N_STRAIN
    int32_t n_drift
    int32_t drifts            # BELT_DRIFTS is raised

cdef enum FootprintDoubt:
    CERTAIN = 0
    BLIP = 1          # too short for a parcel: it may go on
    SHORT = 2         # too short for its parcel: it may go on, or the rest may follow

cdef struct EyeState:
    int32_t expected          # the track furthest down that has not passed this eye
    int32_t under             # the track whose leading edge blocked it
    int64_t blocked_counts
    int32_t blocked           # by the last edge
    int32_t n_missed          # parcels in a row that it did not see
    int32_t n_steps_owed      # to see where they should be, before it is in step again
    int32_t n_unseen          # parcels in a row that it missed and the next eye saw
    int32_t blind             # EYE_BLIND is raised
    int32_t jammed            # JAM is raised: blocked for longer than any parcel takes
    int32_t out_of_use        # a person says that it is not well: its edges prove nothing
    int32_t last              # the track whose footprint has just ended
    int64_t cleared_counts    # there
    int64_t error_counts      # how far that sighting moved the track
    int64_t run_counts        # and how far it has run since the sighting before
    int64_t due_counts        # a doubt ends here
    int64_t whole_counts      # a parcel was seen too short: edges before this are of its parts
    int64_t jam_counts        # of its belt, when its last jam began, or ended; NO_COUNTS: there was none
    int64_t owed_counts       # end eye: a track was closed by a blip, and is still to come here; NO_COUNTS: none
    int32_t doubt             # FootprintDoubt
    int32_t is_fresh          # the last edge was a trailing one that could be placed
    int32_t is_joined         # its footprint had a gap
    int32_t n_pieces          # and so many pieces as long as a parcel
    int32_t is_measured       # its footprint gave the track's length
    int32_t is_opener         # its footprint opened the track
    int32_t may_prove         # its footprint may be a proof that the counter is right
    int32_t came_over         # no eye of this belt had seen the track before
    int32_t n_chatters
    int32_t n_clean           # footprints without a gap since
    int32_t chatters          # EYE_CHATTERS is raised
    int64_t piece_counts      # its last piece began here

cdef struct ScannerState:
    int64_t doubt_until_ns    # till then its telegrams may be late ones
    int64_t owed_parcel       # for want of an answer for this one; 0: for several
    int64_t gone_until_ns     # till then it may answer for a parcel that has left its belt
    int32_t near              # a track near the scan line: where the search begins
    int32_t n_unanswered      # parcels in a row of which it said nothing
    int32_t is_silent         # the alarm is raised
    int32_t has_shared        # the alarm is raised: it read one label on two parcels
    uint64_t last_identity    # of the label it read last
    int64_t last_counts       # where its belt was then
    int64_t last_parcel       # whose it was
    int64_t n_triggers        # edges of the eye that triggers it; ring of N_TRIGGERS
    int64_t[16] triggered     # the parcel of each; 0: nobody's
    int64_t triggered_counts  # of the last
    int64_t number_ahead      # the scanner's number of an edge less ours
    int32_t n_agreed          # reads in a row that proposed it
    int32_t is_in_step        # it holds
    int32_t n_contradicted    # reads in a row whose number and time say two parcels
    int32_t reserved

cdef struct ScaleState:
    int32_t near              # as a scanner's
    int32_t reserved

cdef struct Question:
    int64_t parcel
    int64_t due_ns            # an answer after this is too late
    uint32_t seq              # 0: none has stood here yet
    uint16_t verdict          # NONE while it is open; OK or why its answer changed nothing
    uint16_t reserved

cdef struct HostStatus:
    uint32_t next             # number of the next question
    uint32_t first            # of the first that may be open
    int32_t n_unanswered      # in a row
    int32_t is_silent         # the alarm is raised

cdef struct Turn:
    uint32_t key              # of the group whose turn it is
    int32_t next              # its chute that is next

cdef struct ChuteStatus:
    int32_t first             # queue of the fired, oldest first
    int32_t last
    int64_t level_ns          # when its full eye last changed
    int32_t level             # 1 blocked
    int32_t was_full          # its state before that change
    int64_t jam_due_ns        # its chute eye is jammed if it is still blocked then
    int32_t state             # ChuteState set by a person
    int32_t is_blocked        # its chute eye
    int32_t n_steps_owed      # so many who come there as expected after somebody else may be others yet
    int32_t is_jammed         # until a person opens it
    int32_t nearly_level      # of its nearly-full eye: as level, level_ns and was_full
    int32_t was_nearly_full
    int32_t said_state        # what the last CHUTE_CHANGED said
    int64_t nearly_level_ns
    Load held                 # in it since it was last emptied
    Load booked               # on the way to it
    int32_t n_going           # committed to it or fired
    int32_t is_crowded        # had no place left, and is not yet down to where it takes some again
    int32_t alarmed           # CHUTE_NOT_EMPTIED is raised
    int32_t due_at            # its place in the heap of those to be looked at; -1: not there
    int64_t due_ns            # when to look at it
    int64_t full_since_ns     # full or closed since; -1: it is not
    int64_t rate_slot         # the part of its period that has begun
    int32_t[9] rate_parcels   # sent to it in this part and the eight before, by slot % 9
    int32_t[9] rate_mm

cdef struct Paddle:
    int64_t fire_counts       # of the divert that it was last committed to
    int64_t home_due_ns       # it must be home then
    uint32_t seq              # of that divert
    uint16_t exit             # and where it goes
    uint16_t is_planned
    uint16_t n_fails          # in a row
    uint16_t is_failing       # too many: out of use until a person puts it back
    uint16_t is_taken_out     # of use, by a person
    uint16_t is_out           # its paddle is not home
    uint16_t is_stuck
    uint16_t reserved
    int32_t first_told        # armed tracks of this diverter; NOBODY: none

cdef enum HoldReason:
    HOLD_FOR_JAM = 1
    HOLD_FOR_GRIDLOCK = 2
    HOLD_FOR_HOST = 4

cdef struct Drive:
    int64_t told_mm_s         # what the belt was last told; -1: nothing yet
    int32_t n_halts           # things that stop it
    int32_t hold_reasons      # its inducts are held for: bits of HoldReason
    int32_t n_jams            # of its eyes
    int32_t reserved

cdef struct Induct:
    int32_t eye
    int32_t told              # 1 held, 0 released, -1: nothing yet

cdef struct MachineStatus:
    int64_t since_ns
    int32_t state
    int32_t light             # last shown; -1: none yet
    int32_t is_tripped        # the safety chain
    int32_t is_draining       # a stop came while belts ran: they run until they are empty

cdef struct NodeStatus:
    int64_t since_ns
    int32_t up
    int32_t n_told            # armed tracks of its diverters
    int32_t is_safe           # it made itself safe: it tells what it sees, and does nothing
    uint32_t life             # another one after each of its boots; 0: not known

cdef struct WildLabel:
    uint64_t identity         # of a label read where no parcel is known to be
    int64_t until_ns          # till then it is given to nobody

cdef struct Place:
    uint64_t key              # identity of a label, or number of a parcel; 0: empty
    int32_t track             # or the reason for which a label is listed
    int32_t reserved

cdef struct Head:
    uint64_t magic
    int64_t size
    int64_t now_ns
    int64_t next_parcel
    int64_t n_open
    int64_t watch_ns          # paddles, chute eyes and the machine are looked at then
    int64_t n_evidence_lost
    int64_t n_inputs_refused
    uint32_t next_seq
    int32_t free
    int32_t n_confirms
    int32_t n_chutes_due      # size of the heap of chutes
    int32_t n_listed
    int32_t n_belts
    int32_t n_eyes
    int32_t n_scanners
    int32_t n_scales
    int32_t n_diverters
    int32_t n_chutes
    int32_t n_nodes
    int32_t n_inducts         # that an output holds
    int32_t n_driven          # belts that are told to run: all or none
    int32_t n_carriers        # of all loops
    int32_t n_tracks_max
    int32_t n_slots           # of each belt's wheel, a power of two
    int32_t n_places          # of each table of `_identity.pxd`, a power of two
    int32_t backlog           # timers are due that did not fit into the last step
    int32_t flushing
    int32_t used_up           # 1 + the belt for which TRACKS_USED_UP is raised
    int64_t n_wild            # seen so far; ring of N_WILD
    WildLabel[16] wild

cdef struct Plan:
    uint32_t version          # 0: no plan
    int32_t n_lanes
    const void* labels
    int32_t n_listed
    const uint16_t* chutes
    const uint16_t* weights
    const Step* steps
    const Lane* lanes
    const Wave* waves
    const uint16_t* exceptions
    const int32_t* exception_steps
    const uint64_t* listed
    const uint16_t* listed_reasons

cdef struct State:
    Head* head
    Belt* belt_table
    Eye* eye_table
    Scanner* scanner_table
    Scale* scale_table
    Diverter* diverter_table
    Chute* chute_table
    MachineTable* machine_table
    Host* host_table
    Paddle* paddles
    Drive* drives
    Induct* inducts
    MachineStatus* machine
    uint16_t* hops            # [n_belts][n_chutes] exit of a belt that leads to a chute; NO_INDEX if none does
    BeltState* belts
    EyeState* eyes
    ScannerState* scanners
    ScaleState* scales
    HostStatus* host
    Question* questions       # [N_QUESTIONS], by number
    ChuteStatus* chutes
    NodeStatus* nodes
    Ring* ring_table          # one for each belt
    RingState* rings
    RingEye* ring_eyes        # one for each eye
    Carrier* carriers         # of all loops
    Ride* rides               # one for each track, if there is a loop
    Track* tracks
    Place* labels             # [n_places] tracks by the identity of their label
    Place* parcels            # [n_places] tracks by their number
    Place* listed             # [N_LISTED] reasons (or NONE: let go) by identity of labels on a list
    Turn* turns               # [N_GROUPS_MAX]
    int32_t* chutes_due       # [n_chutes] heap by when to look at them
    int32_t* wheel            # [n_belts][n_slots] first track of the slot
    int32_t* fires            # [n_belts][n_tracks_max] heap by fire counts
    int32_t* confirms         # [n_tracks_max] heap by end of the confirm window
    const Plan* plan
    Record* out
    int n_out
    int n_out_max
    bint is_unheard           # nobody reads what is said: it is written over by the next
    int64_t now_ns


cdef inline Record* say(State* s, uint16_t kind, int64_t parcel) noexcept nogil:
    """A zeroed record at the end of the output. When there is no room it is lost, and counted.

    The last place of the output is for what is lost, so that it falls upon no record that counts.
    """
    cdef Record* record
    if s.is_unheard:
        return s.out
    if s.n_out >= s.n_out_max - 1:
        s.head.n_evidence_lost += 1
        return s.out + (s.n_out_max - 1)
    record = s.out + s.n_out
    s.n_out += 1
    memset(record, 0, sizeof(Record))
    record.t_ns = s.now_ns
    record.counts = NO_COUNTS
    record.kind = kind
    record.parcel = parcel
    record.chute = NO_INDEX
    return record


cdef inline void watch(State* s, int64_t due_ns) noexcept nogil:
    """Something must be looked at, at the latest at an instant."""
    if due_ns < s.head.watch_ns:
        s.head.watch_ns = due_ns


cdef inline int room(const State* s) noexcept nogil:
    return s.n_out_max - s.n_out


cdef inline bint higher(const Track* tracks, int32_t a, int32_t b) noexcept nogil:
    """Whether track `a` stands before `b` in a heap; equal keys in order of parcel number."""
    if tracks[a].heap_key != tracks[b].heap_key:
        return tracks[a].heap_key < tracks[b].heap_key
    return tracks[a].parcel < tracks[b].parcel


cdef inline void heap_put(Track* tracks, int32_t* heap, int at, int32_t t) noexcept nogil:
    heap[at] = t
    tracks[t].heap_at = at


cdef inline void heap_up(Track* tracks, int32_t* heap, int at, int32_t t) noexcept nogil:
    cdef int parent
    while at > 0:
        parent = (at - 1) // 2
        if not higher(tracks, t, heap[parent]):
            break
        heap_put(tracks, heap, at, heap[parent])
        at = parent
    heap_put(tracks, heap, at, t)


cdef inline void heap_down(Track* tracks, int32_t* heap, int n, int at, int32_t t) noexcept nogil:
    cdef int child = 2 * at + 1
    while child < n:
        if child + 1 < n and higher(tracks, heap[child + 1], heap[child]):
            child += 1
        if not higher(tracks, heap[child], t):
            break
        heap_put(tracks, heap, at, heap[child])
        at = child
        child = 2 * at + 1
    heap_put(tracks, heap, at, t)


cdef inline void heap_push(Track* tracks, int32_t* heap, int32_t* n, int32_t t) noexcept nogil:
    n[0] += 1
    heap_up(tracks, heap, n[0] - 1, t)


cdef inline void heap_remove(Track* tracks, int32_t* heap, int32_t* n, int32_t t) noexcept nogil:
    """Takes track `t` out of the heap it stands in."""
    cdef int at = tracks[t].heap_at
    cdef int32_t moved
    n[0] -= 1
    moved = heap[n[0]]
    tracks[t].heap_at = -1
    if moved == t:
        return
    if at > 0 and higher(tracks, moved, heap[(at - 1) // 2]):
        heap_up(tracks, heap, at, moved)
    else:
        heap_down(tracks, heap, n[0], at, moved)
