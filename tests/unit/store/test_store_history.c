#include "store_place.h"

#include <sqlite3.h>

static int64_t ask(struct place *p, const char *question)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(p->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

static void attempt(struct place *p, int64_t day, const char *plan)
{
    struct store_attempt a = {.when = at_second(day * 86400),
                              .message = 5,
                              .sender = SPAN("a@b.example"),
                              .domain = SPAN("c.example"),
                              .recipients = SPAN("[{\"address\":\"x@c.example\"}]"),
                              .plan = span_str(plan),
                              .sessions = SPAN("[]"),
                              .decision = SPAN("delivered"),
                              .reason = SPAN("because"),
                              .duration_us = 1234};
    OK(store_history_attempt(p->h, &a));
}

static void equal_plans_are_kept_once(void **state)
{
    struct place *p = *state;
    attempt(p, 1, "{\"a\":1}");
    attempt(p, 1, "{\"a\":2}");
    attempt(p, 1, "{\"a\":1}");
    OK(store_history_commit(p->h));
    attempt(p, 2, "{\"a\":2}");
    attempt(p, 9, "{\"a\":2}");
    OK(store_history_commit(p->h));
    assert_int_equal(ask(p, "SELECT count(*) FROM plan"), 2);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 5);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt JOIN plan ON plan.id = attempt.plan"
                            " WHERE json_extract(plan.json, '$.a') = 2"),
                     3);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt WHERE message = 5 AND duration = 1234"
                            " AND domain = 'c.example' AND decision = 'delivered'"
                            " AND json_extract(recipients, '$[0].address') = 'x@c.example'"),
                     5);
}

static void nothing_counts_before_commit(void **state)
{
    struct place *p = *state;
    attempt(p, 1, "{}");
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 0);
    OK(store_history_commit(p->h));
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 1);
    OK(store_history_commit(p->h)); // nothing to do
}

static void it_is_there_after_a_restart(void **state)
{
    struct place *p = *state;
    const char *why;
    attempt(p, 1, "{}");
    OK(store_history_commit(p->h));
    store_history_close(p->h);
    OK(store_history_open(&p->h, p->path, &why));
    attempt(p, 1, "{}");
    OK(store_history_commit(p->h));
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 2);
    assert_int_equal(ask(p, "SELECT count(*) FROM plan"), 1);
}

static void old_attempts_go_in_portions(void **state)
{
    struct place *p = *state;
    size_t removed;
    for (int day = 1; day <= 10; day++)
        attempt(p, day, day < 5 ? "{\"old\":1}" : "{\"new\":1}");
    OK(store_history_commit(p->h));
    OK(store_history_trim(p->h, at_second(8 * 86400), 3, &removed));
    assert_int_equal(removed, 3);
    assert_int_equal(ask(p, "SELECT min(at) FROM attempt"), at_second(4 * 86400).us);
    assert_int_equal(ask(p, "SELECT count(*) FROM plan"), 2);
    OK(store_history_trim(p->h, at_second(8 * 86400), 100, &removed));
    assert_int_equal(removed, 4);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 3);
    assert_int_equal(ask(p, "SELECT count(*) FROM plan"), 1);
    OK(store_history_trim(p->h, at_second(8 * 86400), 100, &removed));
    assert_int_equal(removed, 0);
}

static void used_plans_stay(void **state)
{
    struct place *p = *state;
    size_t removed;
    attempt(p, 1, "{}");
    for (int hours = 1; hours < 100; hours++) {
        struct store_attempt a = {.when = at_second(86400 + hours * 3600), .plan = SPAN("{}")};
        OK(store_history_attempt(p->h, &a));
    }
    OK(store_history_commit(p->h));
    OK(store_history_trim(p->h, at_second(86400 + 90 * 3600), 1000, &removed));
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 10);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt JOIN plan ON plan.id = attempt.plan"),
                     10);
}

static void evaluation(struct place *p, int64_t day)
{
    struct store_evaluation e = {.when = at_second(day * 86400),
                                 .message = 77,
                                 .client = SPAN("192.0.2.1"),
                                 .author = SPAN("a.example"),
                                 .spf = SPAN("pass"),
                                 .dkim = SPAN("[{\"domain\":\"a.example\"}]"),
                                 .dmarc = SPAN("fail"),
                                 .dkim_aligned = true,
                                 .policy_domain = SPAN("a.example"),
                                 .disposition = SPAN("quarantine"),
                                 .override_reason = SPAN("local_policy")};
    OK(store_history_evaluation(p->h, &e));
}

static void evaluations_are_kept_and_go(void **state)
{
    struct place *p = *state;
    size_t removed;
    for (int day = 1; day <= 10; day++)
        evaluation(p, day);
    attempt(p, 1, "{}");
    OK(store_history_commit(p->h));
    assert_int_equal(ask(p, "SELECT count(*) FROM evaluation WHERE message = 77 AND spf = 'pass'"
                            " AND json_extract(dkim, '$[0].domain') = author AND spf_aligned = 0"
                            " AND dkim_aligned = 1 AND client = '192.0.2.1' AND accepted = 0"
                            " AND policy_domain = 'a.example' AND disposition = 'quarantine'"
                            " AND dmarc = 'fail' AND override = 'local_policy'"),
                     10);
    OK(store_history_trim(p->h, at_second(6 * 86400), 3, &removed));
    assert_int_equal(removed, 3);
    OK(store_history_trim(p->h, at_second(6 * 86400), 10, &removed));
    assert_int_equal(removed, 3); // two and an attempt
    assert_int_equal(ask(p, "SELECT count(*) FROM evaluation"), 5);
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt"), 0);
}

static void run(struct place *p, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_history_of_the_first_format_is_taken_over(void **state)
{
    struct place *p = *state;
    const char *why = "";
    attempt(p, 1, "{}");
    OK(store_history_commit(p->h));
    store_history_close(p->h);
    run(p, "DROP TABLE evaluation; DROP TABLE subject; DROP TABLE tally; DROP TABLE delivery;"
           " DROP TABLE sent; DROP TABLE taken; DROP TABLE aside; PRAGMA user_version = 1");
    OK(store_history_open(&p->h, p->path, &why));
    evaluation(p, 1);
    OK(store_history_commit(p->h));
    assert_int_equal(ask(p, "SELECT count(*) FROM attempt, evaluation"), 1);
    assert_int_equal(ask(p, "PRAGMA user_version"), 4);
}

static void a_history_of_tomorrow_is_left_alone(void **state)
{
    struct place *p = *state;
    const char *why = "";
    store_history_close(p->h);
    p->h = NULL;
    run(p, "PRAGMA user_version = 99");
    IS(UNAVAILABLE, store_history_open(&p->h, p->path, &why));
    assert_non_null(strstr(why, "has format 99"));
}

static void damaged_history_says_so(void **state)
{
    struct place *p = *state;
    const char *why = NULL;
    store_history_close(p->h);
    p->h = NULL;
    int fd = open(p->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, "nonsense, but long enough to be looked at", 41), 41);
    close(fd);
    IS(CORRUPT, store_history_open(&p->h, p->path, &why));
    assert_non_null(strstr(why, "history.db is damaged"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_make, place_clear)
    const struct CMUnitTest tests[] = {
        T(equal_plans_are_kept_once),
        T(nothing_counts_before_commit),
        T(it_is_there_after_a_restart),
        T(old_attempts_go_in_portions),
        T(used_plans_stay),
        T(evaluations_are_kept_and_go),
        T(a_history_of_the_first_format_is_taken_over),
        T(a_history_of_tomorrow_is_left_alone),
        T(damaged_history_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
