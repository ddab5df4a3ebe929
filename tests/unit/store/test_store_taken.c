#include "store_place.h"

#include "store_taken.h"

#include <sqlite3.h>

enum { DAY = 86400 };

static void again(struct place *p)
{
    const char *why;
    store_history_close(p->h);
    OK(store_history_open(&p->h, p->path, &why));
}

enum { SIGNED, ANYBODY, OURS };

static struct rc put(struct place *p, int64_t second, unsigned id, unsigned way,
                     struct span content, const struct store_taken_most *most, bool *fresh)
{
    char report[16];
    snprintf(report, sizeof report, "%u", id);
    struct store_taken t = {.when = at_second(second),
                            .organization = SPAN("Org"),
                            .report = span_str(report),
                            .domain = SPAN("a.example"),
                            .good = id,
                            .way = way,
                            .content = content};
    return store_taken_put(p->h, &t, most, fresh);
}

static enum rc_code take(struct place *p, int64_t second, unsigned id, uint64_t most, bool *fresh)
{
    struct store_taken_most m = {.ways = 1U << SIGNED | 1U << ANYBODY, .reports = most};
    return put(p, second, id, SIGNED, SPAN("..."), &m, fresh).code;
}

static bool one_taken(void *arg, const struct store_taken *t)
{
    uint64_t *good = arg;
    *good = t->good;
    return true;
}

static void reports_are_taken_once(void **state)
{
    struct place *p = *state;
    bool fresh;
    uint64_t good = 0;
    assert_int_equal(take(p, 7 * DAY, 5, 0, &fresh), RC_OK);
    assert_true(fresh);
    assert_int_equal(take(p, 7 * DAY, 5, 0, &fresh), RC_OK);
    assert_false(fresh);
    OK(store_history_commit(p->h));
    OK(store_taken_get(p->h, 1, one_taken, &good));
    assert_int_equal(good, 5);
    assert_int_equal(store_taken_get(p->h, 2, one_taken, &good).code, RC_NOT_FOUND);
}

static void a_day_takes_so_many(void **state)
{
    struct place *p = *state;
    bool fresh;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(p, 7 * DAY + i, i, 3, &fresh), RC_OK);
    assert_int_equal(take(p, 7 * DAY + 9, 9, 3, &fresh), RC_FULL);
    OK(store_history_commit(p->h));
    again(p);
    assert_int_equal(take(p, 8 * DAY - 1, 9, 3, &fresh), RC_FULL);
    assert_int_equal(take(p, 8 * DAY - 1, 9, 0, &fresh), RC_OK); // who is not bounded
    assert_int_equal(take(p, 8 * DAY, 10, 3, &fresh), RC_OK);
    assert_true(fresh);
}

static void what_is_ours_does_not_count(void **state)
{
    struct place *p = *state;
    bool fresh;
    for (unsigned i = 0; i < 5; i++)
        OK(put(p, 7 * DAY, i, OURS, SPAN("..."), NULL, &fresh));
    for (unsigned i = 5; i < 7; i++)
        OK(put(p, 7 * DAY, i, ANYBODY, SPAN("..."), NULL, &fresh));
    assert_int_equal(take(p, 7 * DAY, 8, 3, &fresh), RC_OK);
    assert_int_equal(take(p, 7 * DAY, 9, 3, &fresh), RC_FULL);
    OK(store_history_commit(p->h));
    again(p);
    assert_int_equal(take(p, 7 * DAY, 9, 3, &fresh), RC_FULL);
    assert_int_equal(take(p, 7 * DAY, 9, 4, &fresh), RC_OK);
}

static bool content_length(void *arg, const struct store_taken *t)
{
    size_t *length = arg;
    *length = t->content.len;
    return true;
}

static void a_day_keeps_so_many_bytes(void **state)
{
    struct place *p = *state;
    const struct store_taken_most most = {.ways = 1U << ANYBODY, .bytes = 10};
    static const size_t kept[] = {4, 4, 0, 0, 0, 4};
    for (unsigned i = 0; i < 6; i++) {
        bool fresh;
        size_t length = 99;
        OK(put(p, i < 5 ? 7 * DAY : 8 * DAY, i, ANYBODY, SPAN("1234"), &most, &fresh));
        assert_true(fresh);
        OK(store_history_commit(p->h));
        if (i == 3)
            again(p);
        OK(store_taken_get(p->h, i + 1, content_length, &length));
        assert_int_equal(length, kept[i]);
        OK(store_taken_list(p->h, i, content_length, &length));
        assert_int_equal(length, 0);
    }
}

// The names of reports can be guessed: who posts one before it comes would be believed instead.
static void what_anybody_says_makes_room(void **state)
{
    struct place *p = *state;
    const struct store_taken_most most = {.over = 1U << ANYBODY};
    static const struct {
        unsigned way;
        struct span content;
        bool fresh;
    } rows[] = {{ANYBODY, {"lie", 3}, true},       {ANYBODY, {"lie two", 7}, false},
                {SIGNED, {"truth", 5}, true},      {SIGNED, {"truth", 5}, false},
                {ANYBODY, {"again", 5}, false},    {SIGNED, {"truth too", 9}, false},
                {OURS, {"truth three", 11}, false}};
    size_t length = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool fresh;
        OK(put(p, 7 * DAY, 1, rows[i].way, rows[i].content, rows[i].way == ANYBODY ? NULL : &most,
               &fresh));
        assert_int_equal(fresh, rows[i].fresh);
    }
    OK(store_history_commit(p->h));
    OK(store_taken_get(p->h, 1, content_length, &length));
    assert_int_equal(length, 5);
    assert_int_equal(store_taken_get(p->h, 2, content_length, &length).code, RC_NOT_FOUND);
}

