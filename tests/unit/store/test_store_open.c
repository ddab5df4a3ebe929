// What a start finds: an earlier run's messages, leftovers, damage.
#include "store_scratch.h"

#include <sqlite3.h>

static void again(struct scratch *s)
{
    scratch_close(s);
    scratch_open(s);
}

static void messages_survive(void **state)
{
    struct scratch *s = *state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@b.example", 5);
    int fd;
    again(s);
    assert_int_equal(store_count(s->store), 1);
    OK(store_load(s->store, id >> 20, SPAN("b.example"), WALL_NEVER, &a, &got));
    OK(store_segment_open(s->store, got.body.segment, &fd));
    OK(store_range_verify(fd, &got.body));
    close(fd);
}

static void what_was_not_synced_is_not_there(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x"));
    OK(store_put(s->store, &e, NULL, 0));
    again(s);
    assert_int_equal(store_count(s->store), 0);
    assert_false(scratch_there(s, e.body.segment));
}

static void unreferenced_segments_go(void **state)
{
    struct scratch *s = *state;
    uint32_t used = s->segment, unused;
    scratch_mail(s, "a@b.example", 5);
    scratch_segment(s);
    unused = s->segment;
    assert_true(scratch_there(s, unused));
    again(s);
    assert_true(scratch_there(s, used));
    assert_false(scratch_there(s, unused));
}

static void strange_files_stay(void **state)
{
    struct scratch *s = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/body/note.txt", s->path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    again(s);
    assert_int_equal(access(path, F_OK), 0);
}

static void old_segment_takes_no_more_but_goes(void **state)
{
    struct scratch *s = *state;
    uint32_t old = s->segment;
    uint64_t id = scratch_mail(s, "a@b.example", 5);
    again(s);
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = {.count = 1, .recipients = &who, .body.segment = old};
    IS(NOT_FOUND, store_put(s->store, &e, NULL, 0));
    scratch_outcome(s, id, STORE_DELIVERED, 0);
    assert_false(scratch_there(s, old));
}

static void ids_are_never_used_twice(void **state)
{
    struct scratch *s = *state;
    uint64_t last = 0;
    uint32_t last_segment = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t id = scratch_mail(s, "a@b.example", 5);
        assert_true(id >> 20 > last >> 20);
        assert_true(s->segment > last_segment);
        last = id;
        last_segment = s->segment;
        scratch_outcome(s, id, STORE_DELIVERED, 0);
        store_segment_seal(s->store, s->segment);
        again(s);
        scratch_segment(s);
    }
}

static void refused(struct scratch *s, struct rc want, const char *sentence)
{
    const char *why = NULL;
    struct store *other = NULL;
    assert_string_equal(rc_text(store_open(&other, s->path, &why)), rc_text(want));
    assert_null(other);
    assert_non_null(why);
    if (!strstr(why, sentence))
        fail_msg("'%s' does not say '%s'", why, sentence);
}

static void second_opener_is_refused(void **state)
{
    struct scratch *s = *state;
    refused(s, RC(UNAVAILABLE), "in use by another process");
}

static void overwrite(struct scratch *s, off_t at, const char *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/queue.db", s->path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), len);
    close(fd);
}

static void damaged_database_says_so(void **state)
{
    struct scratch *s = *state;
    scratch_mail(s, "a@b.example", 5);
    scratch_close(s);
    overwrite(s, 0, "this is not a database", 22);
    refused(s, RC(CORRUPT), "queue.db is damaged");
}

static void damaged_schema_says_so(void **state)
{
    struct scratch *s = *state;
    static const char junk[512] = {0};
    scratch_mail(s, "a@b.example", 5);
    scratch_close(s);
    overwrite(s, 100, junk, sizeof junk);
    refused(s, RC(CORRUPT), "queue.db is damaged");
}

