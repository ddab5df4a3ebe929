#include "io_loop_inner.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// A turn that handed out more rounds of later-work than this looks at its
// descriptors before it goes on.
enum { ROUNDS = 4 };
// While the clock may be moved from outside nobody wakes us when it is.
static const int64_t clock_look_us = 20 * US_PER_MS;

struct signal_watch {
    struct signal_watch *next;
    struct event *event;
    void (*got)(void *);
    void *arg;
};

struct late {
    struct io_work work;
    void (*run)(void *);
    void *arg;
    struct late *next;
    struct io_loop *loop;
};

struct io_loop {
    struct event_base *base;
    struct event tick; // the one timer event, armed for the heap's top
    int64_t armed;     // when it fires; INT64_MAX: not armed
    struct heap timers;
    struct io_work *work, **work_end;
    struct late *spare;
    struct signal_watch *signals;
    const volatile int64_t *moved; // GELEIT_CLOCK: { both, wall }; NULL: not asked for
    int64_t shift;
    struct mono now;
    bool waited; // the clock was not looked at since the loop began to wait
    char *scratch;
    bool stop, firing;
};

static int64_t clock_us(clockid_t which)
{
    struct timespec t;
    if (clock_gettime(which, &t))
        panic("clock %d cannot be read", (int)which);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static int64_t shifted(const struct io_loop *l)
{
    return l->shift + (l->moved ? *l->moved : 0);
}

static void look_at_clock(struct io_loop *l)
{
    l->now.us = clock_us(CLOCK_MONOTONIC) + shifted(l);
    l->waited = false;
}

// The first to ask after the wait looks: the time before it may be long ago.
struct mono io_now(const struct io_loop *l)
{
    if (l->waited)
        look_at_clock((struct io_loop *)l);
    return l->now;
}

struct wall io_wall(const struct io_loop *l)
{
    int64_t step = l->moved ? l->moved[1] : 0;
    return (struct wall){clock_us(CLOCK_REALTIME) + shifted(l) + step};
}

void io_loop_shift(struct io_loop *l, int64_t us)
{
    l->shift += us;
    look_at_clock(l);
}

uint64_t io_random(void)
{
    uint64_t r;
    ssize_t n;
    do
        n = getrandom(&r, sizeof r, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof r)
        panic("no random bytes from the kernel");
    return r;
}

struct event_base *io_loop_base(struct io_loop *l)
{
    return l->base;
}

char *io_loop_scratch(struct io_loop *l)
{
    if (!l->scratch)
        l->scratch = mem_new(IO_SCRATCH);
    return l->scratch;
}

static const volatile int64_t *clock_map(const char *path)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return NULL;
    struct stat st;
    void *at = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(int64_t))
        at = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0); // 0 behind its end
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static void ticked(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct io_loop *l = arg;
    l->armed = INT64_MAX; // the turn fires what is due
}

static struct event_base *base_new(void)
{
    struct event_config *c = event_config_new();
    if (!c || event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK))
        panic("no event configuration");
    struct event_base *base = event_base_new_with_config(c);
    event_config_free(c);
    if (!base)
        panic("no event base");
    return base;
}

struct io_loop *io_loop_new(void)
{
    signal(SIGPIPE, SIG_IGN); // a peer that went away is an answer of write()
    struct io_loop *l = mem_new(sizeof *l);
    l->base = base_new();
    l->armed = INT64_MAX;
    l->work_end = &l->work;
    l->moved = clock_map(secure_getenv("GELEIT_CLOCK"));
    evtimer_assign(&l->tick, l->base, ticked, l);
    look_at_clock(l);
    return l;
}

static void lates_free(struct late *first)
{
    while (first) {
        struct late *next = first->next;
        free(first);
        first = next;
    }
}

static void late_run(void *arg);

static void works_drop(struct io_loop *l)
{
    while (l->work) {
        struct io_work *w = l->work;
        io_work_cancel(l, w);
        if (w->run == late_run)
            free(w->arg);
    }
}

void io_loop_free(struct io_loop *l)
{
    if (!l)
        return;
    while (l->signals) {
        struct signal_watch *s = l->signals;
        l->signals = s->next;
        event_free(s->event);
        free(s);
    }
    works_drop(l);
    lates_free(l->spare);
    event_del(&l->tick);
    heap_free(&l->timers);
    event_base_free(l->base);
    free(l->scratch);
    free(l);
}

