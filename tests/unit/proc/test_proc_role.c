// The common part of a role, run in a process of its own. The test is its master
// (descriptor 3) and its peers: it says over the store's channel what to do, and
// hears over it what happened.
#include "proc_role.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// --- the role under test: a sender that does what the store tells it

static void say(struct proc *p, const char *text)
{
    proc_send(proc_peer(p, PROC_STORE, 0), MSG_POLICY_PUT, 0, span_str(text), -1);
}

static bool answered(void *arg, struct io_message *m)
{
    char text[100];
    if (!m) {
        say(arg, "no answer");
        return true;
    }
    if (!span_copy(text, sizeof text, m->payload) || strcmp(text, "nonsense") == 0)
        return false;
    say(arg, text);
    return true;
}

static uint32_t last;

static void ask_quickly(struct proc *p)
{
    last = proc_ask(p, PROC_QUEUE, 0, MSG_SLOT, SPAN("host"), 100 * US_PER_MS, answered, p);
}

static void ask_patiently(struct proc *p)
{
    last = proc_ask(p, PROC_QUEUE, 0, MSG_SLOT, SPAN("host"), SECONDS(30), answered, p);
}

static void forget(struct proc *p)
{
    proc_forget(p, last);
    say(p, "forgotten");
}

static void ask_many(struct proc *p)
{
    for (int i = 0; i < 500; i++)
        ask_patiently(p);
}

static void tell_conf(struct proc *p)
{
    char text[300];
    struct span name = conf_span(p->conf, CONF_hostname);
    snprintf(text, sizeof text, "%.*s %zu %zu", SPAN_FMT(name), p->tls.len, p->listener_count);
    say(p, text);
}

static const struct {
    const char *word;
    void (*run)(struct proc *p);
} commands[] = {
    {"ask quickly", ask_quickly}, {"ask patiently", ask_patiently}, {"forget", forget},
    {"ask many", ask_many},       {"tell conf", tell_conf},         {"fail", proc_fail},
};

static bool role_got(struct proc_peer *peer, struct io_message *m)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (span_eq(m->payload, span_str(commands[i].word))) {
            commands[i].run(peer->proc);
            return true;
        }
    }
    return false;
}

static void role_up(struct proc_peer *peer)
{
    if (peer->kind == PROC_QUEUE) {
        proc_send(peer, MSG_BUSY, 0, SPAN(""), -1);
        say(peer->proc, "queue up");
    }
}

static void role_down(struct proc_peer *peer)
{
    if (peer->kind == PROC_QUEUE)
        say(peer->proc, "queue down");
}

static void role_drain(struct proc *p)
{
    say(p, "draining");
    proc_drained(p);
}

static const struct proc_role role = {.kind = PROC_SENDER,
                                      .start = tell_conf,
                                      .reload = tell_conf,
                                      .drain = role_drain,
                                      .peer_up = role_up,
                                      .peer_down = role_down,
                                      .got = role_got};

// --- its master and its peers

struct heard {
    uint16_t kind;
    uint32_t ticket;
    char text[300];
};
struct end { // our end of a channel
    struct io_channel *channel;
    struct heard heard[1000];
    size_t count, read;
};
struct fixture {
    pid_t pid;
    struct io_loop *loop;
    struct end master, store, queue;
};

static bool end_got(void *arg, struct io_message *m)
{
    struct end *e = arg;
    struct heard *h = &e->heard[e->count++ % 1000];
    h->kind = m->kind;
    h->ticket = m->ticket;
    return span_copy(h->text, sizeof h->text, m->payload) || true;
}

static void end_closed(void *arg)
{
    struct end *e = arg;
    io_channel_free(e->channel);
    e->channel = NULL;
}

static void timer_fired(void *arg)
{
    *(bool *)arg = true;
}

