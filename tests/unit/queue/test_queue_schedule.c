// The scheduler against a naive model that does everything by looking at all.
#include "base_rc.h"
#include "queue_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <malloc.h>
#include <cmocka.h>

static struct queue *queue_of(unsigned per_domain, unsigned jobs, size_t window)
{
    return queue_new(&(struct queue_limits){per_domain, jobs, window, 42});
}

static bool add(struct queue *q, uint64_t message, const char *domain, int64_t due)
{
    return queue_add(q, &(struct queue_item){message, span_str(domain), {due}, message * 10});
}

static void next_is(struct queue *q, int64_t now, uint64_t message, struct queue_job *out)
{
    struct queue_job j;
    assert_true(queue_next(q, (struct wall){now}, &j));
    assert_int_equal(j.message, message);
    assert_int_not_equal(j.id, 0);
    if (out)
        *out = j;
}

static void none(struct queue *q, int64_t now)
{
    struct queue_job j;
    assert_false(queue_next(q, (struct wall){now}, &j));
}

static void an_empty_queue(void **state)
{
    (void)state;
    struct queue *q = queue_of(1, 1, 1);
    none(q, 0);
    assert_int_equal(queue_room(q), 1);
    add(q, 1, "a", 5);
    assert_int_equal(queue_room(q), 0);
    next_is(q, 5, 1, NULL);
    assert_int_equal(queue_room(q), 1);
    queue_free(q);
    q = queue_of(1, 1, 1);
    assert_int_equal(queue_wake(q).us, INT64_MAX);
    queue_done(q, 0, true, (struct wall){0});
    queue_done(q, 12345, true, (struct wall){0});
    queue_done(q, UINT64_MAX, true, (struct wall){0});
    none(q, 0);
    queue_free(q);
    queue_free(NULL);
}

static void nothing_before_it_is_due(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    assert_true(add(q, 1, "a", 100));
    none(q, 99);
    assert_int_equal(queue_wake(q).us, 100);
    struct queue_job j;
    next_is(q, 100, 1, &j);
    assert_int_equal(j.size, 10);
    assert_true(span_eq(j.domain, SPAN("a")));
    assert_int_equal(queue_wake(q).us, INT64_MAX);
    queue_free(q);
}

static void oldest_first_within_a_domain(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    add(q, 1, "a", 30);
    add(q, 2, "a", 10);
    add(q, 3, "a", 20);
    next_is(q, 100, 2, NULL);
    next_is(q, 100, 3, NULL);
    next_is(q, 100, 1, NULL);
    none(q, 100);
    queue_free(q);
}

static void domains_take_turns(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 100, 100);
    for (uint64_t i = 0; i < 9; i++)
        add(q, 1 + i, "big", (int64_t)i);
    add(q, 100, "small", 50);
    add(q, 200, "late", 60);
    add(q, 201, "late", 61);
    next_is(q, 100, 1, NULL);
    next_is(q, 100, 100, NULL);
    next_is(q, 100, 200, NULL);
    next_is(q, 100, 2, NULL);
    next_is(q, 100, 201, NULL);
    next_is(q, 100, 3, NULL);
    queue_free(q);
}

static void a_domain_has_its_limit(void **state)
{
    (void)state;
    struct queue *q = queue_of(2, 100, 100);
    struct queue_job first;
    for (uint64_t i = 1; i <= 4; i++)
        add(q, i, "a", (int64_t)i);
    add(q, 9, "b", 200);
    next_is(q, 100, 1, &first);
    next_is(q, 100, 2, NULL);
    none(q, 100);
    assert_int_equal(queue_wake(q).us, 200); // not a's, which time does not free
    queue_done(q, first.id, false, WALL_NEVER);
    assert_true(queue_wake(q).us <= 100);
    next_is(q, 100, 3, NULL);
    none(q, 100);
    queue_free(q);
}