static unsigned synced;

int fdatasync(int fd) // in the place of libc's, for SQLite
{
    (void)fd;
    synced++;
    return 0;
}

static void what_is_answered_for_is_on_the_disk(void **state)
{
    struct place *p = *state;
    bool fresh;
    assert_int_equal(take(p, 7 * DAY, 1, 0, &fresh), RC_OK);
    OK(store_history_commit(p->h));
    unsigned before = synced;
    OK(store_history_sync(p->h));
    assert_int_equal(synced, before + 1);
}

static void put_aside(struct place *p, int64_t second, struct span bytes)
{
    struct store_aside a = {.when = at_second(second),
                            .way = 1,
                            .who = SPAN("somebody"),
                            .why = SPAN("It is empty."),
                            .size = bytes.len + 1,
                            .bytes = bytes};
    OK(store_aside_put(p->h, &a));
}

struct seen {
    unsigned count;
    struct store_aside last, first;
    size_t bytes;
};

static bool one_aside(void *arg, const struct store_aside *a)
{
    struct seen *s = arg;
    s->first = s->count++ ? s->first : *a;
    s->last = *a;
    s->bytes = a->bytes.len;
    return true;
}

static struct seen asides(struct place *p)
{
    struct seen s = {0};
    OK(store_history_commit(p->h));
    OK(store_aside_list(p->h, one_aside, &s));
    return s;
}

static void equal_bytes_are_put_aside_once(void **state)
{
    struct place *p = *state;
    struct seen s = {0};
    put_aside(p, 1, SPAN("one"));
    put_aside(p, 2, SPAN("two"));
    put_aside(p, 3, SPAN("one"));
    put_aside(p, 4, (struct span){NULL, 0});
    s = asides(p);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.first.id, 2);
    OK(store_aside_get(p->h, 1, one_aside, &s));
    assert_int_equal(s.last.when.us, 3 * US_PER_S);
    assert_int_equal(s.last.size, 4);
    assert_int_equal(s.bytes, 3);
    assert_int_equal(store_aside_get(p->h, 99, one_aside, &s).code, RC_NOT_FOUND);
}

static void what_is_aside_is_bounded(void **state)
{
    struct place *p = *state;
    struct seen s = {0};
    char *much = mem_new(STORE_ASIDE_BYTES + 10);
    for (unsigned i = 0; i < STORE_ASIDE_MAX + 50; i++)
        put_aside(p, i, (struct span){(const char *)&i, sizeof i});
    s = asides(p);
    assert_int_equal(s.count, STORE_ASIDE_MAX);
    assert_int_equal(s.first.when.us, 50 * US_PER_S);
    for (unsigned i = 0; i < 70; i++) {
        much[0] = (char)i;
        put_aside(p, 1000 + i, (struct span){much, STORE_ASIDE_BYTES + 10});
    }
    free(much);
    s = asides(p);
    assert_int_equal(s.count, STORE_ASIDE_ALL_BYTES / STORE_ASIDE_BYTES);
    OK(store_aside_get(p->h, s.last.id, one_aside, &s));
    assert_int_equal(s.bytes, STORE_ASIDE_BYTES);
    assert_int_equal(s.last.size, STORE_ASIDE_BYTES + 11);
}

static void old_ones_go(void **state)
{
    struct place *p = *state;
    bool fresh;
    uint64_t good = 0;
    put_aside(p, 1 * DAY, SPAN("old"));
    put_aside(p, 9 * DAY, SPAN("new"));
    assert_int_equal(take(p, 1 * DAY, 1, 0, &fresh), RC_OK);
    assert_int_equal(take(p, 9 * DAY, 2, 0, &fresh), RC_OK);
    OK(store_history_commit(p->h));
    OK(store_tally_trim(p->h, 5, 3));
    assert_int_equal(asides(p).count, 1);
    OK(store_taken_list(p->h, 0, one_taken, &good));
    assert_int_equal(good, 2);
}

// What version 3 had is what this one has without the tables of version 4.
static void an_older_history_gets_the_table(void **state)
{
    struct place *p = *state;
    sqlite3 *db;
    store_history_close(p->h);
    p->h = NULL;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "DROP TABLE aside; DROP INDEX taken_at;"
                     " ALTER TABLE taken DROP COLUMN way; ALTER TABLE taken DROP COLUMN who;"
                     " ALTER TABLE taken DROP COLUMN remark;"
                     " PRAGMA user_version=3;",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    again(p);
    put_aside(p, 1, SPAN("one"));
    assert_int_equal(asides(p).count, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, place_make, place_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_ours_does_not_count),
        T(a_day_keeps_so_many_bytes),
        T(what_anybody_says_makes_room),
        T(what_is_answered_for_is_on_the_disk),
        T(reports_are_taken_once),
        T(a_day_takes_so_many),
        T(equal_bytes_are_put_aside_once),
        T(what_is_aside_is_bounded),
        T(old_ones_go),
        T(an_older_history_gets_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