// The next message, or NULL when the channel closed or five seconds passed.
static const struct heard *hear(struct fixture *f, struct end *e)
{
    bool late = false;
    struct io_timer t = {.fire = timer_fired, .arg = &late};
    io_timer_set(f->loop, &t, (struct mono){io_now(f->loop).us + SECONDS(5)});
    while (!late && e->read == e->count && e->channel)
        io_loop_turn(f->loop, true);
    io_timer_cancel(f->loop, &t);
    return e->read < e->count ? &e->heard[e->read++ % 1000] : NULL;
}

static void expect(struct fixture *f, struct end *e, const char *text)
{
    const struct heard *h = hear(f, e);
    assert_non_null(h);
    assert_string_equal(h->text, text);
}

static void expect_closed(struct fixture *f, struct end *e)
{
    assert_null(hear(f, e));
    assert_null(e->channel);
}

static void tell(struct end *e, unsigned kind, uint32_t ticket, const char *text)
{
    io_channel_send(e->channel, (uint16_t)kind, ticket, span_str(text), -1);
}

static void command(struct fixture *f, const char *text)
{
    tell(&f->store, MSG_SEGMENT_GONE, 0, text);
}

static void open_end(struct fixture *f, struct end *e, int fd)
{
    io_channel_free(e->channel);
    *e = (struct end){.channel = io_channel_new(f->loop, fd, end_got, end_closed, e)};
}

static void give_peer(struct fixture *f, struct end *e, enum proc_kind kind)
{
    int fds[2];
    CLEANUP(buf_free) struct buf b = BUF(16);
    assert_true(rc_ok(io_channel_pair(fds)));
    wr_u8(&b, (uint8_t)kind);
    wr_u16(&b, 0);
    io_channel_send(f->master.channel, MSG_PEER, 0, buf_span(&b), fds[1]);
    close(fds[1]);
    open_end(f, e, fds[0]);
}

static void give_conf(struct fixture *f, const char *hostname)
{
    struct conf *c = conf_new();
    struct conf_fault fault;
    CLEANUP(buf_free) struct buf b = BUF(65536), name = BUF(300);
    buf_printf(&name, "hostname=%s", hostname);
    assert_true(rc_ok(conf_override(c, buf_span(&name), &fault)));
    conf_pack(&b, c, CONF_SENDER);
    io_channel_send(f->master.channel, MSG_SECTION, 0, buf_span(&b), -1);
    conf_free(c);
}

static int setup(void **state)
{
    int fds[2];
    struct fixture *f = mem_new(sizeof *f);
    assert_true(rc_ok(io_channel_pair(fds)));
    f->pid = fork();
    if (f->pid == 0) {
        close(fds[0]);
        if (fds[1] != 3 && dup2(fds[1], 3) != 3)
            _exit(99);
        _exit(proc_role_run(&role, 0));
    }
    close(fds[1]);
    f->loop = io_loop_new();
    open_end(f, &f->master, fds[0]);
    give_conf(f, "one.example");
    give_peer(f, &f->store, PROC_STORE);
    give_peer(f, &f->queue, PROC_QUEUE);
    *state = f;
    return 0;
}

static void started(struct fixture *f)
{
    tell(&f->master, MSG_START, 0, "");
    expect(f, &f->store, "one.example 0 0");
    expect(f, &f->store, "queue up");
    assert_int_equal(hear(f, &f->queue)->kind, MSG_BUSY);
    assert_int_equal(hear(f, &f->master)->kind, MSG_READY);
}