static void all_have_theirs(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 2, 100);
    struct queue_job j;
    add(q, 1, "a", 1);
    add(q, 2, "b", 2);
    add(q, 3, "c", 3);
    next_is(q, 100, 1, &j);
    next_is(q, 100, 2, NULL);
    none(q, 100);
    assert_int_equal(queue_wake(q).us, INT64_MAX);
    queue_done(q, j.id, false, WALL_NEVER);
    next_is(q, 100, 3, NULL);
    queue_free(q);
}

static void limits_of_nothing_count_as_one(void **state)
{
    (void)state;
    struct queue *q = queue_of(0, 0, 0);
    add(q, 1, "a", 1);
    assert_false(add(q, 2, "a", 2));
    next_is(q, 100, 1, NULL);
    queue_free(q);
}

static void an_item_moves(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 1);
    add(q, 1, "a", 100);
    assert_true(add(q, 1, "a", 50)); // no room is needed: it is the same
    next_is(q, 50, 1, NULL);
    none(q, 1000);
    add(q, 2, "a", 100);
    assert_true(add(q, 2, "a", 200));
    none(q, 150);
    next_is(q, 200, 2, NULL);
    queue_free(q);
}

static void an_item_under_way_comes_up_afterwards(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    struct queue_job j;
    add(q, 1, "a", 1);
    next_is(q, 10, 1, &j);
    assert_true(add(q, 1, "a", 5));
    none(q, 10);
    queue_done(q, j.id, false, WALL_NEVER);
    next_is(q, 10, 1, &j);
    queue_done(q, j.id, false, WALL_NEVER);
    none(q, 10);
    queue_free(q);
}

static void a_job_put_back_waits_for_the_later_time(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    struct queue_job j;
    add(q, 1, "a", 1);
    next_is(q, 10, 1, &j);
    queue_done(q, j.id, true, (struct wall){30});
    none(q, 29);
    next_is(q, 30, 1, &j);
    add(q, 1, "a", 50);
    queue_done(q, j.id, true, (struct wall){40});
    none(q, 49);
    next_is(q, 50, 1, &j);
    add(q, 1, "a", 50);
    queue_done(q, j.id, true, (struct wall){60});
    none(q, 59);
    next_is(q, 60, 1, NULL);
    queue_free(q);
}

static void a_job_whose_worker_dies_comes_back_later_each_time(void **state)
{
    (void)state;
    static const int64_t waits[] = {1, 4, 16, 64, 256, 1024, 3600, 3600, 3600};
    struct queue *q = queue_of(10, 10, 10);
    struct queue_job j, seen;
    int64_t now = SECONDS(10);
    add(q, 1, "a", 1);
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        next_is(q, now, 1, &j);
        assert_int_equal(j.lost, i);
        assert_true(queue_under_way(q, j.id, &seen));
        assert_true(seen.message == 1 && seen.lost == i && span_eq(seen.domain, SPAN("a")));
        queue_lost(q, j.id, (struct wall){now});
        queue_lost(q, j.id, (struct wall){now});
        assert_false(queue_under_way(q, j.id, &seen));
        now += SECONDS(waits[i]);
        none(q, now - 1);
    }
    next_is(q, now, 1, &j);
    queue_done(q, j.id, true, (struct wall){now + 1});
    next_is(q, now + 1, 1, &j);
    assert_int_equal(j.lost, 0); // the worker said how it ended
    queue_lost(q, j.id, (struct wall){now});
    add(q, 1, "a", now + SECONDS(50)); // the store has counted it and put it off
    none(q, now + SECONDS(50) - 1);
    next_is(q, now + SECONDS(50), 1, NULL);
    queue_free(q);
}

static void a_job_ends_once(void **state)
{
    (void)state;
    struct queue *q = queue_of(1, 10, 10);
    struct queue_job j, k;
    add(q, 1, "a", 1);
    add(q, 2, "a", 2);
    next_is(q, 10, 1, &j);
    queue_done(q, j.id, false, WALL_NEVER);
    next_is(q, 10, 2, &k); // may be in the same place as the first
    assert_int_not_equal(j.id, k.id);
    queue_done(q, j.id, true, (struct wall){0});
    none(q, 10);
    queue_free(q);
}

