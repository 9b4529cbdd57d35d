"""The reactor's loop: what arrives is stepped and answered in the same turn, before anything is told to Python.

One turn: wait; read each link that is ready, once; step the kernel with what was read; write the coils it
wants; then see to what is due. Descriptors that were attached belong to the loop, which closes them when the
link fails, is replaced, or the loop stops.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from hubctl._batch cimport Batch, batch_add
from hubctl._dialogue cimport (
    dialogue_connect, dialogue_expire, dialogue_init, dialogue_is_gone, dialogue_next, dialogue_next_deadline,
    dialogue_number, dialogue_received,
)
from hubctl._gauge cimport (
    GAUGED, GaugeEvent, gauge_init, gauge_next, gauge_next_deadline, gauge_received, gauge_reset,
)
from hubctl._histogram cimport tally
from hubctl._kernel cimport KERNEL_OUT_MIN, kernel_next_deadline, kernel_set_plan, kernel_step
from hubctl._levels cimport set_level
from hubctl._master cimport (
    N_FIRES_MAX, master_arm, master_connect, master_disconnect, master_expire, master_fire, master_free, master_is_settled,
    master_make_safe, master_new, master_next_deadline, master_pump, master_receive,
)
from hubctl._merge cimport merge_batch, merge_free, merge_init, merge_is_due, merge_pop
from hubctl._node cimport N_TOLD_MAX, session_clear
from hubctl._records cimport (
    ARM_DIVERT, CANCEL_DIVERT, FIRE_OUTPUT, FIRE_RESULT, FLUSH, HOLD_INDUCT, LAMP_RED_BLINKS, LAMP_YELLOW_BLINKS, LATCHED, LEAVE_SAFE, LINK, NO_COUNTS, NO_INDEX, NODE_DOWN,
    NONE, OK, READ,
    RUN_BELT, SHOW_LIGHT, SIZE, TICK, TRIGGERED, WEIGHT, Record,
)
from hubctl._ring cimport hub_acquire, hub_release, ring_free, ring_init, ring_pop, ring_push
from hubctl._system cimport (
    EPOLLET, EPOLLIN, EPOLLRDHUP, close, epoll_event, epoll_wait, hub_arm, hub_bell, hub_epoll, hub_is_transient,
    hub_no_slack, hub_now_ns, hub_short_slice, hub_timer, hub_unwatch, hub_watch, read, write,
)
from hubctl._tables cimport MODBUS_RTU, SCALE, SCANNER, STAMP_ENCODER, STAMP_TRIGGER, WHEEL, Framing, Gauging
from hubctl._telegram cimport LABEL, NO_READ_TEXT, NO_TIME, FrameEvent
from hubctl._wheel cimport (
    wheels_are_settled, wheels_clear, wheels_connect, wheels_disconnect, wheels_fire, wheels_free, wheels_have_fires,
    wheels_make_safe, wheels_new, wheels_next_deadline, wheels_pump, wheels_receive,
)
from hubctl._wire cimport FOREIGN, channel_received, channel_room
from hubctl._wires cimport UNSAFE, UP, Field

cdef enum:
    TAG_TIMER = 0x10000
    TAG_BELL = 0x10001
    N_POSTED_MAX = 64          # inputs from Python taken into one step
    N_REFUSED_MAX = 1024       # fires of one step that may be refused at once
    N_UNHEARD_MAX = 5          # timeouts in a row without a byte: a node is down after three

cdef int64_t BLINK_NS = 500_000_000  # on, and off
cdef int64_t TICK_NS = 50_000_000  # the kernel hears of the time at least so often


# Telling Python


cdef void tell_link(Loop* l, int link, int value, int fault, int64_t now_ns) noexcept nogil:
    cdef Record row
    cdef Batch one
    one.rows, one.n, one.n_max = &row, 0, 2
    batch_add(&one, LINK, now_ns)
    row.device = <uint16_t>link
    row.value = value
    row.reason = <uint16_t>fault
    ring_push(&l.records, &row)


cdef void tell_step(Loop* l, const Batch* inputs, int n_out) noexcept nogil:
    cdef int i
    for i in range(inputs.n):
        ring_push(&l.records, &inputs.rows[i])
    for i in range(n_out):
        ring_push(&l.records, &l.out[i])


# Links


cdef void drop_link(Loop* l, int link, int fault, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    if io.fd < 0:
        return
    hub_unwatch(l.epoll_fd, io.fd)
    close(io.fd)
    io.fd = -1
    io.fault = fault
    if io.master is not NULL:
        master_disconnect(io.master, now_ns, &l.batch)
    elif io.wheels is not NULL:
        wheels_disconnect(io.wheels, now_ns, &l.batch)
    else:
        gauge_reset(&io.gauge)
    tell_link(l, link, 0, fault, now_ns)


cdef void flush_scanner(Loop* l, int link) noexcept nogil:
    """Sends what a scanner is to be told. One that takes no bytes is as good as gone."""
    cdef LinkIo* io = &l.links[link]
    cdef int n = io.dialogue.out.n
    cdef int64_t sent
    if n == 0 or io.fd < 0:
        return
    io.dialogue.out.n = 0
    sent = write(io.fd, io.dialogue.out.bytes, n)
    if sent != n:
        drop_link(l, link, FAULT_STALLED if sent >= 0 or hub_is_transient() else FAULT_BROKEN, hub_now_ns())


cdef void attach_link(Loop* l, int link, int fd, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    drop_link(l, link, FAULT_REPLACED, now_ns)
    if hub_watch(l.epoll_fd, fd, EPOLLIN | EPOLLRDHUP, <uint32_t>link) != 0:
        close(fd)
        tell_link(l, link, 0, FAULT_BROKEN, now_ns)
        return
    io.fd = fd
    io.n_attached += 1
    io.fault = FAULT_NONE
    tell_link(l, link, 1, FAULT_NONE, now_ns)
    if io.master is not NULL:
        master_connect(io.master, now_ns)
    elif io.wheels is not NULL:
        wheels_connect(io.wheels, now_ns)
    elif io.scanner >= 0:
        dialogue_connect(&io.dialogue, now_ns)
        flush_scanner(l, link)
    else:
        greet_scale(l, link)


cdef void greet_scale(Loop* l, int link) noexcept nogil:
    """Some scales speak only when they are asked to."""
    cdef LinkIo* io = &l.links[link]
    cdef int n = io.gauge.row.n_hello
    if n and write(io.fd, io.gauge.row.hello, n) != n:
        drop_link(l, link, FAULT_STALLED, hub_now_ns())


cdef void stamp_fires(Loop* l, bint is_written, int64_t now_ns) noexcept nogil:
    """Gives the fires of the last pump, which have no time yet, the time at which their bytes left."""
    cdef int i
    cdef Record* row
    for i in range(l.batch.n):
        row = &l.batch.rows[i]
        if row.kind != FIRE_RESULT or row.t_ns != 0:
            continue
        row.t_ns = now_ns
        if is_written:
            tally(&l.fire_lateness, now_ns - row.due_ns)
        else:
            row.reason = NODE_DOWN


cdef void flush_link(Loop* l, int link, const uint8_t* out, int* n_out) noexcept nogil:
    """Sends what was put ready. A peer that takes no bytes is as good as gone."""
    cdef int n = n_out[0]
    cdef int64_t sent
    if n == 0:
        return
    sent = write(l.links[link].fd, out, n)
    n_out[0] = 0
    stamp_fires(l, sent == n, hub_now_ns())
    if sent != n:
        drop_link(l, link, FAULT_STALLED if sent >= 0 or hub_is_transient() else FAULT_BROKEN, hub_now_ns())


cdef void pump_link(Loop* l, int link, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    if io.wheels is NULL:
        master_pump(io.master, now_ns, &l.batch)
        flush_link(l, link, io.master.out, &io.master.n_out)
        return
    wheels_pump(io.wheels, now_ns, &l.batch)
    flush_link(l, link, io.wheels.out, &io.wheels.n_out)
    if io.wheels.is_silent:
        drop_link(l, link, FAULT_SILENT, now_ns)


# Steps


cdef void obey_fire(Loop* l, const Record* command, int64_t now_ns) noexcept nogil:
    cdef int link = l.link_of_chute[command.chute] if command.chute < l.n_chutes else NO_INDEX
    cdef Record* row
    if link != NO_INDEX and l.links[link].master is not NULL:
        master_fire(l.links[link].master, command, now_ns, &l.batch)
        return
    if link != NO_INDEX and l.links[link].wheels is not NULL:
        wheels_fire(l.links[link].wheels, command, now_ns, &l.batch)
        return
    row = batch_add(&l.batch, FIRE_RESULT, now_ns)
    row.parcel, row.seq, row.chute, row.device = command.parcel, command.seq, command.chute, command.device
    row.reason = NODE_DOWN


cdef void obey_arm(Loop* l, const Record* command) noexcept nogil:
    """To the node; what is too late already is so at the kernel's time."""
    cdef int link = l.link_of_chute[command.chute]
    master_arm(l.links[link].master, command, l.stepped_ns, &l.batch)


