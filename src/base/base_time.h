// Points in time and spans of time, as types that do not mix. Rooms of floor 1
// never ask a clock: `now` is an argument.
#pragma once
#include "base_buf.h"

struct mono { // for timers and deadlines: never jumps, means nothing after a restart
    int64_t us;
};
struct wall { // for what is stored or shown: microseconds since 1970 UTC
    int64_t us;
};

#define US_PER_S   INT64_C(1000000)
#define US_PER_MS  INT64_C(1000)
#define SECONDS(n) ((int64_t)(n)*US_PER_S)
#define MONO_NEVER ((struct mono){INT64_MAX})
#define WALL_NEVER ((struct wall){INT64_MAX})

// "2026-11-22T01:58:26.123Z"
void time_put_iso(struct buf *b, struct wall t);
// The way back: seconds and their fraction may be left out, so may the whole time;
// "Z", an offset ("+01:00") or nothing, which means UTC. Years 1970 to 9999.
bool time_parse_iso(struct wall *out, struct span text);
// RFC 5322 §3.3: "Sun, 22 Nov 2026 01:58:26 +0000"
void time_put_rfc5322(struct buf *b, struct wall t);
// "3d 4h", "1m 30s", "250ms": the largest unit and the one below it, for people
void time_put_duration(struct buf *b, int64_t us);
