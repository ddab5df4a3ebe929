#include "store_place.h"
#include "store_taken.h"

static void count(struct place *p, int64_t day, const char *domain, const char *detail,
                  unsigned keys_max)
{
    struct store_count t = {.subject = {day, STORE_ABOUT_TLS, span_str(domain)},
                            .about = SPAN("mailto:x"),
                            .policy = SPAN("P"),
                            .detail = span_str(detail),
                            .coarse = *detail ? SPAN("c") : SPAN(""),
                            .sessions = 1,
                            .times = *detail ? 1 : 0};
    OK(store_tally_add(p->h, &t, keys_max));
}

struct sum {
    size_t rows;
    uint64_t sessions, times, lost, keys;
    bool done;
};

static bool add_tally(void *arg, const struct store_count *t)
{
    struct sum *s = arg;
    s->rows++;
    s->sessions += t->sessions;
    s->times += t->times;
    return true;
}

static bool add_subject(void *arg, const struct store_subject_row *r)
{
    struct sum *s = arg;
    s->rows++;
    s->sessions += r->sessions;
    s->lost += r->lost;
    s->keys += r->keys;
    s->done = s->done || r->done;
    return true;
}

static struct sum tallies(struct place *p, int64_t day, const char *domain)
{
    struct sum s = {0};
    struct store_subject who = {day, STORE_ABOUT_TLS, span_str(domain)};
    OK(store_tallies(p->h, &who, SPAN(""), SPAN(""), add_tally, &s));
    return s;
}

static struct sum subjects(struct place *p, int64_t from, int64_t to)
{
    struct sum s = {0};
    OK(store_subjects(p->h, from, to, false, NULL, add_subject, &s));
    return s;
}

static void equal_keys_are_added_up(void **state)
{
    struct place *p = *state;
    for (int i = 0; i < 1000; i++)
        count(p, 5, i % 100 ? "a.example" : "b.example", i % 7 ? "" : "f", 100);
    OK(store_history_commit(p->h));
    struct sum a = tallies(p, 5, "a.example"), b = tallies(p, 5, "b.example");
    assert_int_equal(a.rows, 2);
    assert_int_equal(a.sessions + b.sessions, 1000);
    assert_int_equal(a.times + b.times, 143);
    assert_int_equal(tallies(p, 6, "a.example").rows, 0);
    assert_int_equal(subjects(p, 5, 5).rows, 2);
    assert_int_equal(subjects(p, 6, 9).rows, 0);
}

static void midnight_parts_days(void **state)
{
    struct place *p = *state;
    count(p, 5, "a.example", "", 100);
    count(p, 6, "a.example", "", 100);
    OK(store_history_commit(p->h));
    assert_int_equal(tallies(p, 5, "a.example").sessions, 1);
    assert_int_equal(tallies(p, 6, "a.example").sessions, 1);
}

static void nothing_is_lost_beyond_the_limit_but_details(void **state)
{
    struct place *p = *state;
    for (int i = 0; i < 500; i++) {
        char detail[16];
        snprintf(detail, sizeof detail, "f%d", i);
        count(p, 5, "a.example", detail, 10);
    }
    OK(store_history_commit(p->h));
    struct sum s = tallies(p, 5, "a.example");
    assert_int_equal(s.rows, 11);
    assert_int_equal(s.sessions, 500);
    assert_int_equal(subjects(p, 5, 5).lost, 490);
}

static void nothing_counts_that_was_not_committed(void **state)
{
    struct place *p = *state;
    const char *why;
    count(p, 5, "a.example", "", 100);
    store_history_close(p->h);
    OK(store_history_open(&p->h, p->path, &why));
    assert_int_equal(tallies(p, 5, "a.example").rows, 0);
    count(p, 5, "a.example", "", 100);
    OK(store_history_commit(p->h));
    store_history_close(p->h);
    OK(store_history_open(&p->h, p->path, &why));
    count(p, 5, "a.example", "", 100);
    OK(store_history_commit(p->h));
    assert_int_equal(tallies(p, 5, "a.example").sessions, 2);
}

static bool add_delivery(void *arg, const struct store_delivery_row *d)
{
    struct sum *s = arg;
    s->rows++;
    s->sessions += d->count * (d->protection == STORE_DANE ? 1000 : 1);
    return true;
}

static void deliveries_are_kept_by_protection(void **state)
{
    struct place *p = *state;
    struct sum s = {0};
    for (int i = 0; i < 10; i++)
        OK(store_delivered(p->h, 5, SPAN("a.example"), i < 3 ? STORE_DANE : STORE_CLEAR, 1));
    OK(store_delivered(p->h, 5, SPAN("a.example"), STORE_UNCOUNTED, 1));
    OK(store_history_commit(p->h));
    OK(store_deliveries(p->h, 5, 5, SPAN(""), add_delivery, &s));
    assert_int_equal(s.rows, 2);
    assert_int_equal(s.sessions, 3007);
}

