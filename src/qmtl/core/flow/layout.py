"""Columns of the integer tables that compiled code reads. One row each: timeline, group, edge, source, bar entry."""

from __future__ import annotations

# Timelines. Addresses first; `rows` and `base` change as it grows.
T_V, T_BUCKET, T_CLOSED, T_ROWS, T_CAPACITY, T_BASE, T_INTERVAL, T_WIDTH = range(8)
T_FIELDS = 8

# Groups: what they are, their planes, their kernel with its small arrays (address, length), their edges.
(
    G_KIND,
    G_TIMELINE,
    G_LANES,
    G_S,
    G_M,
    G_N,
    G_WIDTH,
    G_CLOCKS,
    G_FIRST_EDGE,
    G_END_EDGE,
    G_NEEDS_ROW,
    G_ROWS,
) = range(12)
(G_FUNCTION, G_OUT, G_OUTS, G_IN, G_INS, G_STATE, G_STATES, G_ARGS, G_ARG_COUNT) = range(12, 21)
(G_MAY_NULL, G_SINGLE, G_MIN_COUNT, G_ORIGIN, G_METHODS, G_GATHERS, G_MEMO, G_MEMO_ROWS) = range(21, 29)
G_COPIES, G_VERSIONS, G_RANGE, G_CHANGED = range(29, 33)  # G_RANGE: its first lane in the table of ranges
G_CLOCK_FIRST, G_CLOCK_STEP, G_PLAIN = range(33, 36)  # clocks one by one, one for all (0), or anyhow (-1)
G_FIELDS = 36

# Kinds of groups as compiled code tells them apart; PYTHON ones are closed by the caller.
BARS, MAP, WINDOW, SCAN, CROSS, RESAMPLE, PYTHON, NOTHING = range(8)

# How an input's interval stands to the node's.
OWN, FINER, COARSER, TICK = range(4)

# Edges.
(E_UP, E_LANES, E_RELATION, E_REQUIRED, E_COMPUTED, E_COMPLETE, E_SCRATCH, E_COLUMNS, E_COLUMN_COUNT) = range(
    9
)
(E_SINCE, E_UNTIL, E_FIRST_LANE) = range(9, 12)
E_FIELDS = 12

# Clocks, then tick streams; their inputs and dependents are rows (index, slack, since, until).
(
    C_INTERVAL,
    C_LATENESS,
    C_FIRST,
    C_FLUSH,
    C_LIMIT,
    C_SEEN,
    C_WM,
    C_NEXT,
    C_FRONT,
    C_RAW,
    C_AT_RAW,
    C_IDLE,
) = range(12)
C_FIRST_INPUT, C_END_INPUT, C_FIRST_DEP, C_END_DEP = range(12, 16)
C_FIELDS = 16
BOUNDS = 4

# Sources, and the bar entries that read them.
S_FIRST_ENTRY, S_END_ENTRY, S_TOP, S_LAST, S_POSITION, S_IDLE, S_FINISHED, S_SKEW, S_ORIGIN, S_INTERVAL = (
    range(10)
)
S_TICKS, S_TICK_COUNT, S_PLAIN = range(10, 13)  # numbers of its tick streams; late bars always correct
S_PANEL = 13  # the panel that begins with this source, or -1
S_FIELDS = 14
N_GROUP, N_LANE, N_CLOCK, N_TAKE, N_TAKES, N_HORIZON = range(6)
N_ARRIVALS, N_USED, N_DUPLICATE = range(6, 9)  # then the other fates (E14)
N_FIELDS = 14

# Panels; clocks that follow those of their lanes are rows (clock, lane of its last input, no other input, slack).
# Where these may move before that (P_LATER_COUNT -1), the clocks go arrival by arrival; P_MOST: rows of log it takes.
P_GROUP, P_LANES, P_SOURCE, P_ENTRY, P_CLOCK, P_TAKE, P_TAKES, P_LATER, P_LATER_COUNT, P_MOST = range(10)
P_FIELDS = 10
LATER = 4

# The head: where the tables are, and where the driver stands.
(H_TIMELINES, H_GROUPS, H_EDGES, H_SOURCES, H_ENTRIES, H_TICKS) = range(6)
(
    H_TIMELINE_COUNT,
    H_GROUP_COUNT,
    H_EDGE_COUNT,
    H_SOURCE_COUNT,
    H_ENTRY_COUNT,
    H_CLOCK_COUNT,
    H_TICK_COUNT,
) = range(6, 13)
(H_INPUT_COUNT, H_DEP_COUNT) = range(13, 15)
(H_BEGIN, H_END, H_LOG, H_LOG_ROWS, H_PENDING, H_WORK, H_AT, H_WORK_SIZE) = range(16, 24)
(H_STEP, H_POSITION, H_GROUP, H_CLOSING, H_TIMELINE, H_LOW, H_HIGH, H_LOG_USED) = range(24, 32)
H_CLOCKS, H_INPUTS, H_DEPS = range(32, 35)
(H_RANGES, H_DIRTY, H_CHANGED_LANES, H_LANE_COUNT, H_CHANGING, H_PLAIN, H_NOW) = range(35, 42)
(H_RECORDS, H_RECORD_ROOM, H_RECORD_COUNT, H_TOLD, H_TOLD_ROOM, H_TOLD_COUNT) = range(42, 48)
H_PANELS, H_PANEL_COUNT, H_SWEPT = range(48, 51)  # H_SWEPT: how many rows of panels have closed something
H_ROW_KIND, H_ROW_SOURCE, H_ROW_TIMES, H_ROW_PLACE, H_ROW_TABLE = range(51, 56)  # of `drive_row`
H_CORRECT = 56  # the address of `correct_group`
H_ROW_VALUES, H_ROW_WIDTH, H_COLUMNS = range(57, 60)  # a row's values by source; those given, by field, or 0
H_PANEL_ROWS = 60  # how many rows of panels were taken at once
(H_STEADY, H_STEADY_FROM, H_STEADY_TO, H_STEADY_A, H_STEADY_B, H_STEADY_ROWS) = range(61, 67)  # see `_steady`
H_ROW_FIELDS = 67
H_CLOSE, H_STATUSES, H_VALUES, H_ACROSS = range(68, 72)  # addresses of parts of `rectangle_kernels`
H_JOINED = 72  # whether a clock of several inputs is among those that closed something
H_AUTHORS = 73  # whether Python computes any group
H_REPEATS, H_REPEAT_VALUES, H_REPEAT_WIDTH, H_REPEAT_COUNT, H_REPEAT_ROOM = range(
    74, 79
)  # duplicates, as told
H_MASK, H_MASKED = range(79, 81)  # lanes that do not take part in a row (1), and whether there are any
H_MASK_ROWS = 81  # how many rows of groups were computed so
H_FIELDS = 82

# Records of what changed after its bucket had closed; its values stand from R_TOLD on: those before, those now.
R_GROUP, R_LANE, R_BUCKET, R_VERSION, R_STEP, R_WAS, R_KIND, R_TOLD = range(8)
R_FIELDS = 8

# Duplicates; the values of each stand in a row of another table.
D_ENTRY, D_STEP, D_TS = range(3)
D_FIELDS = 3

# What the driver answers.
DONE, IRREGULAR, GROW, CALL, FULL, REFUSED = range(6)  # FULL: of records; REFUSED: a row of another shape

BLOCK = 64  # rows worked on at once: their cells stay in the processor's second cache