static void jobs_from_before_a_restart(void **state)
{
    (void)state;
    struct queue *q = queue_of(1, 10, 10);
    uint64_t a, b, c;
    queue_busy(q, 1, SPAN("a"), &a);
    assert_int_not_equal(a, 0);
    add(q, 1, "a", 1);
    add(q, 2, "a", 1);
    none(q, 10);
    queue_busy(q, 2, SPAN("a"), &b); // above the limit, and it was held
    queue_done(q, a, false, WALL_NEVER);
    none(q, 10);
    queue_done(q, b, false, WALL_NEVER);
    next_is(q, 10, 1, NULL);
    queue_busy(q, 3, SPAN("c"), &c);
    queue_done(q, c, true, (struct wall){20});
    next_is(q, 20, 3, NULL);
    queue_free(q);
}

static void two_senders_claim_the_same(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    uint64_t a, b;
    queue_busy(q, 1, SPAN("a"), &a);
    queue_busy(q, 1, SPAN("a"), &b);
    assert_int_not_equal(a, b);
    queue_done(q, a, true, (struct wall){5});
    none(q, 10);
    queue_done(q, b, false, WALL_NEVER);
    next_is(q, 10, 1, NULL);
    queue_free(q);
}

static void the_same_message_to_two_domains_is_two_items(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    add(q, 1, "a", 1);
    add(q, 1, "b", 2);
    add(q, 1, "", 3);
    struct queue_job j;
    next_is(q, 10, 1, NULL);
    next_is(q, 10, 1, NULL);
    next_is(q, 10, 1, &j);
    assert_int_equal(j.domain.len, 0);
    none(q, 10);
    queue_free(q);
}

static void a_full_window_keeps_the_earliest(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 2);
    add(q, 1, "a", 10);
    add(q, 2, "b", 20);
    queue_filled(q, (struct wall){100});
    assert_int_equal(queue_horizon(q).us, 100);
    assert_false(add(q, 3, "a", 30)); // later than all
    assert_int_equal(queue_horizon(q).us, 30);
    assert_false(add(q, 4, "a", 20)); // as late as the last
    assert_int_equal(queue_horizon(q).us, 20);
    assert_true(add(q, 5, "c", 5)); // pushes 2 out
    assert_int_equal(queue_horizon(q).us, 20);
    next_is(q, 50, 5, NULL);
    next_is(q, 50, 1, NULL);
    none(q, 50);
    queue_free(q);
}

static void the_horizon_stays_before_what_came_while_it_was_asked(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 2);
    assert_true(queue_horizon(q).us < 0);
    add(q, 1, "a", 10);
    add(q, 2, "a", 20);
    assert_false(add(q, 3, "a", 30));
    queue_filled(q, (struct wall){1000});
    assert_int_equal(queue_horizon(q).us, 30);
    queue_filled(q, (struct wall){25}); // never back
    assert_int_equal(queue_horizon(q).us, 30);
    queue_filled(q, (struct wall){1000});
    assert_int_equal(queue_horizon(q).us, 1000);
    queue_free(q);
}

// A job that comes back is due later here than in the store; if it does not fit,
// the store must be asked from where it is there, or it is never seen again.
static void a_job_pushed_out_is_found_in_the_store(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 1);
    struct queue_job j;
    add(q, 1, "a", 10);
    next_is(q, 50, 1, &j);
    add(q, 2, "a", 20);
    queue_filled(q, (struct wall){1000});
    queue_done(q, j.id, true, (struct wall){60});
    assert_int_equal(queue_horizon(q).us, 10);
    queue_free(q);
}

static void a_smaller_window_after_a_reload(void **state)
{
    (void)state;
    struct queue *q = queue_of(1, 10, 10);
    for (uint64_t i = 1; i <= 4; i++)
        add(q, i, "a", (int64_t)i * 10);
    queue_filled(q, (struct wall){1000});
    queue_limit(q, &(struct queue_limits){3, 10, 2, 7});
    assert_int_equal(queue_horizon(q).us, 30);
    next_is(q, 50, 1, NULL);
    next_is(q, 50, 2, NULL); // the limit of one is no more
    none(q, 50);
    queue_free(q);
}

