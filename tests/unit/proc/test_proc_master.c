// The master with real processes. It starts its roles from /proc/self/exe, which
// here is this test: called with --role it is a role that logs what happens to it.
#include "base_log.h"
#include "io_stream.h"
#include "proc_role.h"
#include "proc_serve.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// --- the roles; GELEIT_TEST names one that misbehaves, and how

static int open_descriptors;

static bool told(const struct proc *p, const char *what)
{
    char text[64];
    snprintf(text, sizeof text, "%s %s", proc_kind_text(p->role->kind), what);
    const char *test = getenv("GELEIT_TEST");
    return test && strcmp(test, text) == 0;
}

static void role_start(struct proc *p)
{
    LOG(LOG_INFO, "began", LOG_I("pid", getpid()), LOG_I("descriptors", open_descriptors),
        LOG_I("listeners", p->listener_count), LOG_I("chain", p->tls.len),
        LOG_S("name", conf_span(p->conf, CONF_hostname)));
    if (told(p, "fails"))
        proc_fail(p);
    if (told(p, "crashes"))
        raise(SIGKILL);
}

static void role_reload(struct proc *p)
{
    LOG(LOG_INFO, "reloads", LOG_I("listeners", p->listener_count),
        LOG_S("name", conf_span(p->conf, CONF_hostname)));
}

static void role_drain(struct proc *p)
{
    LOG(LOG_INFO, "drains");
    if (!told(p, "hangs"))
        proc_drained(p);
}

static void role_up(struct proc_peer *peer)
{
    LOG(LOG_INFO, "up", LOG_T("peer", proc_kind_text(peer->kind)), LOG_I("number", peer->index));
    if (told(peer->proc, "errs") && peer->kind == PROC_SENDER && peer->generation == 1)
        proc_send(peer, MSG_BUSY, 0, SPAN("nobody here takes this"), -1);
}

static void role_down(struct proc_peer *peer)
{
    LOG(LOG_INFO, "down", LOG_T("peer", proc_kind_text(peer->kind)), LOG_I("number", peer->index));
}

static int role_main(const char *kind, const char *index)
{
    static struct proc_role role = {.start = role_start,
                                    .reload = role_reload,
                                    .drain = role_drain,
                                    .peer_up = role_up,
                                    .peer_down = role_down};
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        open_descriptors++;
    open_descriptors -= 3; // ".", ".." and the folder itself
    closedir(d);
    return proc_kind_parse(&role.kind, kind) ? proc_role_run(&role, (unsigned)atol(index)) : 99;
}

// --- the server under test

struct server {
    pid_t pid;
    int log;
    char folder[64], conf[96];
    struct buf text; // what the log said so far
    size_t seen;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void read_log(struct server *s, int64_t until_ms)
{
    struct pollfd p = {.fd = s->log, .events = POLLIN};
    int64_t left = until_ms - now_ms();
    if (poll(&p, 1, left > 0 ? (int)left : 0) <= 0 || !rc_ok(buf_reserve(&s->text, 4096)))
        return;
    ssize_t n = read(s->log, s->text.at + s->text.len, 4096);
    s->text.len += n > 0 ? (size_t)n : 0;
    if (n == 0)
        usleep(10000);
}

// Waits for a line with `what` behind the last one found; gives that line.
static struct span find(struct server *s, const char *what)
{
    int64_t until = now_ms() + 10000;
    do {
        struct span rest = span_skip(buf_span(&s->text), s->seen);
        while (span_index(rest, '\n') < rest.len) {
            struct span line = span_cut(&rest, '\n');
            if (!memmem(line.at, line.len, what, strlen(what)))
                continue;
            s->seen = (size_t)(line.at + line.len + 1 - s->text.at);
            return line;
        }
        read_log(s, until);
    } while (now_ms() < until);
    print_error("no \"%s\" in:\n%s\n", what, buf_str(&s->text));
    fail();
    return (struct span){NULL, 0};
}

// The same from the beginning: for lines that come in any order.
static struct span find_any(struct server *s, const char *what)
{
    size_t seen = s->seen;
    s->seen = 0;
    struct span line = find(s, what);
    s->seen = seen > s->seen ? seen : s->seen;
    return line;
}

static long number_in(struct span line, const char *key)
{
    const char *at = memmem(line.at, line.len, key, strlen(key));
    assert_non_null(at);
    return atol(at + strlen(key));
}

static void write_conf(struct server *s, const char *text)
{
    FILE *f = fopen(s->conf, "w");
    assert_non_null(f);
    fprintf(f, "store.path = \"store\";\n%s", text);
    fclose(f);
}

static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    close(fd);
    return ntohs(a.sin_port);
}

