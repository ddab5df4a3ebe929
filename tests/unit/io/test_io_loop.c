#include "io_test.h"

#include "base_buf.h"

#include <fcntl.h>
#include <signal.h>

struct trace {
    struct io_loop *loop;
    struct buf log;
    int count;
    struct io_timer timer, other;
    struct io_work work, more;
    struct io_watch *watch;
    int fds[2];
    bool done;
};

static int setup(void **state)
{
    struct trace *t = mem_new(sizeof *t);
    t->loop = io_loop_new();
    t->log = BUF(4096);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct trace *t = *state;
    io_loop_free(t->loop);
    buf_free(&t->log);
    free(t);
    return 0;
}

static void log_a(void *arg)
{
    buf_putc(&((struct trace *)arg)->log, 'a');
}
static void log_b(void *arg)
{
    buf_putc(&((struct trace *)arg)->log, 'b');
}
static void log_t(void *arg)
{
    buf_putc(&((struct trace *)arg)->log, 't');
}

static void timers_fire_in_order(void **state)
{
    struct trace *t = *state;
    struct io_timer a = {.fire = log_a, .arg = t}, b = {.fire = log_b, .arg = t};
    struct io_timer c = {.fire = log_t, .arg = t};
    int64_t now = io_now(t->loop).us;
    io_timer_set(t->loop, &b, (struct mono){now + 4000});
    io_timer_set(t->loop, &c, (struct mono){now + 8000});
    io_timer_set(t->loop, &a, (struct mono){now + 1000});
    io_test_rest(t->loop, 40);
    assert_string_equal(buf_str(&t->log), "abt");
}

static void a_cancelled_timer_is_silent(void **state)
{
    struct trace *t = *state;
    struct io_timer a = {.fire = log_a, .arg = t}, b = {.fire = log_b, .arg = t};
    io_timer_set(t->loop, &a, (struct mono){io_now(t->loop).us + 1000});
    io_timer_set(t->loop, &b, (struct mono){io_now(t->loop).us + 2000});
    io_timer_cancel(t->loop, &a);
    io_timer_cancel(t->loop, &a);
    io_test_rest(t->loop, 20);
    assert_string_equal(buf_str(&t->log), "b");
}

static void a_timer_can_be_moved(void **state)
{
    struct trace *t = *state;
    struct io_timer a = {.fire = log_a, .arg = t}, b = {.fire = log_b, .arg = t};
    int64_t now = io_now(t->loop).us;
    io_timer_set(t->loop, &a, (struct mono){now + SECONDS(3600)});
    io_timer_set(t->loop, &b, (struct mono){now + 3000});
    io_timer_set(t->loop, &a, (struct mono){now + 1000});
    io_test_rest(t->loop, 20);
    assert_string_equal(buf_str(&t->log), "ab");
}

static void again_at_once(void *arg)
{
    struct trace *t = arg;
    if (++t->count < 5)
        io_timer_set(t->loop, &t->timer, (struct mono){0});
}

static void a_timer_set_to_the_past_waits_for_the_next_turn(void **state)
{
    struct trace *t = *state;
    t->timer = (struct io_timer){.fire = again_at_once, .arg = t};
    io_timer_set(t->loop, &t->timer, (struct mono){0});
    io_loop_turn(t->loop, false);
    assert_int_equal(t->count, 1);
    io_test_rest(t->loop, 20);
    assert_int_equal(t->count, 5);
}

static void cancel_other(void *arg)
{
    struct trace *t = arg;
    t->count++;
    io_timer_cancel(t->loop, t->timer.node.place ? &t->timer : &t->other);
}

static void a_timer_cancels_another_that_is_due(void **state)
{
    struct trace *t = *state;
    t->timer = t->other = (struct io_timer){.fire = cancel_other, .arg = t};
    io_timer_set(t->loop, &t->timer, io_now(t->loop));
    io_timer_set(t->loop, &t->other, io_now(t->loop));
    io_test_rest(t->loop, 5);
    assert_int_equal(t->count, 1);
}

static void a_shifted_clock_fires_timers(void **state)
{
    struct trace *t = *state;
    struct io_timer a = {.fire = log_a, .arg = t};
    int64_t wall = io_wall(t->loop).us;
    io_timer_set(t->loop, &a, (struct mono){io_now(t->loop).us + SECONDS(7200)});
    io_loop_turn(t->loop, false);
    assert_int_equal(t->log.len, 0);
    io_loop_shift(t->loop, SECONDS(7201));
    io_loop_turn(t->loop, false);
    assert_string_equal(buf_str(&t->log), "a");
    assert_true(io_wall(t->loop).us - wall >= SECONDS(7201));
}