static void a_clock_that_goes_back(void **state)
{
    (void)state;
    struct queue *q = queue_of(10, 10, 10);
    add(q, 1, "a", 100);
    add(q, 2, "a", 110);
    add(q, 3, "b", 120);
    next_is(q, 200, 1, NULL);
    none(q, 50);
    assert_int_equal(queue_wake(q).us, 110);
    next_is(q, 110, 2, NULL);
    next_is(q, 120, 3, NULL);
    queue_free(q);
}

// The model: a table of all there is.
enum { DOMAINS = 7, MESSAGES = 40, WINDOW = 60 };
struct model_item {
    bool held, busy, again, known;
    int64_t due, stored;
    uint64_t job;
};
struct model {
    struct model_item at[MESSAGES][DOMAINS];
    unsigned busy_of[DOMAINS], busy, passed[DOMAINS];
    size_t held;
    struct queue_limits limits;
    int64_t now, clock, seen; // seen: the last the queue was told
};

static uint64_t seed = 1;
static unsigned dice(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static const char *const names[DOMAINS] = {"", "a", "b", "example.org", "c", "d", "e"};

// All dues differ, so that there is one right answer.
static int64_t model_due(struct model *m)
{
    return ((m->now + dice(2000) - 300) << 20) | ++m->clock;
}

static struct model_item *model_latest(struct model *m)
{
    struct model_item *latest = NULL;
    for (struct model_item *i = m->at[0]; i < m->at[0] + MESSAGES * DOMAINS; i++)
        if (i->held && (!latest || i->due > latest->due))
            latest = i;
    return latest;
}

static bool model_hold(struct model *m, struct model_item *i, int64_t due)
{
    m->held -= i->held;
    i->held = false;
    i->due = due;
    if (m->held >= m->limits.window) {
        struct model_item *latest = model_latest(m);
        if (latest->due < due)
            return false;
        latest->held = false;
        m->held--;
    }
    i->held = true;
    m->held++;
    return true;
}

static struct model_item *model_first(struct model *m, unsigned d)
{
    struct model_item *first = NULL;
    for (unsigned i = 0; i < MESSAGES; i++)
        if (m->at[i][d].held && (!first || m->at[i][d].due < first->due))
            first = &m->at[i][d];
    return first && m->busy_of[d] < m->limits.per_domain ? first : NULL;
}

static void model_add(struct model *m, struct queue *q)
{
    unsigned message = dice(MESSAGES), d = dice(DOMAINS);
    struct model_item *i = &m->at[message][d];
    int64_t due = model_due(m);
    i->known = true;
    i->stored = due;
    bool want = true;
    if (i->busy) {
        i->again = true;
        i->due = due;
    } else {
        want = model_hold(m, i, due);
    }
    assert_int_equal(add(q, message, names[d], due), want);
}

static void model_next(struct model *m, struct queue *q)
{
    struct queue_job j;
    int64_t now = m->now << 20;
    bool may[DOMAINS], any = false;
    m->seen = m->busy < m->limits.jobs ? now : m->seen;
    for (unsigned d = 0; d < DOMAINS; d++) {
        struct model_item *first = m->busy < m->limits.jobs ? model_first(m, d) : NULL;
        may[d] = first && first->due <= now;
        any = any || may[d];
    }
    assert_int_equal(queue_next(q, (struct wall){now}, &j), any);
    if (!any)
        return;
    unsigned d = 0;
    while (!span_eq(span_str(names[d]), j.domain))
        d++;
    struct model_item *i = &m->at[j.message][d];
    assert_true(may[d] && i == model_first(m, d));
    for (unsigned other = 0; other < DOMAINS; other++) {
        m->passed[other] = may[other] && other != d ? m->passed[other] + 1 : 0;
        assert_true(m->passed[other] < 2 * DOMAINS); // nobody starves
    }
    i->held = false;
    i->busy = true;
    i->again = false;
    i->job = j.id;
    m->held--;
    m->busy++;
    m->busy_of[d]++;
}

static void model_done(struct model *m, struct queue *q)
{
    unsigned from = dice(MESSAGES * DOMAINS);
    for (unsigned k = 0; k < MESSAGES * DOMAINS; k++) {
        unsigned at = (from + k) % (MESSAGES * DOMAINS);
        struct model_item *i = &m->at[at / DOMAINS][at % DOMAINS];
        if (!i->busy)
            continue;
        bool again = dice(3) == 0;
        int64_t due = model_due(m);
        queue_done(q, i->job, again, (struct wall){due});
        i->busy = false;
        m->busy--;
        m->busy_of[at % DOMAINS]--;
        if (again && (!i->again || due > i->due))
            i->due = due;
        if (again || i->again)
            model_hold(m, i, i->due);
        else
            i->known = false;
        return;
    }
}

// Everything due in the store before the horizon is held or under way.
static void model_check(struct model *m, struct queue *q)
{
    int64_t horizon = queue_horizon(q).us, wake = INT64_MAX;
    for (unsigned i = 0; i < MESSAGES; i++)
        for (unsigned d = 0; d < DOMAINS; d++)
            if (m->at[i][d].known && !m->at[i][d].held && !m->at[i][d].busy)
                assert_true(m->at[i][d].stored >= horizon);
    for (unsigned d = 0; d < DOMAINS && m->busy < m->limits.jobs; d++) {
        struct model_item *first = model_first(m, d);
        wake = first && first->due < wake ? first->due : wake;
    }
    int64_t got = queue_wake(q).us;
    assert_true(got == wake || (got <= m->seen && wake <= m->seen));
}

// The store is asked from the horizon on, and gives some.
static void model_fill(struct model *m, struct queue *q)
{
    int64_t from = queue_horizon(q).us, until = (m->now + dice(2000)) << 20;
    for (unsigned k = 0; k < MESSAGES * DOMAINS; k++) {
        struct model_item *i = &m->at[k / DOMAINS][k % DOMAINS];
        if (!i->known || i->busy || i->stored < from || i->stored >= until)
            continue;
        bool want = model_hold(m, i, i->stored);
        assert_int_equal(add(q, k / DOMAINS, names[k % DOMAINS], i->stored), want);
    }
    queue_filled(q, (struct wall){until});
}

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    struct model *m = calloc(1, sizeof *m);
    m->limits = (struct queue_limits){3, 8, WINDOW, 42};
    m->now = 10000;
    struct queue *q = queue_new(&m->limits);
    for (unsigned n = 0; n < 60000; n++) {
        unsigned what = dice(100);
        m->now += dice(8);
        if (what < 40)
            model_add(m, q);
        else if (what < 70)
            model_next(m, q);
        else if (what < 95)
            model_done(m, q);
        else if (what < 98)
            model_fill(m, q);
        else if (what < 99)
            m->now -= dice(100);
        model_check(m, q);
    }
    queue_free(q);
    free(m);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Figures are printed, never asserted, but for what is off by a power.
static void a_million_items(void **state)
{
    (void)state;
    enum { COUNT = 1000000, NAMES = 10000 };
    struct queue *q = queue_of(20, 100000, COUNT);
    char name[32];
    size_t memory = mallinfo2().uordblks;
    double start = seconds();
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "host%u.example.org", dice(NAMES));
        assert_true(add(q, i, name, dice(1000000)));
    }
    double added = seconds();
    memory = mallinfo2().uordblks - memory;
    struct queue_job j;
    unsigned popped = 0;
    while (queue_next(q, (struct wall){1000000}, &j)) {
        queue_done(q, j.id, false, WALL_NEVER);
        popped++;
    }
    double ended = seconds();
    assert_int_equal(popped, COUNT);
    print_message("# a million adds %.2f s, next and done %.2f s, %zu bytes each\n", added - start,
                  ended - added, memory / COUNT);
    queue_free(q);
}