static bool answers(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return good;
}

static void serve(struct server *s)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    s->text = BUF(1 << 20);
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDERR_FILENO);
        _exit(proc_master_run(&(struct proc_master_conf){.path = s->conf}));
    }
    close(fds[1]);
    s->log = fds[0];
}

static void serve_with(struct server *s, const char *misbehaves, const char *text)
{
    write_conf(s, text);
    if (misbehaves)
        setenv("GELEIT_TEST", misbehaves, 1);
    serve(s);
    unsetenv("GELEIT_TEST");
}

static int status_of(struct server *s)
{
    int status;
    for (int64_t until = now_ms() + 20000; now_ms() < until;) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            read_log(s, now_ms() + 100);
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        read_log(s, now_ms() + 20);
    }
    print_error("still there:\n%s\n", buf_str(&s->text));
    return -2;
}

static int setup(void **state)
{
    struct server *s = mem_new(sizeof *s);
    snprintf(s->folder, sizeof s->folder, "/tmp/geleit-master-XXXXXX");
    if (!mkdtemp(s->folder))
        return -1;
    snprintf(s->conf, sizeof s->conf, "%s/geleit.conf", s->folder);
    s->log = -1;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct server *s = *state;
    char store[128];
    if (s->pid) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    snprintf(store, sizeof store, "%s/store", s->folder);
    rmdir(store);
    unlink(s->conf);
    rmdir(s->folder);
    if (s->log >= 0)
        close(s->log);
    buf_free(&s->text);
    free(s);
    return 0;
}

static const char quiet[] = "smtp: { listen = []; receivers = 2; }; send.processes = 1;\n";

static void is_up(struct server *s, const char *role, const char *peer)
{
    char text[100];
    snprintf(text, sizeof text, "info %s up peer=%s", role, peer);
    find_any(s, text);
}

static bool is_gone(pid_t pid)
{
    char path[40], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(f);
    return state == 'Z';
}

// --- the cases

static void every_pair_of_the_table_is_linked(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    is_up(s, "receiver/0", "store number=0");
    is_up(s, "receiver/1", "store number=0");
    is_up(s, "store/0", "receiver number=1");
    is_up(s, "receiver/1", "queue number=0");
    is_up(s, "queue/0", "store number=0");
    is_up(s, "sender/0", "queue number=0");
    is_up(s, "sender/0", "resolver number=0");
    is_up(s, "fetcher/0", "resolver number=0");
    is_up(s, "fetcher/0", "sender number=0");
    is_up(s, "receiver/0", "resolver number=0");
    assert_null(strstr(buf_str(&s->text), "receiver/0 up peer=sender"));
    assert_null(strstr(buf_str(&s->text), "receiver/0 up peer=receiver"));
}

static void a_role_gets_four_descriptors(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    assert_int_equal(number_in(find_any(s, "store/0 began"), "descriptors="), 4);
    assert_int_equal(number_in(find_any(s, "receiver/1 began"), "descriptors="), 4);
}

static void a_dead_role_is_started_again_and_linked(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    pid_t pid = (pid_t)number_in(find_any(s, "queue/0 began"), "pid=");
    kill(pid, SIGKILL);
    find(s, "role-died role=queue index=0 how=Killed status=9 again_in_s=0");
    size_t here = s->seen;
    assert_int_not_equal(number_in(find(s, "queue/0 began"), "pid="), pid);
    s->seen = here;
    find(s, "store/0 up peer=queue");
    s->seen = here;
    find(s, "receiver/0 up peer=queue");
    s->seen = here;
    find(s, "sender/0 up peer=queue");
    s->seen = here;
    find(s, "queue/0 up peer=sender");
    assert_int_equal(kill(s->pid, 0), 0);
}

