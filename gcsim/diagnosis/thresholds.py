"""The thresholds of the rules, each with its reason.

Shares of CPU are of all CPU that GOMAXPROCS allows, as in gctrace, unless the name says otherwise. The values were
chosen on the design half of ``experiments/diagnose``, by the reasons given here, before the other half was looked at.
"""

from gcsim.units import MIB

# --- evidence ---
FEW_CYCLES = 6  # fewer cycles show neither a rate nor a trend
MANY_CYCLES = 20  # from here on a trend has high confidence
CROWDED_CPU = 0.25  # of all CPU, used by other processes during a capture: pauses and slow marking are theirs
WAITING_SHARE = (
    0.9  # GC CPU by gctrace over the CPU that the process used: from here on it includes waiting for CPU
)
START_SECONDS = 5.0  # a shorter log shows the start of the process only: high rates there mean little
LEAK_SECONDS = 10.0  # a shorter log does not separate a leak from start-up
COARSE_CLOCK_SHARE = 0.5  # mark phases that print 0: a clock of Windows, whose pauses are multiples of 0.5 ms

# --- growth ---
SURE_LEAK_SECONDS = 60.0  # from here on start-up is an unlikely reason
FALLS_BACK = 0.6  # of the rise: a leak does not give back what it took
START_UP_SHARE = 0.15  # of the time of a log: the most that start-up may take
START_UP_SCATTER = 1.5  # times the scatter about a line without start-up: more shows the start-up
STEADY = (
    1.3  # times the live heap at the start: up to this, a live heap is steady; a short log shows no leak then
)
SOON_LOG_LENGTHS = 10.0  # until a limit: a small rise that reaches it later may be start-up
LEVELLED_OFF = 0.9  # of the whole rise lies within the log: a cache that has filled
STACKS_LEAD = 0.25  # stacks grow at this share of the live heap's rate or more: goroutines hold the heap

# --- memory limit ---
GOAL_BELOW_LIVE_SHARE = (
    0.25  # of late cycles whose goal is not above heapMarked: GOGC alone never sets such a goal
)
LITTLE_ROOM = 0.5  # goal less heapMarked, over heapMarked: half of the room of GOGC=100
SPIRAL_SHARE = 0.5  # of late cycles: the limit is broken even if marking is cheap
FEW_LIMITED_CYCLES = 4
TWO_GOGC = 0.02  # GOGC=2 sets goals this far above heapMarked; a limit that is not known must do as much
SPIRAL_CPU = 0.15  # GC CPU: below it, a goal at the live heap costs little and is not a spiral
NEAR_LIMIT_SERIOUS_CPU = 0.15
NEAR_LIMIT_WORTH_CPU = 0.05
LIMITER_CPU = (
    0.4  # the runtime's limiter holds GC at 50 % of CPU; measured shares of a limited GC are 40 to 55 %
)
NEAR_CONTAINER = (
    0.95  # GOMEMLIMIT over the container: Go's guide leaves 5 to 10 % for memory that it does not count
)
CONTAINER_FULL = 0.9  # heap peak, stacks and known other memory over the container
CONTAINER_ROOMY = 0.6

# --- GC CPU ---
GC_CPU_SERIOUS = (
    0.20  # close to the 25 % of CPU that marking gets at most by itself: GC runs nearly all the time
)
GC_CPU_WORTH = 0.10  # twice the usual 5 % of services at GOGC=100
GC_OF_USED_SERIOUS = 0.35  # of the CPU that the process used: more than a third of the bill
GC_OF_USED_LEAST_CPU = (
    0.08  # of all CPU, idle marking included: a process that uses almost no CPU has no CPU problem
)
GOGC_LOW = 75  # percent: below it, the setting is a choice to spend CPU on memory
LOW_GOGC_CPU_WORTH = (
    0.10  # of all CPU with idle marking, which dashboards count: a higher GOGC saves nearly all of it
)
HEALTHY_GC_CPU = 0.10
IDLE_MARKING_WORTH = 0.05

# --- rate of cycles ---
MINIMUM_HEAP_RATE = 5.0  # cycles per second at the minimum heap that a larger heap would save almost all of
MINIMUM_HEAP_SERIOUS_RATE = 50.0  # a cycle every 20 ms: each request meets one
MINIMUM_HEAP_SERIOUS_CPU = 0.10
FORCED_PER_MINUTE = 6.0  # more than a timer of a minute or of ten seconds makes
FORCED_SHARE = 0.2
FORCED_SERIOUS_PER_SECOND = 1.0
FORCED_SERIOUS_SHARE = 0.5  # of cycles; benchmarks of the testing package force fewer
FORCED_SERIOUS_CPU = 0.03  # of all CPU in forced cycles, idle workers included

