// What a process counts and measures, by the names that /metrics has (the rows are
// in base_meter_table.h, docs/metrics.md explains them). One set for the whole process:
// the one thing in base with a memory, because a counter that must be handed down to
// where something is refused would not be there.
//
// Pure rooms count nothing; who drives them does. Nothing here fails or blocks.
#pragma once
#include "base_meter_table.h"
#include "base_wire.h"

enum meter {
#define X(id, ...) METER_##id,
    METER_TABLE(X)
#undef X
        METERS
};
enum meter_histogram {
#define Y(id, ...) METER_OF_##id,
    METER_HISTOGRAMS(Y)
#undef Y
        METER_OFS
};
enum meter_kind {
    METER_IS_COUNTER,
    METER_IS_GAUGE,
    METER_IS_GAUGE_ONE, // of several processes: the largest
    METER_IS_LEAST      // of several processes: the least that is not 0
};
enum {
    METER_BOUNDS = 13,                                        // and one bucket without
    METER_CELLS = METER_BOUNDS + 2,                           // of a histogram: buckets, sum in us
    METER_VALUES = (int)METERS + (int)METER_OFS * METER_CELLS // all there is
};

struct meter_row {
    enum meter_kind kind;
    const char *name, *labels, *help;
};
extern const struct meter_row meter_rows[METERS];
struct meter_histogram_row {
    const char *name, *help;
    int64_t bounds_ms[METER_BOUNDS]; // rising
};
extern const struct meter_histogram_row meter_histograms[METER_OFS];

void meter_count(enum meter m, uint64_t n);               // counters only go up
void meter_set(enum meter m, int64_t value);              // gauges
void meter_time(enum meter_histogram h, int64_t took_us); // less than 0 counts as 0
int64_t meter_value(enum meter m);

// Those that are not zero: [u16 place, i64 value]. False: malformed.
void meter_pack(struct buf *b);
bool meter_unpack(struct rd *r, int64_t value[static METER_VALUES]); // others: 0
// What several processes have, together. With `counters` those alone, else the rest.
void meter_merge(int64_t sum[static METER_VALUES], const int64_t value[static METER_VALUES],
                 bool counters);
// The text form of Prometheus (0.0.4), every row.
void meter_put(struct buf *b, const int64_t value[static METER_VALUES]);

// One process, as /metrics shows it.
struct meter_process {
    const char *role;
    unsigned index;
    bool up;
    int64_t started_us, cpu_us, memory; // wall clock; used; most bytes it had
};
void meter_put_processes(struct buf *b, const struct meter_process *list, size_t count);