static void who_was_cut_off_is_linked_again(void **state)
{
    struct server *s = *state;
    serve_with(s, "queue errs", quiet);
    find_any(s, "queue/0 down peer=sender");
    find_any(s, "cut-off role=queue index=0 from=sender");
    size_t here = s->seen;
    find(s, "queue/0 up peer=sender");
    s->seen = here;
    find(s, "sender/0 up peer=queue");
    assert_null(strstr(buf_str(&s->text), "role-died"));
}

static void quick_deaths_are_answered_by_longer_pauses(void **state)
{
    struct server *s = *state;
    serve_with(s, "resolver crashes", quiet);
    find(s, "role-died role=resolver index=0 how=Killed status=9 again_in_s=0");
    find(s, "role-died role=resolver index=0 how=Killed status=9 again_in_s=1");
    int64_t begin = now_ms();
    find(s, "role-died role=resolver index=0 how=Killed status=9 again_in_s=2");
    assert_true(now_ms() - begin > 700);
    kill(s->pid, SIGTERM); // also while a role waits
    assert_int_equal(status_of(s), 0);
}

static void a_role_that_cannot_start_ends_the_server(void **state)
{
    struct server *s = *state;
    serve_with(s, "store fails", quiet);
    assert_int_equal(status_of(s), 2);
    find(s, "role-cannot-start role=store");
}

static void the_drain_has_its_order(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    kill(s->pid, SIGTERM);
    assert_int_equal(status_of(s), 0);
    size_t ends[6];
    static const char *const lines[] = {"receiver/0 drains", "receiver/1 drains", "sender/0 drains",
                                        "queue/0 drains",    "resolver/0 drains", "store/0 drains"};
    for (int i = 0; i < 6; i++) {
        s->seen = 0;
        find(s, lines[i]);
        ends[i] = s->seen;
    }
    assert_true(ends[0] < ends[2] && ends[1] < ends[2] && ends[1] < ends[3]);
    assert_true(ends[2] < ends[4] && ends[3] < ends[4] && ends[4] < ends[5]);
    assert_null(strstr(buf_str(&s->text), "died"));
}

static void a_second_signal_ends_a_drain_that_hangs(void **state)
{
    struct server *s = *state;
    serve_with(s, "sender hangs", quiet);
    find(s, "master serving");
    kill(s->pid, SIGINT);
    find(s, "sender/0 drains");
    kill(s->pid, SIGINT); // a moment later: the same wish
    read_log(s, now_ms() + 200);
    assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
    usleep(1000000);
    kill(s->pid, SIGINT);
    assert_int_equal(status_of(s), 0);
    find(s, "role-killed role=sender");
}

static void roles_die_with_their_master(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    pid_t store = (pid_t)number_in(find_any(s, "store/0 began"), "pid=");
    pid_t receiver = (pid_t)number_in(find_any(s, "receiver/1 began"), "pid=");
    kill(s->pid, SIGKILL);
    assert_int_equal(status_of(s), -1);
    for (int i = 0; i < 200 && !(is_gone(store) && is_gone(receiver)); i++)
        usleep(10000);
    assert_true(is_gone(store) && is_gone(receiver));
}

static void a_bad_reload_changes_nothing(void **state)
{
    struct server *s = *state;
    serve_with(s, NULL, quiet);
    find(s, "master serving");
    write_conf(s, "smtp.lisen = [];\n");
    kill(s->pid, SIGHUP);
    find(s, "geleit.conf:2: unknown option 'smtp.lisen'; did you mean 'smtp.listen'?");
    write_conf(s, "store.path = \"store\";\n");
    kill(s->pid, SIGHUP);
    find(s, "reload-refused");
    write_conf(s, "user = \"nobody\"; smtp.listen = [];\n");
    kill(s->pid, SIGHUP);
    find(s, "user cannot change while the server runs; restart it");
    assert_null(strstr(buf_str(&s->text), "reloads"));
    assert_null(strstr(buf_str(&s->text), "died"));
}