static bool add_told(void *arg, const struct store_told_row *t)
{
    struct buf *b = arg;
    buf_printf(b, "%lld %.*s %u %.*s %llu %llu %llu\n", (long long)t->day, SPAN_FMT(t->domain),
               t->kind, SPAN_FMT(t->organization), (unsigned long long)t->reports,
               (unsigned long long)t->good, (unsigned long long)t->bad);
    return true;
}

static void what_others_tell_is_added_up_by_day(void **state)
{
    struct place *p = *state;
    static const struct {
        int64_t day;
        const char *domain, *who;
        uint64_t good;
    } rows[] = {{5, "a.example", "one", 1},
                {5, "a.example", "one", UINT64_MAX / 2},
                {5, "a.example", "two", 3},
                {6, "a.example", "one", 4},
                {6, "b.example", "one", 5},
                {8, "a.example", "one", 6},
                {7, "a.example", "big", UINT64_C(1) << 63},
                {7, "a.example", "big", UINT64_MAX}};
    struct buf b = BUF(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        bool fresh;
        OK(store_taken_put(p->h,
                           &(struct store_taken){.kind = STORE_ABOUT_DMARC,
                                                 .organization = span_str(rows[i].who),
                                                 .report = span_str(id),
                                                 .domain = span_str(rows[i].domain),
                                                 .begin = {rows[i].day * SECONDS(86400)},
                                                 .end = {rows[i].day * SECONDS(86400) + 1},
                                                 .good = rows[i].good,
                                                 .bad = i,
                                                 .content = SPAN("")},
                           NULL, &fresh));
        assert_true(fresh);
    }
    OK(store_history_commit(p->h));
    OK(store_told(p->h, 5, 7, SPAN("a.example"), add_told, &b));
    assert_string_equal(buf_str(&b), "5 a.example 1 one 2 1000000000001 1\n"
                                     "5 a.example 1 two 1 3 2\n"
                                     "6 a.example 1 one 1 4 3\n"
                                     "7 a.example 1 big 2 2000000000000 13\n");
    buf_clear(&b);
    OK(store_told(p->h, 6, 6, SPAN(""), add_told, &b));
    assert_string_equal(buf_str(&b), "6 a.example 1 one 1 4 3\n6 b.example 1 one 1 5 4\n");
    buf_free(&b);
}

static bool one_sent(void *arg, const struct store_sent *s)
{
    int *state = arg;
    *state = (int)s->state;
    return true;
}

static void what_was_sent_is_known_after_a_restart(void **state)
{
    struct place *p = *state;
    const char *why;
    int seen = -1;
    struct store_subject who = {5, STORE_ABOUT_TLS, SPAN("a.example")};
    struct store_sent s = {who, SPAN("mailto:x"), at_second(6 * 86400), STORE_SENT, SPAN("")};
    count(p, 5, "a.example", "", 100);
    OK(store_history_commit(p->h));
    OK(store_sent_put(p->h, &s));
    OK(store_subject_done(p->h, &who));
    OK(store_history_commit(p->h));
    store_history_close(p->h);
    OK(store_history_open(&p->h, p->path, &why));
    OK(store_sent_list(p->h, &who, one_sent, &seen));
    assert_int_equal(seen, STORE_SENT);
    assert_true(subjects(p, 5, 5).done);
    struct sum undone = {0};
    count(p, 5, "b.example", "", 100);
    OK(store_history_commit(p->h));
    OK(store_subjects(p->h, 5, 5, true, NULL, add_subject, &undone));
    assert_int_equal(undone.rows, 1);
    assert_false(undone.done);
    assert_int_equal(subjects(p, 5, 5).rows, 2);
}

static void old_days_go_and_deliveries_stay(void **state)
{
    struct place *p = *state;
    struct sum s = {0};
    for (int64_t day = 1; day <= 10; day++) {
        count(p, day, "a.example", "", 100);
        OK(store_delivered(p->h, day, SPAN("a.example"), STORE_CLEAR, 1));
    }
    OK(store_history_commit(p->h));
    OK(store_tally_trim(p->h, 8, 3));
    assert_int_equal(subjects(p, 1, 10).rows, 3);
    OK(store_deliveries(p->h, 1, 10, SPAN(""), add_delivery, &s));
    assert_int_equal(s.rows, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_keys_are_added_up, place_make, place_clear),
        cmocka_unit_test_setup_teardown(midnight_parts_days, place_make, place_clear),
        cmocka_unit_test_setup_teardown(nothing_is_lost_beyond_the_limit_but_details, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(nothing_counts_that_was_not_committed, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(deliveries_are_kept_by_protection, place_make, place_clear),
        cmocka_unit_test_setup_teardown(what_others_tell_is_added_up_by_day, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(what_was_sent_is_known_after_a_restart, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(old_days_go_and_deliveries_stay, place_make, place_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