static int status_of(struct fixture *f)
{
    int status = 0;
    for (int i = 0; f->pid && i < 500; i++) {
        if (waitpid(f->pid, &status, WNOHANG) == f->pid) {
            f->pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        usleep(10000);
    }
    return -2;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    io_channel_free(f->master.channel);
    io_channel_free(f->store.channel);
    io_channel_free(f->queue.channel);
    io_loop_free(f->loop);
    if (f->pid) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    free(f);
    return 0;
}

// --- the cases

static void nothing_is_said_before_start(void **state)
{
    struct fixture *f = *state;
    command(f, "tell conf");
    started(f);
    expect(f, &f->store, "one.example 0 0");
}

static void an_answer_reaches_who_asked(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    const struct heard *h = hear(f, &f->queue);
    assert_non_null(h);
    assert_int_equal(h->kind, MSG_SLOT);
    assert_string_equal(h->text, "host");
    tell(&f->queue, MSG_SLOT_YOURS, h->ticket, "yours");
    expect(f, &f->store, "yours");
}

static void a_question_times_out(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask quickly");
    uint32_t ticket = hear(f, &f->queue)->ticket;
    expect(f, &f->store, "no answer");
    tell(&f->queue, MSG_SLOT_YOURS, ticket, "too late"); // is ignored
    command(f, "ask patiently");
    const struct heard *h = hear(f, &f->queue);
    assert_int_not_equal(h->ticket, ticket);
    tell(&f->queue, MSG_SLOT_YOURS, h->ticket, "in time");
    expect(f, &f->store, "in time");
}

// Of a loop that waited long before the question came.
static void a_timeout_counts_from_the_question(void **state)
{
    struct fixture *f = *state;
    started(f);
    usleep(400000);
    command(f, "ask quickly");
    tell(&f->queue, MSG_SLOT_YOURS, hear(f, &f->queue)->ticket, "yours");
    expect(f, &f->store, "yours");
}

static void a_forgotten_question_calls_nobody(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask quickly");
    uint32_t ticket = hear(f, &f->queue)->ticket;
    command(f, "forget");
    expect(f, &f->store, "forgotten");
    tell(&f->queue, MSG_SLOT_YOURS, ticket, "yours");
    command(f, "tell conf");
    expect(f, &f->store, "one.example 0 0");
}

static void a_malformed_answer_closes_the_channel(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    tell(&f->queue, MSG_SLOT_YOURS, hear(f, &f->queue)->ticket, "nonsense");
    expect_closed(f, &f->queue);
    expect(f, &f->store, "queue down");
}

static void an_answer_of_another_kind_closes_the_channel(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    tell(&f->queue, MSG_FILLED, hear(f, &f->queue)->ticket, "yours");
    expect_closed(f, &f->queue);
    expect(f, &f->store, "no answer");
    expect(f, &f->store, "queue down");
}

static void another_peers_answer_closes_its_channel(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    tell(&f->store, MSG_SLOT_YOURS, hear(f, &f->queue)->ticket, "yours");
    expect_closed(f, &f->store);
}

static void a_malformed_message_closes_the_channel(void **state)
{
    struct fixture *f = *state;
    started(f);
    tell(&f->queue, MSG_JOB, 0, "what is this");
    expect_closed(f, &f->queue);
    expect(f, &f->store, "queue down");
}

static void questions_die_with_their_peer(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    assert_non_null(hear(f, &f->queue));
    io_channel_free(f->queue.channel);
    f->queue.channel = NULL;
    expect(f, &f->store, "no answer");
    expect(f, &f->store, "queue down");
}

static void questions_wait_for_a_successor(void **state)
{
    struct fixture *f = *state;
    started(f);
    io_channel_free(f->queue.channel);
    f->queue.channel = NULL;
    expect(f, &f->store, "queue down");
    command(f, "ask patiently");
    command(f, "ask quickly");
    expect(f, &f->store, "no answer");
    give_peer(f, &f->queue, PROC_QUEUE);
    expect(f, &f->store, "queue up");
    assert_int_equal(hear(f, &f->queue)->kind, MSG_BUSY);
    const struct heard *h = hear(f, &f->queue);
    assert_int_equal(h->kind, MSG_SLOT);
    assert_string_equal(h->text, "host");
    tell(&f->queue, MSG_SLOT_YOURS, h->ticket, "yours");
    expect(f, &f->store, "yours");
}

static void a_successor_may_come_before_the_death_is_seen(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "ask patiently");
    assert_non_null(hear(f, &f->queue));
    struct io_channel *old = f->queue.channel;
    f->queue.channel = NULL;
    give_peer(f, &f->queue, PROC_QUEUE);
    expect(f, &f->store, "no answer");
    expect(f, &f->store, "queue down");
    expect(f, &f->store, "queue up");
    io_channel_free(old);
}