static void the_clock_file_moves_a_waiting_loop(void **state)
{
    struct trace *t = *state;
    char path[] = "/tmp/io_clock.XXXXXX";
    int fd = mkstemp(path);
    int64_t shift = 0;
    assert_int_equal(write(fd, &shift, sizeof shift), sizeof shift);
    setenv("GELEIT_CLOCK", path, 1);
    struct io_loop *l = io_loop_new();
    unsetenv("GELEIT_CLOCK");
    struct io_timer a = {.fire = log_a, .arg = t};
    io_timer_set(l, &a, (struct mono){io_now(l).us + SECONDS(86400)});
    io_loop_turn(l, false);
    shift = SECONDS(86401);
    assert_int_equal(pwrite(fd, &shift, sizeof shift, 0), sizeof shift);
    for (int i = 0; i < 3 && !t->log.len; i++)
        io_loop_turn(l, true);
    assert_string_equal(buf_str(&t->log), "a");
    io_loop_free(l);
    close(fd);
    unlink(path);
}

static void the_clock_file_steps_the_wall_clock_alone(void **state)
{
    (void)state;
    char path[] = "/tmp/io_clock.XXXXXX";
    int fd = mkstemp(path);
    int64_t both_and_wall[2] = {SECONDS(100), -SECONDS(86400)}, none[2] = {0};
    assert_int_equal(write(fd, none, sizeof none), sizeof none);
    setenv("GELEIT_CLOCK", path, 1);
    struct io_loop *l = io_loop_new();
    unsetenv("GELEIT_CLOCK");
    io_loop_turn(l, false);
    int64_t mono = io_now(l).us, wall = io_wall(l).us;
    assert_int_equal(pwrite(fd, both_and_wall, sizeof none, 0), sizeof none);
    io_loop_turn(l, false);
    assert_true(io_now(l).us - mono >= SECONDS(100) && io_now(l).us - mono < SECONDS(160));
    assert_true(io_wall(l).us - wall < -SECONDS(86400 - 160));
    assert_true(io_wall(l).us - wall >= -SECONDS(86400 - 100));
    io_loop_free(l);
    close(fd);
    unlink(path);
}

static void later_runs_after_events_and_timers(void **state)
{
    struct trace *t = *state;
    struct io_timer timer = {.fire = log_t, .arg = t};
    io_loop_later(t->loop, log_a, t);
    io_loop_later(t->loop, log_b, t);
    io_timer_set(t->loop, &timer, io_now(t->loop));
    io_loop_turn(t->loop, true);
    io_test_rest(t->loop, 5);
    assert_string_equal(buf_str(&t->log)[0] == 't' ? "tab" : "abt", buf_str(&t->log));
    assert_int_equal(t->log.len, 3);
}

static void log_then_later(void *arg)
{
    struct trace *t = arg;
    log_a(t);
    io_loop_later(t->loop, log_b, t);
}

static void later_of_later_runs_in_the_same_turn(void **state)
{
    struct trace *t = *state;
    io_loop_later(t->loop, log_then_later, t);
    io_loop_turn(t->loop, true);
    assert_string_equal(buf_str(&t->log), "ab");
}

static void later_for_ever(void *arg)
{
    struct trace *t = arg;
    t->count++;
    io_loop_later(t->loop, later_for_ever, t);
}

static void endless_later_work_starves_no_timer(void **state)
{
    struct trace *t = *state;
    struct io_timer a = {.fire = log_a, .arg = t};
    io_timer_set(t->loop, &a, (struct mono){io_now(t->loop).us + 2000});
    io_loop_later(t->loop, later_for_ever, t);
    io_test_rest(t->loop, 10);
    assert_string_equal(buf_str(&t->log), "a");
    assert_true(t->count > 10);
}

static void work_is_queued_once_and_can_be_taken_back(void **state)
{
    struct trace *t = *state;
    struct io_work a = {.run = log_a, .arg = t}, b = {.run = log_b, .arg = t};
    struct io_work c = {.run = log_t, .arg = t};
    io_work_set(t->loop, &a);
    io_work_set(t->loop, &b);
    io_work_set(t->loop, &a);
    io_work_set(t->loop, &c);
    io_work_cancel(t->loop, &b);
    io_work_cancel(t->loop, &c);
    io_work_set(t->loop, &c);
    io_loop_turn(t->loop, false);
    assert_string_equal(buf_str(&t->log), "at");
}

