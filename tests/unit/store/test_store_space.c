// When segments go, and when the room of removed messages comes back.
#include "store_scratch.h"

static uint32_t went[16];
static size_t went_count;

static void gone(void *arg, uint32_t segment)
{
    (void)arg;
    assert_true(went_count < 16);
    went[went_count++] = segment;
}

static int setup(void **state)
{
    went_count = 0;
    int failed = scratch_setup(state);
    if (!failed)
        store_watch(((struct scratch *)*state)->store, gone, NULL);
    return failed;
}

static void segment_goes_with_its_last_message(void **state)
{
    struct scratch *s = *state;
    uint64_t id[2] = {scratch_mail(s, "a@b.example", 1), scratch_mail(s, "a@b.example", 1)};
    store_segment_seal(s->store, s->segment);
    scratch_outcome(s, id[0], STORE_DELIVERED, 0);
    assert_true(scratch_there(s, s->segment));
    scratch_outcome(s, id[1], STORE_DELIVERED, 0);
    assert_false(scratch_there(s, s->segment));
    assert_int_equal(went_count, 1);
    assert_int_equal(went[0], s->segment);
}

static void open_segment_stays_though_empty(void **state)
{
    struct scratch *s = *state;
    uint64_t id = scratch_mail(s, "a@b.example", 1);
    scratch_outcome(s, id, STORE_DELIVERED, 0);
    assert_true(scratch_there(s, s->segment));
    scratch_mail(s, "a@b.example", 1); // still takes messages
    assert_int_equal(went_count, 0);
}

static void unused_segment_goes_when_sealed(void **state)
{
    struct scratch *s = *state;
    store_segment_seal(s->store, s->segment);
    assert_false(scratch_there(s, s->segment));
    store_segment_seal(s->store, s->segment); // again, and a strange one: no harm
    store_segment_seal(s->store, 4711);
    assert_int_equal(went_count, 1);
}

static void sealing_inside_a_group_waits_for_its_sync(void **state)
{
    struct scratch *s = *state;
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("x"));
    OK(store_put(s->store, &e, NULL, 0));
    store_segment_seal(s->store, s->segment);
    assert_true(scratch_there(s, s->segment));
    OK(store_sync(s->store));
    assert_true(scratch_there(s, s->segment));
    scratch_outcome(s, who.id, STORE_DELIVERED, 0);
    assert_false(scratch_there(s, s->segment));
}

static void reader_descriptor_only_reads(void **state)
{
    struct scratch *s = *state;
    int fd;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    uint64_t id = scratch_mail(s, "a@b.example", 1);
    OK(store_load(s->store, id >> 20, SPAN("b.example"), WALL_NEVER, &a, &got));
    OK(store_segment_open(s->store, got.body.segment, &fd));
    OK(store_range_verify(fd, &got.body));
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fcntl(s->fd, F_GETFL) & O_ACCMODE, O_RDWR);
    assert_true(fcntl(s->fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    IS(NOT_FOUND, store_segment_open(s->store, 4711, &fd));
}

static uint64_t blocks_of(struct scratch *s, uint32_t segment)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/body/%u.seg", s->path, segment);
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static uint64_t put_large(struct scratch *s, struct span body)
{
    struct store_recipient who = to("a@b.example", 1);
    struct store_envelope e = mail_to(s, &who, 1, body);
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    return who.id;
}

enum { LARGE = 1 << 20, HOW_MANY = 8 };

static struct store_range large_ones(struct scratch *s, uint64_t ids[HOW_MANY])
{
    char *room = mem_new(LARGE);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope got;
    for (int i = 0; i < HOW_MANY; i++) {
        for (int k = 0; k < LARGE; k++)
            room[k] = (char)(i + k);
        ids[i] = put_large(s, (struct span){room, LARGE});
    }
    free(room);
    OK(store_load(s->store, ids[3] >> 20, SPAN("b.example"), WALL_NEVER, &a, &got));
    return got.body;
}

static void check_leftover(struct scratch *s, const struct store_range *kept)
{
    int fd;
    assert_true(blocks_of(s, kept->segment) < 3 * LARGE);
    OK(store_segment_open(s->store, kept->segment, &fd));
    OK(store_range_verify(fd, kept));
    close(fd);
}

static void neighbours_of_a_leftover_are_punched_out(void **state)
{
    struct scratch *s = *state;
    uint64_t ids[HOW_MANY];
    struct store_range kept = large_ones(s, ids);
    store_segment_seal(s->store, s->segment);
    assert_true(blocks_of(s, kept.segment) >= HOW_MANY * LARGE);
    for (int i = 0; i < HOW_MANY; i++)
        if (i != 3)
            scratch_outcome(s, ids[i], STORE_DELIVERED, 0);
    assert_true(blocks_of(s, kept.segment) < 5 * LARGE);
    scratch_close(s);
    scratch_open(s); // the rest at the next start
    check_leftover(s, &kept);
}

static void dead_room_is_punched_out_after_sealing(void **state)
{
    struct scratch *s = *state;
    uint64_t ids[HOW_MANY];
    struct store_range kept = large_ones(s, ids);
    for (int i = 0; i < HOW_MANY; i++)
        if (i != 3)
            scratch_outcome(s, ids[i], STORE_DELIVERED, 0);
    assert_true(blocks_of(s, kept.segment) >= HOW_MANY * LARGE); // somebody still appends
    store_segment_seal(s->store, s->segment);
    scratch_segment(s);
    scratch_mail(s, "a@b.example", 1);
    check_leftover(s, &kept);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        T(segment_goes_with_its_last_message),     T(open_segment_stays_though_empty),
        T(unused_segment_goes_when_sealed),        T(sealing_inside_a_group_waits_for_its_sync),
        T(reader_descriptor_only_reads),           T(neighbours_of_a_leftover_are_punched_out),
        T(dead_room_is_punched_out_after_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