cdef void obey_clear(Loop* l, const Record* command) noexcept nogil:
    cdef LinkIo* io = &l.links[l.field.nodes[command.device].link]
    if io.master is not NULL and io.master.session is not NULL:
        session_clear(io.master.session)
    if io.wheels is not NULL:
        wheels_clear(io.wheels, command.device)


cdef bint is_lit(int light, int lamp, int64_t now_ns) noexcept nogil:
    """Whether a lamp, by its bits for steady and blinking light, is on at an instant."""
    if light & lamp & (LAMP_RED_BLINKS | LAMP_YELLOW_BLINKS):
        return now_ns // BLINK_NS % 2 == 0
    return (light & lamp) != 0


cdef void show_lamps(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int i
    for i in range(l.field.n_levels):
        if l.field.levels[i].kind == SHOW_LIGHT:
            l.field.level_status[i].wanted = is_lit(l.light, l.field.levels[i].index, now_ns)


cdef bint has_commands(const LinkIo* io) noexcept nogil:
    if io.wheels is not NULL:
        return wheels_have_fires(io.wheels)
    if io.master is NULL:
        return False
    return io.master.n_fires > 0 or (io.master.session is not NULL and io.master.session.n_orders > 0)


cdef void obey(Loop* l, int n_out, int64_t now_ns) noexcept nogil:
    cdef int i
    cdef bint any_fire = False
    for i in range(n_out):
        if l.out[i].kind == FIRE_OUTPUT:
            obey_fire(l, &l.out[i], now_ns)
            any_fire = True
        elif l.out[i].kind == ARM_DIVERT or l.out[i].kind == CANCEL_DIVERT:
            obey_arm(l, &l.out[i])
            any_fire = True
        elif l.out[i].kind == HOLD_INDUCT or l.out[i].kind == RUN_BELT:
            set_level(l.field, l.out[i].kind, l.out[i].device, l.out[i].value != 0)
        elif l.out[i].kind == SHOW_LIGHT:
            l.light = <int>l.out[i].value
        elif l.out[i].kind == LEAVE_SAFE:
            obey_clear(l, &l.out[i])
    if not any_fire:
        return
    for i in range(l.n_links):
        if l.links[i].fd >= 0 and has_commands(&l.links[i]):
            pump_link(l, i, now_ns)


cdef void count_inputs(Loop* l, const Batch* inputs, int64_t received_ns, int64_t done_ns) noexcept nogil:
    cdef int i
    for i in range(inputs.n):
        if inputs.rows[i].kind == READ:
            tally(&l.read_to_command, done_ns - received_ns)
        elif inputs.rows[i].kind == FIRE_RESULT:
            l.n_fires += inputs.rows[i].reason == OK
            l.n_voided += inputs.rows[i].reason != OK and inputs.rows[i].reason != NONE


cdef void number_scanners(Loop* l) noexcept nogil:
    """Tells each scanner that wants to know the number of the trigger it has had in this step."""
    cdef int i
    cdef LinkIo* io
    for i in range(l.n_links):
        io = &l.links[i]
        if io.scanner < 0 or io.fd < 0 or not io.dialogue.framer.framing.is_numbered:
            continue
        if l.kernel.scanners[io.scanner].n_triggers != io.n_numbered:
            io.n_numbered = l.kernel.scanners[io.scanner].n_triggers
            dialogue_number(&io.dialogue, io.n_numbered)
            flush_scanner(l, i)


cdef void step(Loop* l, int64_t now_ns, int64_t received_ns) noexcept nogil:
    cdef Batch inputs = l.batch
    cdef int n_out
    now_ns = max(now_ns, l.stepped_ns)
    n_out = kernel_step(l.kernel, now_ns, inputs.rows, inputs.n, l.out, l.n_out_max)
    l.batch = l.spare
    l.batch.n = 0
    l.spare = inputs
    l.stepped_ns = now_ns
    l.n_steps += 1
    obey(l, n_out, max(now_ns, received_ns))
    if l.has_numbered:
        number_scanners(l)
    count_inputs(l, &inputs, received_ns, hub_now_ns())
    tell_step(l, &inputs, n_out)


cdef int64_t told_until(const Loop* l, int64_t now_ns) noexcept nogil:
    """Till when everything is known: nodes with our firmware that are up have told what they saw and did."""
    cdef int64_t until_ns = now_ns
    cdef int i
    if not l.has_sessions:
        return now_ns
    for i in range(l.n_links):
        if l.links[i].master is not NULL and l.links[i].master.session is not NULL:
            if l.field.node_status[l.links[i].master.session.node].state == UP:
                until_ns = min(until_ns, l.links[i].master.session.told_ns)
    return until_ns


cdef void step_until(Loop* l, int64_t t_ns, int64_t received_ns) noexcept nogil:
    """What was due before an instant that is stepped next."""
    if kernel_next_deadline(l.kernel) < t_ns:
        batch_add(&l.batch, TICK, max(kernel_next_deadline(l.kernel), l.stepped_ns))
        step(l, l.batch.rows[0].t_ns, received_ns)
        merge_batch(&l.merge, &l.batch)


cdef void absorb_in_order(Loop* l, int64_t now_ns) noexcept nogil:
    """Steps one input after the other, as far as everything is known, each at its own time."""
    cdef int64_t told_ns = told_until(l, now_ns)
    merge_batch(&l.merge, &l.batch)
    while merge_is_due(&l.merge, told_ns):
        step_until(l, l.merge.rows[l.merge.at].t_ns, now_ns)
        merge_pop(&l.merge, batch_add(&l.batch, TICK, 0))
        step(l, l.batch.rows[0].t_ns, now_ns)
        merge_batch(&l.merge, &l.batch)


cdef void absorb(Loop* l, int64_t now_ns) noexcept nogil:
    """Steps until neither the inputs nor what became of the commands leaves anything to tell the kernel."""
    cdef int64_t received_ns = now_ns
    if l.has_sessions:
        absorb_in_order(l, now_ns)
        return
    while l.batch.n:
        step(l, now_ns, received_ns)
        now_ns = max(now_ns, hub_now_ns())


# Reading


cdef void stamp_read(Record* row, const FrameEvent* event, int stamp) noexcept nogil:
    """Gives a read the place that its scanner tells."""
    if stamp == STAMP_TRIGGER:
        row.value = event.stamp
        row.flags |= TRIGGERED
    elif stamp == STAMP_ENCODER:
        row.counts = event.stamp
        row.flags |= LATCHED


cdef void add_read(Loop* l, int link, const FrameEvent* event, int64_t now_ns) noexcept nogil:
    cdef int scanner = l.links[link].scanner
    cdef Record* row = batch_add(&l.batch, READ, now_ns if event.made_ns == NO_TIME else event.made_ns)
    row.device = <uint16_t>scanner
    stamp_read(row, event, l.links[link].dialogue.framer.framing.stamp)
    if event.kind == LABEL:
        memcpy(row.text, event.text, event.n_text)
        row.n_text = <uint16_t>event.n_text


cdef void take_frames(Loop* l, int link, const uint8_t* at, int n, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    cdef const uint8_t* end = at + n
    cdef FrameEvent event
    dialogue_received(&io.dialogue, now_ns, &event)
    while dialogue_next(&io.dialogue, &at, end, now_ns, &event):
        if event.kind == LABEL or event.kind == NO_READ_TEXT:
            add_read(l, link, &event, now_ns)
            # Each read by itself: a station must know the fate of one parcel before it is told of the next.
            absorb(l, now_ns)
    flush_scanner(l, link)


cdef void add_gauged(Loop* l, int scale, const GaugeEvent* event, int64_t now_ns) noexcept nogil:
    """What a scale says of a parcel: its weight, its size, or both."""
    cdef Record* row
    if event.weight_g:
        row = batch_add(&l.batch, WEIGHT, now_ns)
        row.device = <uint16_t>scale
        row.value = event.weight_g
    if event.length_mm:
        row = batch_add(&l.batch, SIZE, now_ns)
        row.device = <uint16_t>scale
        row.value, row.limit, row.seq = event.length_mm, event.width_mm, <uint32_t>event.height_mm


cdef void take_gauged(Loop* l, int link, const uint8_t* at, int n, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    cdef const uint8_t* end = at + n
    cdef GaugeEvent event
    gauge_received(&io.gauge, now_ns, &event)
    while gauge_next(&io.gauge, &at, end, &event):
        if event.kind == GAUGED:
            add_gauged(l, io.scale, &event, now_ns)
            absorb(l, now_ns)


cdef int64_t fault_of(int64_t n) noexcept nogil:
    """Why a read brought nothing; -1: it will."""
    if n == 0:
        return FAULT_CLOSED
    return -1 if hub_is_transient() else FAULT_BROKEN


cdef void read_text(Loop* l, int link) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    cdef int64_t n = read(io.fd, l.scratch, READ_MAX)
    cdef int64_t now_ns = hub_now_ns()
    if n > 0:
        io.n_bytes += n
        if io.wheels is not NULL:
            wheels_receive(io.wheels, l.scratch, <int>n, now_ns, &l.batch)
            pump_link(l, link, now_ns)
            absorb(l, now_ns)
        elif io.scale >= 0:
            take_gauged(l, link, l.scratch, <int>n, now_ns)
        else:
            take_frames(l, link, l.scratch, <int>n, now_ns)
    elif fault_of(n) >= 0:
        drop_link(l, link, <int>fault_of(n), now_ns)


cdef void read_modbus(Loop* l, int link) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    cdef int room
    cdef uint8_t* to = channel_room(&io.master.channel, &room)
    cdef int64_t n = read(io.fd, to, room)
    cdef int64_t now_ns = hub_now_ns()
    if n <= 0:
        if fault_of(n) >= 0:
            drop_link(l, link, <int>fault_of(n), now_ns)
        return
    io.n_bytes += n
    channel_received(&io.master.channel, <int>n, now_ns)
    master_receive(io.master, now_ns, &l.batch)
    if io.master.channel.broken:
        drop_link(l, link, fault_of_channel(l, link), now_ns)
    else:
        pump_link(l, link, now_ns)
    absorb(l, now_ns)


cdef void read_link(Loop* l, int link) noexcept nogil:
    # An event may be left from a descriptor that was closed earlier in this turn.
    if l.links[link].fd < 0:
        return
    if l.links[link].master is NULL:
        read_text(l, link)
    else:
        read_modbus(l, link)


# What is due


cdef void take_posted(Loop* l, int64_t now_ns) noexcept nogil:
    cdef Record record
    cdef Record* row
    while ring_pop(&l.inputs, &record):
        if record.kind == LINK:
            attach_link(l, record.device, <int>record.value, now_ns)
            continue
        row = batch_add(&l.batch, record.kind, now_ns)
        row[0] = record
        row.t_ns = record.t_ns if record.t_ns else now_ns
        if l.batch.n >= N_POSTED_MAX:
            absorb(l, now_ns)


cdef void take_plan(Loop* l) noexcept nogil:
    cdef uint64_t plan = hub_acquire(&l.plan_next)
    if plan:
        hub_release(&l.plan_next, 0)
        kernel_set_plan(l.kernel, <const void*>plan)


cdef int fault_of_channel(const Loop* l, int link) noexcept nogil:
    """Why a Modbus connection is of no more use; FAULT_NONE: it is.

    One that brings nothing at all is dialled anew: the device may have been switched off and on. A serial line stays,
    and a node with our firmware knows by itself how long its host may be silent.
    """
    cdef const Master* m = l.links[link].master
    if m.channel.broken:
        return FAULT_FOREIGN if m.channel.broken == FOREIGN else FAULT_GARBAGE
    if m.channel.n_unheard >= N_UNHEARD_MAX and m.session is NULL and l.field.links[link].kind != MODBUS_RTU:
        return FAULT_SILENT
    return FAULT_NONE


cdef void expire_link(Loop* l, int link, int64_t now_ns) noexcept nogil:
    master_expire(l.links[link].master, now_ns, &l.batch)
    if fault_of_channel(l, link) != FAULT_NONE:
        drop_link(l, link, fault_of_channel(l, link), now_ns)
    else:
        pump_link(l, link, now_ns)
cdef void serve_scanner(Loop* l, int link, int64_t now_ns) noexcept nogil:
    cdef LinkIo* io = &l.links[link]
    cdef FrameEvent event
    if dialogue_next_deadline(&io.dialogue) > now_ns:
        return
    dialogue_expire(&io.dialogue, now_ns, &event)
    if dialogue_is_gone(&io.dialogue, now_ns):
        drop_link(l, link, FAULT_SILENT, now_ns)
    flush_scanner(l, link)


cdef void serve_links(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int i
    cdef GaugeEvent gauged
    for i in range(l.n_links):
        if l.links[i].fd < 0:
            continue
        if l.links[i].wheels is not NULL:
            pump_link(l, i, now_ns)
        elif l.links[i].master is NULL:
            serve_scanner(l, i, now_ns)
            if gauge_next_deadline(&l.links[i].gauge) <= now_ns:
                gauge_received(&l.links[i].gauge, now_ns, &gauged)
        else:
            expire_link(l, i, now_ns)


cdef void serve_kernel(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int64_t told_ns
    if l.has_sessions:
        absorb(l, now_ns)
    told_ns = told_until(l, now_ns)
    if kernel_next_deadline(l.kernel) <= told_ns or l.stepped_ns + TICK_NS <= told_ns:
        batch_add(&l.batch, TICK, told_ns)
    absorb(l, now_ns)
    l.field.fire_due_ns = kernel_next_deadline(l.kernel)


cdef void begin_stop(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int i
    l.phase = STOPPING
    batch_add(&l.batch, FLUSH, now_ns)
    for i in range(l.n_links):
        if l.links[i].master is not NULL:
            master_make_safe(l.links[i].master, now_ns, &l.batch)
        if l.links[i].wheels is not NULL:
            wheels_make_safe(l.links[i].wheels, now_ns, &l.batch)


cdef bint are_settled(const Loop* l) noexcept nogil:
    cdef int i
    for i in range(l.n_links):
        if l.links[i].master is not NULL and not master_is_settled(l.links[i].master):
            return False
        if l.links[i].wheels is not NULL and not wheels_are_settled(l.links[i].wheels):
            return False
    return True


cdef bint are_proved_off(const Loop* l) noexcept nogil:
    """Whether no connected node was left with a coil that may be on."""
    cdef int i
    for i in range(l.field.n_nodes):
        if l.field.node_status[i].state == UNSAFE:
            return False
    return are_settled(l)


cdef void serve_stop(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int64_t stop_by_ns = <int64_t>hub_acquire(&l.stop_by_ns)
    if stop_by_ns == 0:
        return
    if l.phase == RUNNING:
        begin_stop(l, now_ns)
    elif are_settled(l) or now_ns >= stop_by_ns:
        l.is_safe = are_proved_off(l)
        l.phase = STOPPED


cdef int64_t earliest_due(Loop* l, int64_t now_ns) noexcept nogil:
    cdef int64_t due_ns = min(kernel_next_deadline(l.kernel), l.stepped_ns + TICK_NS)
    cdef int i
    if told_until(l, now_ns) < now_ns:
        due_ns = INT64_MAX  # the next that a node tells lets the kernel's time go on
    for i in range(l.n_links):
        if l.links[i].fd < 0:
            continue
        if l.links[i].wheels is not NULL:
            due_ns = min(due_ns, wheels_next_deadline(l.links[i].wheels, now_ns))
        elif l.links[i].master is NULL:
            due_ns = min(due_ns, dialogue_next_deadline(&l.links[i].dialogue))
            due_ns = min(due_ns, gauge_next_deadline(&l.links[i].gauge))
        else:
            due_ns = min(due_ns, master_next_deadline(l.links[i].master, now_ns))
    if l.phase == STOPPING:
        due_ns = min(due_ns, <int64_t>l.stop_by_ns)
        # Nothing rings when the last node settles, so the loop looks again at once.
        due_ns = now_ns if are_settled(l) else due_ns
    return due_ns


cdef void arm(Loop* l, int64_t due_ns) noexcept nogil:
    # Only ever earlier: a bell too many costs less than setting the timer each turn.
    if due_ns < l.armed_ns:
        hub_arm(l.timer_fd, max(due_ns, 1))
        l.armed_ns = due_ns


cdef void serve(Loop* l) noexcept nogil:
    cdef int64_t now_ns = hub_now_ns()
    take_plan(l)
    take_posted(l, now_ns)
    serve_stop(l, now_ns)
    # Fires first, then what may wait.
    serve_kernel(l, now_ns)
    show_lamps(l, now_ns)
    serve_links(l, now_ns)
    absorb(l, now_ns)
    arm(l, earliest_due(l, now_ns))


cdef void take_event(Loop* l, uint64_t tag) noexcept nogil:
    if tag < TAG_TIMER:
        read_link(l, <int>tag)
    elif tag == TAG_TIMER:
        l.armed_ns = INT64_MAX


cdef void loop_run(Loop* l) noexcept nogil:
    cdef epoll_event[64] events
    cdef int i, n
    hub_no_slack()
    hub_short_slice()
    while l.phase != STOPPED:
        serve(l)
        if l.phase == STOPPED:
            break
        n = epoll_wait(l.epoll_fd, events, N_EVENTS_MAX, -1)
        for i in range(n):
            take_event(l, events[i].data.u64)
    for i in range(l.n_links):
        drop_link(l, i, FAULT_NONE, hub_now_ns())


# Building


cdef bint build_links(Loop* l, const Framing* framings, const Gauging* gaugings) noexcept nogil:
    cdef int i
    for i in range(l.n_links):
        l.links[i].fd = -1
        l.links[i].scanner = l.field.links[i].scanner if l.field.links[i].kind == SCANNER else -1
        l.links[i].scale = l.field.links[i].scanner if l.field.links[i].kind == SCALE else -1
        if l.links[i].scanner >= 0:
            dialogue_init(&l.links[i].dialogue, &framings[l.links[i].scanner])
            l.has_numbered |= framings[l.links[i].scanner].is_numbered != 0
            continue
        if l.links[i].scale >= 0:
            gauge_init(&l.links[i].gauge, &gaugings[l.links[i].scale])
            continue
        if l.field.links[i].kind == WHEEL:
            l.links[i].wheels = wheels_new(l.field, i)
            if l.links[i].wheels is NULL:
                return False
            continue
        l.links[i].master = master_new(l.field, i)
        if l.links[i].master is NULL:
            return False
    return True


cdef void find_links_of_chutes(Loop* l) noexcept nogil:
    cdef int i
    for i in range(l.n_chutes):
        l.link_of_chute[i] = NO_INDEX
        if l.field.outputs[i].node != NO_INDEX:
            l.link_of_chute[i] = l.field.nodes[l.field.outputs[i].node].link


cdef bint take_memory(Loop* l, uint64_t n_records) noexcept nogil:
    # Room for the most that one turn can add before it is stepped.
    cdef int n = N_POSTED_MAX + l.field.n_signals + l.field.n_counters + 4 * l.field.n_nodes + 64
    n += N_TOLD_MAX * l.field.n_nodes if l.has_sessions else 0
    n += N_FIRES_MAX * l.n_links + l.n_chutes + N_REFUSED_MAX
    l.batch.n_max = l.spare.n_max = n
    l.n_out_max = KERNEL_OUT_MIN * (n + 1)
    l.batch.rows = <Record*>calloc(n, sizeof(Record))
    l.spare.rows = <Record*>calloc(n, sizeof(Record))
    l.out = <Record*>calloc(l.n_out_max, sizeof(Record))
    l.links = <LinkIo*>calloc(l.n_links + 1, sizeof(LinkIo))
    l.link_of_chute = <uint16_t*>calloc(l.n_chutes + 1, sizeof(uint16_t))
    if l.batch.rows is NULL or l.spare.rows is NULL or l.out is NULL or l.links is NULL or l.link_of_chute is NULL:
        return False
    if l.has_sessions and not merge_init(&l.merge):
        return False
    return ring_init(&l.inputs, 1024) and ring_init(&l.records, n_records)


cdef Loop* loop_new(Field* field, const Framing* framings, const Gauging* gaugings, uint64_t n_records) noexcept nogil:
    """A loop for one hub, not yet open; NULL if there is no memory."""
    cdef Loop* l = <Loop*>calloc(1, sizeof(Loop))
    cdef int i
    if l is NULL:
        return NULL
    l.field = field
    l.n_links = field.n_links
    l.n_chutes = field.n_outputs
    l.epoll_fd = l.timer_fd = l.bell_fd = -1
    l.armed_ns = INT64_MAX
    for i in range(field.n_nodes):
        l.has_sessions |= field.nodes[i].is_native != 0
    if not take_memory(l, n_records) or not build_links(l, framings, gaugings):
        loop_free(l)
        return NULL
    find_links_of_chutes(l)
    return l


cdef bint loop_open(Loop* l) noexcept nogil:
    """Takes the descriptors of the loop itself; false, with errno, if there are none."""
    l.epoll_fd = hub_epoll()
    l.timer_fd = hub_timer()
    l.bell_fd = hub_bell()
    if l.epoll_fd < 0 or l.timer_fd < 0 or l.bell_fd < 0:
        return False
    # Edge-triggered, so that neither needs to be read.
    if hub_watch(l.epoll_fd, l.timer_fd, EPOLLIN | EPOLLET, TAG_TIMER) != 0:
        return False
    return hub_watch(l.epoll_fd, l.bell_fd, EPOLLIN | EPOLLET, TAG_BELL) == 0


cdef void close_own(int fd) noexcept nogil:
    if fd >= 0:
        close(fd)


cdef void loop_free(Loop* l) noexcept nogil:
    cdef int i
    if l is NULL:
        return
    close_own(l.epoll_fd)
    close_own(l.timer_fd)
    close_own(l.bell_fd)
    if l.links is not NULL:
        for i in range(l.n_links):
            close_own(l.links[i].fd)
            master_free(l.links[i].master)
            wheels_free(l.links[i].wheels)
    free(l.links)
    free(l.link_of_chute)
    free(l.batch.rows)
    free(l.spare.rows)
    free(l.out)
    ring_free(&l.inputs)
    ring_free(&l.records)
    merge_free(&l.merge)
    free(l)
