#include "queue_schedule.h"

static int64_t sum(int64_t a, int64_t b) // of times: stays in range
{
    int64_t s;
    return __builtin_add_overflow(a, b, &s) ? INT64_MAX : s;
}

static int64_t interval(const struct queue_retry *r, unsigned attempts)
{
    int64_t us = r->first_us;
    while (attempts-- > 1 && us < r->longest_us)
        us = us > r->longest_us / 2 ? r->longest_us : us * 2;
    return us < r->longest_us ? us : r->longest_us;
}

// The longest wait is a ceiling, and at it messages must not gather either.
static int64_t spread(const struct queue_retry *r, int64_t wait, uint64_t random)
{
    int64_t more = wait / 4 > 0 ? (int64_t)(random % (uint64_t)(wait / 4 + 1)) : 0;
    int64_t room = r->longest_us - wait;
    return more <= room ? wait + more : r->longest_us - (more - room);
}

struct wall queue_backoff(const struct queue_retry *r, struct wall received, struct wall now,
                          unsigned attempts, uint64_t random)
{
    int64_t end = sum(received.us, r->lifetime_us);
    if (now.us >= end)
        return WALL_NEVER;
    int64_t next = sum(now.us, spread(r, interval(r, attempts), random));
    return (struct wall){next < end ? next : end};
}
