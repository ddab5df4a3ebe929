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

struct wall queue_backoff(const struct queue_retry *r, struct wall received, struct wall now,
                          unsigned attempts, uint64_t random)
{
    int64_t end = sum(received.us, r->lifetime_us);
    if (now.us >= end)
        return WALL_NEVER;
    int64_t wait = interval(r, attempts);
    if (wait / 4 > 0)
        wait = sum(wait, (int64_t)(random % (uint64_t)(wait / 4 + 1)));
    int64_t next = sum(now.us, wait);
    return (struct wall){next < end ? next : end};
}
