// What a child cannot do, and that its parent goes on whatever becomes of it.
#include "io_test.h"

#include "io_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define OK_TEXT "fine"
#if defined(__x86_64__) && !IO_TEST_ASAN
#define FILTERED true
#else
#define FILTERED false
#endif

static struct io_child_task task_of(void (*run)(struct buf *out, struct span bytes))
{
    return (struct io_child_task){.run = run,
                                  .bytes = SPAN("some bytes"),
                                  .output_max = 1 << 20,
                                  .memory_max = (size_t)1 << 30,
                                  .patience_us = SECONDS(20)};
}

static enum io_child_end run(void (*body)(struct buf *out, struct span bytes), struct buf *out)
{
    struct io_child_task t = task_of(body);
    return io_child_run(&t, out);
}

static void echo(struct buf *out, struct span bytes)
{
    buf_put(out, bytes);
}

static void what_it_says_comes_out(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    assert_int_equal(run(echo, &out), IO_CHILD_DONE);
    assert_true(span_eq(buf_span(&out), SPAN("some bytes")));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // none is left
}

// ---- what is refused: the call fails, or the child dies of it; nothing else is right ----

static void say(struct buf *out, bool could)
{
    buf_put(out, could ? SPAN("could") : SPAN(OK_TEXT));
}

static void open_file(struct buf *out, struct span bytes)
{
    (void)bytes;
    say(out, open("/dev/null", O_RDONLY) >= 0 || open("/tmp", O_RDONLY) >= 0);
}

static void make_socket(struct buf *out, struct span bytes)
{
    (void)bytes;
    say(out, socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static void fork_once(struct buf *out, struct span bytes)
{
    (void)bytes;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    say(out, pid > 0 && geteuid() != 0); // root is under no limit of processes; see the filter
}

static void run_another(struct buf *out, struct span bytes)
{
    (void)bytes;
    char *const words[] = {(char *)"true", NULL};
    execv("/bin/true", words);
    say(out, false);
}

static void duplicate(struct buf *out, struct span bytes)
{
    (void)bytes;
    bool could = false;
    for (int fd = 0; fd < 64; fd++)
        could = could || dup(fd) >= 0;
    say(out, could);
}

static void gain_limits(struct buf *out, struct span bytes)
{
    (void)bytes;
    struct rlimit r = {100, 100};
    say(out, setrlimit(RLIMIT_NOFILE, &r) == 0 && geteuid() != 0);
}

static void map_to_run(struct buf *out, struct span bytes)
{
    (void)bytes;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say(out, at != MAP_FAILED && FILTERED);
}

static const struct {
    const char *what;
    void (*body)(struct buf *out, struct span bytes);
    bool dies; // of the filter
} refused[] = {{"open", open_file, false},    {"socket", make_socket, true},
               {"fork", fork_once, true},     {"exec", run_another, true},
               {"dup", duplicate, true},      {"map to run", map_to_run, true},
               {"limits", gain_limits, false}};

static void it_can_do_nearly_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CLEANUP(buf_free) struct buf out = BUF(1000);
        enum io_child_end end = run(refused[i].body, &out);
        bool alive = end == IO_CHILD_DONE && span_eq(buf_span(&out), SPAN(OK_TEXT));
        bool fine =
            FILTERED && refused[i].dies ? end == IO_CHILD_DIED : alive || end == IO_CHILD_DIED;
        if (!fine)
            fail_msg("%s: %d", refused[i].what, end);
    }
}

// Only its output is open; the parent's is not there. (With sanitizers, standard error too.)
static int shared_end;

static void probe(struct buf *out, struct span bytes)
{
    (void)bytes;
    say(out, write(shared_end, "x", 1) > 0);
}

static void the_parents_descriptors_are_gone(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf out = BUF(1000);
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    struct io_child_task t = task_of(probe);
    shared_end = ends[1];
    enum io_child_end end = io_child_run(&t, &out);
    assert_true(end == IO_CHILD_DIED || span_eq(buf_span(&out), SPAN(OK_TEXT)));
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

static void is_confined(struct buf *out, struct span bytes)
{
    (void)bytes;
    struct rlimit files = {1, 1};
    if (IO_TEST_ASAN) // the filter lets nobody ask
        say(out, getrlimit(RLIMIT_NOFILE, &files) || files.rlim_max > 0 ||
                     prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
                     prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0);
    else
        say(out, false);
}

static void it_gave_up_its_rights(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf out = BUF(1000);
    assert_int_equal(run(is_confined, &out), IO_CHILD_DONE);
    assert_true(span_eq(buf_span(&out), SPAN(OK_TEXT)));
}

// ---- the ways it ends ----

static void crash(struct buf *out, struct span bytes)
{
    (void)out, (void)bytes;
    raise(SIGKILL);
    _exit(3);
}

static void overflow(struct buf *out, struct span bytes)
{
    (void)bytes;
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < 1 << 19; k++)
            buf_putc(out, 'x');
}