static void many_questions_keep_their_answers_apart(void **state)
{
    struct fixture *f = *state;
    static uint32_t tickets[500];
    started(f);
    command(f, "ask many");
    for (int i = 0; i < 500; i++)
        tickets[i] = hear(f, &f->queue)->ticket;
    for (int i = 0; i < 500; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(tickets[i], tickets[k]);
    for (int i = 499; i >= 0; i--)
        tell(&f->queue, MSG_SLOT_YOURS, tickets[i], "yours");
    for (int i = 0; i < 500; i++)
        expect(f, &f->store, "yours");
}

static void a_reload_takes_force_at_start(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_free) struct buf keys = BUF(100);
    started(f);
    give_conf(f, "two.example");
    wr_u16(&keys, 0);
    wr_span(&keys, SPAN("t"));
    wr_span(&keys, SPAN(""));
    io_channel_send(f->master.channel, MSG_KEYS, 0, buf_span(&keys), -1);
    io_channel_send(f->master.channel, MSG_LISTEN_RESET, 0, SPAN(""), -1);
    io_channel_send(f->master.channel, MSG_LISTEN, 0, SPAN("\0\0\0\0\1x"), 0);
    give_peer(f, &f->queue, PROC_QUEUE); // shows that all above was read
    expect(f, &f->store, "queue down");
    expect(f, &f->store, "queue up");
    command(f, "tell conf");
    expect(f, &f->store, "one.example 0 0");
    tell(&f->master, MSG_START, 0, "");
    expect(f, &f->store, "two.example 11 1");
}

static void a_drained_role_ends_when_the_master_lets_it(void **state)
{
    struct fixture *f = *state;
    started(f);
    tell(&f->master, MSG_DRAIN, 0, "");
    expect(f, &f->store, "draining");
    assert_int_equal(hear(f, &f->master)->kind, MSG_DRAINED);
    io_channel_free(f->master.channel);
    f->master.channel = NULL;
    assert_int_equal(status_of(f), 0);
}

static void a_role_ends_with_its_master(void **state)
{
    struct fixture *f = *state;
    started(f);
    io_channel_free(f->master.channel);
    f->master.channel = NULL;
    assert_int_equal(status_of(f), 0);
}

static void a_role_that_fails_says_so_by_its_status(void **state)
{
    struct fixture *f = *state;
    started(f);
    command(f, "fail");
    assert_null(hear(f, &f->store)); // runs the loop until it is gone
    assert_int_equal(status_of(f), 2);
}

static void a_role_is_deaf_to_the_terminals_signals(void **state)
{
    struct fixture *f = *state;
    started(f);
    kill(f->pid, SIGINT);
    kill(f->pid, SIGTERM);
    kill(f->pid, SIGHUP);
    command(f, "tell conf");
    expect(f, &f->store, "one.example 0 0");
}

static void a_peer_that_may_not_talk_is_refused(void **state)
{
    struct fixture *f = *state;
    started(f);
    give_peer(f, &f->queue, PROC_RECEIVER);
    expect_closed(f, &f->master);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_said_before_start),
        CASE(an_answer_reaches_who_asked),
        CASE(a_question_times_out),
        CASE(a_timeout_counts_from_the_question),
        CASE(a_forgotten_question_calls_nobody),
        CASE(a_malformed_answer_closes_the_channel),
        CASE(an_answer_of_another_kind_closes_the_channel),
        CASE(another_peers_answer_closes_its_channel),
        CASE(a_malformed_message_closes_the_channel),
        CASE(questions_die_with_their_peer),
        CASE(questions_wait_for_a_successor),
        CASE(a_successor_may_come_before_the_death_is_seen),
        CASE(many_questions_keep_their_answers_apart),
        CASE(a_reload_takes_force_at_start),
        CASE(a_drained_role_ends_when_the_master_lets_it),
        CASE(a_role_ends_with_its_master),
        CASE(a_role_that_fails_says_so_by_its_status),
        CASE(a_role_is_deaf_to_the_terminals_signals),
        CASE(a_peer_that_may_not_talk_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