# --- assists ---
# Of all CPU. With 5 % in assists, GC takes 10 to 15 % of CPU in total: a cost to know, as at GC_CPU_WORTH. With 10 % in
# assists, GC in total is near GC_CPU_SERIOUS, and goroutines that serve requests pay about half of it.
ASSIST_CPU_SERIOUS = 0.10
ASSIST_CPU_ALWAYS_WORTH = 0.05  # worth knowing even if mark phases are long and assists a small part of them
ASSIST_CPU_WORTH = 0.01
ASSIST_PHASE_SHARE = 0.2  # of all P while marking: as much as the background workers take

# --- latency ---
LATENCY_CYCLES = 20  # fewer cycles give no mean of their delays
SATURATED_IDLE = 0.05  # CPU of idle mark workers over all CPU while marking: up to this, no P is idle then

# --- pauses ---
LONG_PAUSE_SECONDS = 0.010  # healthy captures have one in 20,000
LONG_PAUSES_SERIOUS_SHARE = 0.02  # 1 % is the 99th percentile; twice that is no accident
LONG_PAUSES_SERIOUS_COUNT = 3
LONG_PAUSES_SERIOUS_TIME = (
    0.01  # of all time: one arrival in a hundred meets a long pause, which moves the p99
)
LATE_STOP_SHARE = 0.3  # of sweep terminations that are long: a busy machine delays fewer, loops delay most
LATE_STOP_COUNT = 10
COARSE_CLOCK_PAUSE_SECONDS = 0.016  # one tick of the coarse clock is 15.6 ms

# --- CPU quota ---
THROTTLED_PERIODS = 0.05  # share of periods in which the kernel stopped the process
SLOW_MARK_SECONDS_PER_MIB = (
    0.030  # wall time of marking per MiB: usual programs need 0.1 to 3 ms on one worker
)
SLOW_MARK_SHARE = 0.25
SLOW_MARK_COUNT = 3
SLOW_MARK_LEAST_BYTES = 1.0 * MIB

# --- heap shape ---
LARGE_JUMP_SHARE = 0.10  # of cycles that start past the goal: pacing starts each cycle before it
LARGE_JUMP_BYTES = 8.0 * MIB  # past the goal: more than all Ps hold in their caches
LARGE_JUMP_SERIOUS = 0.5  # jump over goal: the peak is half as high again as the setting says
BALLAST_BYTES = 64.0 * MIB
BALLAST_SPREAD = 0.03  # relative spread of the live heap
BALLAST_MARK_SECONDS_PER_MIB = 0.00015  # CPU of marking: pointer-free objects are not scanned
BALLAST_SCANNED = 0.1  # scan work over marked bytes
FRAGMENTED_SHARE = 0.5  # of spans in use that holds no object, after garbage of a cycle is allowed for
FRAGMENTED_BYTES = 32.0 * MIB
OUTSIDE_SHARE = 0.4  # of resident memory
OUTSIDE_BYTES = 64.0 * MIB
KEPT_SHARE = 0.4  # of resident memory that is free pages
KEPT_BYTES = 64.0 * MIB

# --- profiles ---
SITE_SHARE = 0.3  # of the growth or of the bytes: one site explains it
POOL_SHARE = 0.2  # of allocated bytes below sync.(*Pool).Get
GROUP_GROWTH_SHARE = 0.2  # of the growth of all goroutines: the group is named
GOROUTINES_GROW = 1.2  # times, and
GOROUTINES_GROW_WORTH = 1.1  # times: worth knowing; the number of requests in flight moves by that, too
GOROUTINES_GROW_COUNT = 50  # goroutines more, between two profiles
MANY_GOROUTINES = 10_000  # in one profile, waiting at one place
CONTENTION_SHARE = 0.5  # of one CPU: seconds of waiting per second of profile
GC_PROFILE_SHARE = 0.25  # of a CPU profile in the collector
POOL_SERIOUS_SHARE = 0.5  # most of the allocation is what the pool should save
PROFILE_GROWTH_SHARE = 0.2  # of live memory between two heap profiles: more than sampling noise
PROFILE_GROWTH_BYTES = 8.0 * MIB
BALLAST_OBJECTS = 4
BALLAST_SITE_SHARE = 0.5  # of the live heap

# --- pages of MemStats ---
PAGE_GROWTH = 1.3  # heap goal of the second page over that of the first
PAGE_GROWTH_BYTES = 16.0 * MIB
QUEUE_GROWTH = (
    500  # finalizers or cleanups more that wait, between two pages: more than one cycle usually queues
)
QUEUE_RUN_SHARE = 0.8  # of those queued between two pages that ran: a queue that keeps up runs all of them
QUEUE_LENGTH = 1000  # in one page; a cycle queues its unreachable objects at once, so a short queue is usual
QUEUE_SHARE = 0.2  # of all that were ever queued: a queue that keeps up is nearly empty most of the time

# --- lines of the scheduler and of initialization ---
QUEUED_PER_PROC = (
    2.0  # goroutines in run queues per P, with no idle P: each waits for two time slices or more
)
QUEUED_SHARE = 0.5  # of the lines: more than bursts
QUEUED_SAMPLES = 5
SLOW_INIT_SECONDS = 0.5  # of all packages before main: usual programs need some ms