static void a_good_reload_reaches_every_role(void **state)
{
    struct server *s = *state;
    char text[300];
    unsigned one = free_port(), two = free_port();
    snprintf(text, sizeof text, "smtp: { listen = [ \"127.0.0.1:%u\" ]; receivers = 1; };", one);
    serve_with(s, NULL, text);
    find(s, "master serving");
    assert_int_equal(number_in(find_any(s, "receiver/0 began"), "listeners="), 1);
    assert_true(answers(one));
    assert_false(answers(two));
    snprintf(text, sizeof text,
             "hostname = \"new.example\"; smtp: { listen = [ \"127.0.0.1:%u\", \"127.0.0.1:%u\" ];"
             " receivers = 3; };",
             one, two);
    write_conf(s, text);
    kill(s->pid, SIGHUP);
    find(s, "needs-restart role=receiver");
    size_t here = s->seen;
    find(s, "receiver/0 reloads listeners=2 name=new.example");
    s->seen = here;
    find(s, "store/0 reloads listeners=0 name=new.example");
    assert_true(answers(one));
    assert_true(answers(two));
}

static void an_address_in_use_is_one_sentence(void **state)
{
    struct server *s = *state;
    char text[100];
    unsigned port = free_port();
    struct io_endpoint at = {.address = {127, 0, 0, 1}, .port = (uint16_t)port};
    int fd;
    assert_true(rc_ok(io_bind(&fd, &at)));
    snprintf(text, sizeof text, "smtp.listen = [ \"127.0.0.1:%u\" ];", port);
    serve_with(s, NULL, text);
    assert_int_equal(status_of(s), 2);
    find(s, "cannot be listened on: Address already in use; another program listens there");
    close(fd);
}

struct refusal {
    const char *name, *text, *sentence;
};
static const struct refusal refusals[] = {
    {"a certificate that is not there", "tls: { certificate = \"no.pem\"; key = \"no.key\"; };",
     "no.key cannot be opened: No such file or directory"},
    {"a certificate that is none",
     "tls: { certificate = \"geleit.conf\"; key = \"geleit.conf\"; };",
     "geleit.conf cannot be used: The certificate file holds no PEM certificate."},
    {"a folder as key", "tls: { certificate = \".\"; key = \".\"; };", "is a folder, where a file"},
    {"a user that is not there", "user = \"no-such-user\"; smtp.listen = [];",
     "there is no user \"no-such-user\"; make it, or name another"},
    {"a key to sign with that is not there", "dkim.sign = [ \"a.example s no.pem\" ];",
     "no.pem cannot be opened: No such file or directory"},
    {"a key to sign with that is none", "dkim.sign = [ \"a.example s geleit.conf\" ];",
     "geleit.conf holds no RSA or Ed25519 private key"},
    {"a configuration with a fault", "smtp.max_hops = 1;",
     "geleit.conf:2: smtp.max_hops must be between 10 and 1000, not 1"},
};

static void refuse(void **state)
{
    const struct refusal *r = *state;
    void *fixture = NULL;
    assert_int_equal(setup(&fixture), 0);
    struct server *s = fixture;
    serve_with(s, NULL, r->text);
    assert_int_equal(status_of(s), 2);
    find(s, r->sentence);
    assert_null(strstr(buf_str(&s->text), "began"));
    teardown(&fixture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
enum { REFUSALS = sizeof refusals / sizeof *refusals, OTHERS = 12 };

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[2], "--role") == 0)
        return role_main(argv[3], argv[5]);
    static struct CMUnitTest tests[OTHERS + REFUSALS] = {
        CASE(every_pair_of_the_table_is_linked),
        CASE(a_role_gets_four_descriptors),
        CASE(a_dead_role_is_started_again_and_linked),
        CASE(quick_deaths_are_answered_by_longer_pauses),
        CASE(a_role_that_cannot_start_ends_the_server),
        CASE(the_drain_has_its_order),
        CASE(a_second_signal_ends_a_drain_that_hangs),
        CASE(roles_die_with_their_master),
        CASE(a_bad_reload_changes_nothing),
        CASE(a_good_reload_reaches_every_role),
        CASE(an_address_in_use_is_one_sentence),
        CASE(who_was_cut_off_is_linked_again),
    };
    for (size_t i = 0; i < REFUSALS; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){refusals[i].name, refuse, NULL, NULL, (void *)&refusals[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