static void pragma(struct scratch *s, const char *text)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/queue.db", s->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void newer_format_is_left_alone(void **state)
{
    struct scratch *s = *state;
    scratch_close(s);
    pragma(s, "PRAGMA user_version=4");
    refused(s, RC(UNAVAILABLE), "has format 4, this program knows format 3");
    pragma(s, "PRAGMA user_version=3");
    scratch_open(s);
}

#define NOTICES_GO                                                                                 \
    "ALTER TABLE recipient DROP COLUMN notice; ALTER TABLE recipient DROP COLUMN told;"            \
    "ALTER TABLE recipient DROP COLUMN tried;"

// What was owed then was a notice of failure.
static void a_queue_of_the_second_format_is_taken_over(void **state)
{
    struct scratch *s = *state;
    uint64_t owed = scratch_mail(s, "a@b.example", 1), waits = scratch_mail(s, "c@b.example", 1);
    scratch_outcome(s, owed, STORE_FAILED, 0);
    scratch_close(s);
    pragma(s, NOTICES_GO "PRAGMA user_version = 2");
    scratch_open(s);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    OK(store_load(s->store, owed >> 20, SPAN(""), WALL_NEVER, &a, &got));
    assert_int_equal(got.recipients[0].notice, STORE_NOTICE_FAILED);
    OK(store_load(s->store, waits >> 20, SPAN("b.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.recipients[0].notice, STORE_NOTICE_NONE);
}

static void a_queue_of_the_first_format_is_taken_over(void **state)
{
    struct scratch *s = *state;
    uint64_t id = scratch_mail(s, "a@b.example", 1);
    scratch_close(s);
    pragma(s, NOTICES_GO "ALTER TABLE recipient DROP COLUMN return_path; PRAGMA user_version = 1");
    scratch_open(s);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    OK(store_load(s->store, id >> 20, SPAN("b.example"), WALL_NEVER, &a, &got));
    assert_int_equal(got.recipients[0].return_path.len, 0);
}

static void foreign_database_is_left_alone(void **state)
{
    struct scratch *s = *state;
    scratch_close(s);
    pragma(s, "PRAGMA application_id=7");
    refused(s, RC(CORRUPT), "is not a queue.db of geleit");
}

static void missing_folder_is_named(void **state)
{
    struct scratch *s = *state;
    char keep[sizeof s->path];
    strcpy(keep, s->path);
    snprintf(s->path, sizeof s->path, "%s/no/such", s->root);
    refused(s, RC(NOT_FOUND), "/no/such");
    strcpy(s->path, keep);
}

static void missing_segment_is_counted(void **state)
{
    struct scratch *s = *state;
    char path[128];
    uint32_t segment = s->segment;
    uint64_t id = scratch_mail(s, "a@b.example", 5);
    again(s);
    assert_int_equal(store_damaged(s->store), 0);
    snprintf(path, sizeof path, "%s/body/%u.seg", s->path, segment);
    assert_int_equal(unlink(path), 0);
    again(s);
    assert_int_equal(store_damaged(s->store), 1);
    scratch_outcome(s, id, STORE_FAILED, 0); // the rest of the queue goes on
}

static void folders_and_files_are_private(void **state)
{
    struct scratch *s = *state;
    static const char *const names[] = {"", "/body", "/queue.db", "/queue.db-wal", "/lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", s->path, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0077, 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(messages_survive),
        T(what_was_not_synced_is_not_there),
        T(unreferenced_segments_go),
        T(strange_files_stay),
        T(old_segment_takes_no_more_but_goes),
        T(ids_are_never_used_twice),
        T(second_opener_is_refused),
        T(damaged_database_says_so),
        T(damaged_schema_says_so),
        T(newer_format_is_left_alone),
        T(a_queue_of_the_first_format_is_taken_over),
        T(a_queue_of_the_second_format_is_taken_over),
        T(foreign_database_is_left_alone),
        T(missing_folder_is_named),
        T(missing_segment_is_counted),
        T(folders_and_files_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