static void cancel_more(void *arg)
{
    struct trace *t = arg;
    log_a(t);
    io_work_cancel(t->loop, &t->more);
}

static void work_cancels_work_of_the_same_round(void **state)
{
    struct trace *t = *state;
    t->work = (struct io_work){.run = cancel_more, .arg = t};
    t->more = (struct io_work){.run = log_b, .arg = t};
    io_work_set(t->loop, &t->work);
    io_work_set(t->loop, &t->more);
    io_loop_turn(t->loop, false);
    assert_string_equal(buf_str(&t->log), "a");
}

static void watched(void *arg, int what)
{
    struct trace *t = arg;
    buf_putc(&t->log, what == IO_READ ? 'r' : 'w');
}

static void a_watch_is_level_triggered(void **state)
{
    struct trace *t = *state;
    io_test_pair(t->fds);
    t->watch = io_watch_new(t->loop, t->fds[0], IO_READ, watched, t);
    io_loop_turn(t->loop, false);
    assert_int_equal(t->log.len, 0);
    assert_int_equal(write(t->fds[1], "x", 1), 1);
    io_loop_turn(t->loop, true);
    io_loop_turn(t->loop, true);
    assert_string_equal(buf_str(&t->log), "rr");
    io_watch_want(t->watch, IO_WRITE);
    io_loop_turn(t->loop, true);
    assert_string_equal(buf_str(&t->log), "rrw");
    io_watch_want(t->watch, 0);
    io_loop_turn(t->loop, false);
    assert_string_equal(buf_str(&t->log), "rrw");
    io_watch_free(t->watch);
    close(t->fds[0]);
    close(t->fds[1]);
}

static void watched_free(void *arg, int what)
{
    watched(arg, what);
    struct trace *t = arg;
    io_watch_free(t->watch);
    t->watch = NULL;
}

static void a_watch_freed_in_its_call_is_silent(void **state)
{
    struct trace *t = *state;
    io_test_pair(t->fds);
    assert_int_equal(write(t->fds[1], "x", 1), 1);
    t->watch = io_watch_new(t->loop, t->fds[0], IO_READ | IO_WRITE, watched_free, t);
    io_test_rest(t->loop, 10);
    assert_int_equal(t->log.len, 1);
    close(t->fds[0]);
    close(t->fds[1]);
}

static void stopped(void *arg)
{
    struct trace *t = arg;
    log_a(t);
    io_loop_stop(t->loop);
}

static void run_ends_with_stop(void **state)
{
    struct trace *t = *state;
    io_loop_later(t->loop, stopped, t);
    io_loop_run(t->loop);
    struct io_timer timer = {.fire = stopped, .arg = t};
    io_timer_set(t->loop, &timer, io_now(t->loop));
    io_loop_run(t->loop);
    assert_string_equal(buf_str(&t->log), "aa");
}

static void signals_arrive(void **state)
{
    struct trace *t = *state;
    io_signal(t->loop, SIGUSR1, stopped, t);
    raise(SIGUSR1);
    io_loop_run(t->loop);
    assert_string_equal(buf_str(&t->log), "a");
}

static void random_numbers_differ(void **state)
{
    (void)state;
    uint64_t a = io_random(), b = io_random();
    assert_true(a != b);
}

static void a_loop_freed_with_work_leaks_nothing(void **state)
{
    struct trace *t = *state;
    for (int i = 0; i < 10; i++)
        io_loop_later(t->loop, log_a, t);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_fire_in_order),
        CASE(a_cancelled_timer_is_silent),
        CASE(a_timer_can_be_moved),
        CASE(a_timer_set_to_the_past_waits_for_the_next_turn),
        CASE(a_timer_cancels_another_that_is_due),
        CASE(a_shifted_clock_fires_timers),
        CASE(the_clock_file_moves_a_waiting_loop),
        CASE(the_clock_file_steps_the_wall_clock_alone),
        CASE(later_runs_after_events_and_timers),
        CASE(later_of_later_runs_in_the_same_turn),
        CASE(endless_later_work_starves_no_timer),
        CASE(work_is_queued_once_and_can_be_taken_back),
        CASE(work_cancels_work_of_the_same_round),
        CASE(a_watch_is_level_triggered),
        CASE(a_watch_freed_in_its_call_is_silent),
        CASE(run_ends_with_stop),
        CASE(signals_arrive),
        CASE(random_numbers_differ),
        CASE(a_loop_freed_with_work_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