// Arms the one event when the earliest timer is earlier than what it waits for. A
// timer that went away leaves it armed: waking once for nothing is cheaper.
static void arm(struct io_loop *l)
{
    struct heap_node *top = heap_top(&l->timers);
    int64_t when = top ? top->key : INT64_MAX;
    if (l->moved && when != INT64_MAX && when > l->now.us + clock_look_us)
        when = l->now.us + clock_look_us;
    if (when >= l->armed)
        return;
    int64_t us = when > l->now.us ? when - l->now.us : 0;
    struct timeval tv = {.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S};
    if (event_add(&l->tick, &tv))
        panic("the timer cannot be armed");
    l->armed = when;
}

static void fire_due(struct io_loop *l)
{
    l->firing = true;
    struct heap_node *top;
    while ((top = heap_top(&l->timers)) && top->key <= l->now.us) {
        heap_remove(&l->timers, top);
        struct io_timer *t = CONTAINER(top, struct io_timer, node);
        t->fire(t->arg);
    }
    l->firing = false;
}

void io_timer_set(struct io_loop *l, struct io_timer *t, struct mono when)
{
    // What a timer sets to the past fires in the next turn, not in this one.
    bool past = l->firing && when.us <= l->now.us;
    heap_set(&l->timers, &t->node, past ? l->now.us + 1 : when.us);
}

void io_timer_cancel(struct io_loop *l, struct io_timer *t)
{
    heap_remove(&l->timers, &t->node);
}

void io_work_set(struct io_loop *l, struct io_work *w)
{
    if (w->at)
        return;
    w->next = NULL;
    w->at = l->work_end;
    *l->work_end = w;
    l->work_end = &w->next;
}

void io_work_cancel(struct io_loop *l, struct io_work *w)
{
    if (!w->at)
        return;
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    else
        l->work_end = w->at;
    w->at = NULL;
}

static void late_run(void *arg)
{
    struct late *late = arg;
    void (*run)(void *) = late->run;
    void *its = late->arg;
    late->next = late->loop->spare;
    late->loop->spare = late;
    run(its);
}

void io_loop_later(struct io_loop *l, void (*work)(void *), void *arg)
{
    struct late *late = l->spare;
    if (late)
        l->spare = late->next;
    else
        late = mem_new(sizeof *late);
    *late = (struct late){.run = work, .arg = arg, .loop = l};
    late->work = (struct io_work){.run = late_run, .arg = late};
    io_work_set(l, &late->work);
}

// A marker of our own at the end of the list bounds a round: work may come, go
// and be cancelled while it runs.
static void run_round(struct io_loop *l)
{
    struct io_work mark = {0};
    io_work_set(l, &mark);
    while (l->work != &mark) {
        struct io_work *w = l->work;
        io_work_cancel(l, w);
        w->run(w->arg);
    }
    io_work_cancel(l, &mark);
}

static void run_later(struct io_loop *l)
{
    for (int round = 0; l->work && round < ROUNDS; round++)
        run_round(l);
}

void io_loop_turn(struct io_loop *l, bool wait)
{
    look_at_clock(l);
    arm(l);
    int how = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (!wait || l->work || l->stop)
        how = EVLOOP_NONBLOCK;
    l->waited = true;
    if (event_base_loop(l->base, how) < 0)
        panic("the event loop failed");
    look_at_clock(l);
    fire_due(l);
    run_later(l);
}

void io_loop_run(struct io_loop *l)
{
    run_later(l); // what was asked for before the first turn does not wait for one
    while (!l->stop)
        io_loop_turn(l, true);
    l->stop = false;
}

void io_loop_stop(struct io_loop *l)
{
    l->stop = true;
}

static void signalled(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct signal_watch *s = arg;
    s->got(s->arg);
}

void io_signal(struct io_loop *l, int signal_number, void (*got)(void *), void *arg)
{
    struct signal_watch *s = mem_new(sizeof *s);
    *s = (struct signal_watch){.next = l->signals, .got = got, .arg = arg};
    s->event = evsignal_new(l->base, signal_number, signalled, s);
    if (!s->event || event_add(s->event, NULL))
        panic("signal %d cannot be watched", signal_number);
    l->signals = s;
}