static void hang(struct buf *out, struct span bytes)
{
    (void)out, (void)bytes;
    for (volatile unsigned i = 0;; i++)
        continue;
}

static void eat(struct buf *out, struct span bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < 64; i++) {
        char *at = mem_new(64 << 20);
        at[i] = 1;
        buf_putc(out, at[i]);
    }
}

static void each_end_is_told(void **state)
{
    (void)state;
    static const struct {
        void (*body)(struct buf *out, struct span bytes);
        enum io_child_end end;
        int64_t patience_us;
    } ends[] = {
        {crash, IO_CHILD_DIED, SECONDS(20)},
        {overflow, IO_CHILD_TOO_MUCH, SECONDS(20)},
        {hang, IO_CHILD_LATE, 300 * US_PER_MS},
        {eat, IO_TEST_ASAN ? IO_CHILD_DONE : IO_CHILD_DIED, SECONDS(20)}, // no ceiling with it
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        CLEANUP(buf_free) struct buf out = BUF(1 << 20);
        struct io_child_task t = task_of(ends[i].body);
        t.patience_us = ends[i].patience_us;
        assert_int_equal(io_child_run(&t, &out), ends[i].end);
        assert_true(out.len == 0 || ends[i].end == IO_CHILD_DONE);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    }
}

// ---- by the loop ----

struct hearing {
    bool done;
    enum io_child_end end;
    struct buf out;
};

static void heard(void *arg, enum io_child_end end, struct buf *out)
{
    struct hearing *h = arg;
    h->done = true;
    h->end = end;
    h->out = *out;
    *out = BUF(0);
}

static void large(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < 1000000; i++)
        buf_put(out, span_first(bytes, 1));
}

static void the_loop_hears_of_it(void **state)
{
    (void)state;
    struct io_loop *l = io_loop_new();
    struct hearing h = {0};
    struct io_child_task t = task_of(large);
    assert_non_null(io_child_start(l, &t, heard, &h));
    assert_true(io_test_until(l, &h.done, 10000));
    assert_int_equal(h.end, IO_CHILD_DONE);
    assert_int_equal(h.out.len, 1000000);
    buf_free(&h.out);
    h = (struct hearing){0};
    t = task_of(hang);
    t.patience_us = 200 * US_PER_MS;
    assert_non_null(io_child_start(l, &t, heard, &h));
    assert_true(io_test_until(l, &h.done, 10000));
    assert_int_equal(h.end, IO_CHILD_LATE);
    h = (struct hearing){0};
    t.patience_us = SECONDS(60);
    io_child_stop(io_child_start(l, &t, heard, &h));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_false(h.done);
    io_loop_free(l);
}

static void none_to_be_had(void **state)
{
    (void)state;
    struct io_loop *l = io_loop_new();
    struct hearing h = {0};
    struct io_child_task t = task_of(echo);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; // no pipe
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct io_child *c = io_child_start(l, &t, heard, &h);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(c);
    assert_false(h.done);
    assert_true(io_test_until(l, &h.done, 10000));
    assert_int_equal(h.end, IO_CHILD_NONE);
    io_loop_free(l);
}

// It dies with who started it, even where that is killed.
static void it_does_not_outlive_its_parent(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct io_loop *l = io_loop_new();
        struct hearing h = {0};
        struct io_child_task t = task_of(hang);
        io_child_start(l, &t, heard, &h);
        usleep(100000);
        raise(SIGKILL);
    }
    close(ends[1]);
    waitpid(middle, NULL, 0);
    // The grandchild had this end until it gave up its descriptors, and is gone in any case.
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says_comes_out),
        cmocka_unit_test(it_can_do_nearly_nothing),
        cmocka_unit_test(the_parents_descriptors_are_gone),
        cmocka_unit_test(it_gave_up_its_rights),
        cmocka_unit_test(each_end_is_told),
        cmocka_unit_test(the_loop_hears_of_it),
        cmocka_unit_test(none_to_be_had),
        cmocka_unit_test(it_does_not_outlive_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