struct backoff_case {
    const char *name;
    unsigned attempts;
    int64_t now, low, high; // seconds; high -1: never
};
// first 300 s, longest 4 h, lifetime 5 days
static const struct backoff_case backoffs[] = {
    {"backoff first", 1, 0, 300, 375},
    {"backoff of none is as of one", 0, 0, 300, 375},
    {"backoff second", 2, 300, 900, 1050},
    {"backoff third", 3, 0, 1200, 1500},
    {"backoff near the longest", 6, 0, 9600, 12000},
    {"backoff longest", 7, 0, 10800, 14400},
    {"backoff of very many", 4000000000, 0, 10800, 14400},
    {"backoff ends with the lifetime", 9, 431990, 432000, 432000},
    {"backoff at the end", 9, 432000, 0, -1},
    {"backoff after the end", 9, 500000, 0, -1},
    {"backoff with a clock before", 1, -1000, -700, -625},
};

static void backoff_run(void **state)
{
    const struct backoff_case *c = *state;
    const struct queue_retry r = {SECONDS(300), SECONDS(14400), SECONDS(432000)};
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t random = i == 0 ? 0 : i == 1 ? UINT64_MAX : (uint64_t)dice(1u << 30) << 20;
        struct wall t = queue_backoff(&r, (struct wall){0}, (struct wall){SECONDS(c->now)},
                                      c->attempts, random);
        if (c->high < 0 && c->now > 0)
            assert_int_equal(t.us, INT64_MAX);
        else
            assert_true(t.us >= SECONDS(c->low) && t.us <= SECONDS(c->high));
        if (i == 0 && c->high > 0) // no spread, and the longest without it
            assert_true(t.us == SECONDS(c->low) || t.us == SECONDS(c->high));
    }
}

static void backoff_at_the_ends_of_numbers(void **state)
{
    (void)state;
    const struct queue_retry r = {INT64_MAX / 2 + 5, INT64_MAX, INT64_MAX};
    struct wall t = queue_backoff(&r, (struct wall){100}, (struct wall){200}, 9, UINT64_MAX);
    assert_true(t.us >= INT64_MAX / 4 * 3);
    const struct queue_retry zero = {0, 0, 100};
    t = queue_backoff(&zero, (struct wall){100}, (struct wall){150}, 9, UINT64_MAX);
    assert_int_equal(t.us, 150);
}

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(an_empty_queue),
        cmocka_unit_test(nothing_before_it_is_due),
        cmocka_unit_test(oldest_first_within_a_domain),
        cmocka_unit_test(domains_take_turns),
        cmocka_unit_test(a_domain_has_its_limit),
        cmocka_unit_test(all_have_theirs),
        cmocka_unit_test(limits_of_nothing_count_as_one),
        cmocka_unit_test(an_item_moves),
        cmocka_unit_test(an_item_under_way_comes_up_afterwards),
        cmocka_unit_test(a_job_put_back_waits_for_the_later_time),
        cmocka_unit_test(a_job_whose_worker_dies_comes_back_later_each_time),
        cmocka_unit_test(a_job_ends_once),
        cmocka_unit_test(jobs_from_before_a_restart),
        cmocka_unit_test(two_senders_claim_the_same),
        cmocka_unit_test(the_same_message_to_two_domains_is_two_items),
        cmocka_unit_test(a_full_window_keeps_the_earliest),
        cmocka_unit_test(the_horizon_stays_before_what_came_while_it_was_asked),
        cmocka_unit_test(a_job_pushed_out_is_found_in_the_store),
        cmocka_unit_test(a_smaller_window_after_a_reload),
        cmocka_unit_test(a_clock_that_goes_back),
        cmocka_unit_test(random_operations_agree_with_the_model),
        cmocka_unit_test(a_million_items),
        cmocka_unit_test(backoff_at_the_ends_of_numbers),
    };
    enum { SINGLE = sizeof single / sizeof *single, ROWS = sizeof backoffs / sizeof *backoffs };
    struct CMUnitTest tests[ROWS + SINGLE];
    for (size_t i = 0; i < SINGLE; i++)
        tests[i] = single[i];
    for (size_t i = 0; i < ROWS; i++)
        tests[SINGLE + i] =
            (struct CMUnitTest){backoffs[i].name, backoff_run, NULL, NULL, (void *)&backoffs[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
