// The command line as its user meets it: arguments in; status, standard output and
// standard error out. Each call is a process of its own.
#include "admin.h"
#include "admin_ask.h"
#include "admin_command.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 10 };

struct shown {
    int status;
    char out[65536], err[4096];
};

static void slurp(FILE *f, char *to, size_t room)
{
    rewind(f);
    to[fread(to, 1, room - 1, f)] = '\0';
    fclose(f);
}

static void call(struct shown *s, const char *const *args)
{
    FILE *out = tmpfile(), *err = tmpfile();
    char *argv[ARGS_MAX + 2] = {(char *)"geleit"};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)args[argc - 1];
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "r", stdin))
            _exit(99);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        alarm(20);
        int status = admin_main(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    waitpid(pid, &s->status, 0);
    s->status = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
    slurp(out, s->out, sizeof s->out);
    slurp(err, s->err, sizeof s->err);
}

struct line {
    const char *name;
    const char *args[ARGS_MAX];
    int status;
    const char *out, *err; // NULL: nothing at all; else it holds this
};
static const struct line lines[] = {
    {"no command", {NULL}, 2, "Usage: geleit COMMAND", NULL},
    {"help", {"help"}, 0, "check the configuration, print it with defaults", NULL},
    {"--help", {"--help"}, 0, "Exit status: 0 done", NULL},
    {"help of a command", {"help", "serve"}, 0, "Usage: geleit serve [OPTIONS]", NULL},
    {"--help of a command", {"config", "--help"}, 0, "--json", NULL},
    {"help has no hidden options", {"serve", "-h"}, 0, "serve: the mail server", NULL},
    {"help of what is unknown", {"help", "srve"}, 2, NULL, "did you mean 'serve'?"},
    {"version", {"version"}, 0, "geleit 0.", NULL},
    {"--version", {"--version"}, 0, "geleit 0.", NULL},
    {"version as JSON", {"version", "--json"}, 0, "{\"version\":\"0.", NULL},
    {"unknown command",
     {"serv"},
     2,
     NULL,
     "geleit: unknown command 'serv'; did you mean 'serve'?\n"},
    {"unknown command, nothing near", {"frobnicate"}, 2, NULL, "'geleit help' lists all there are"},
    {"unknown option",
     {"config", "--jsno"},
     2,
     NULL,
     "unknown option '--jsno'; see 'geleit config"},
    {"unknown option before the command", {"--probe", "config"}, 2, NULL, "see 'geleit --help'"},
    {"too many words", {"config", "x"}, 2, NULL, "'config' takes no argument; see"},
    {"--json where there is none", {"serve", "--json"}, 2, NULL, "'serve' has no --json"},
    {"-c without a file", {"config", "-c"}, 2, NULL, "-c needs a file name behind it"},
    {"-c twice", {"config", "-ca", "-cb"}, 2, NULL, "-c can be given once"},
    {"-o without a value", {"config", "-o"}, 2, NULL, "-o needs NAME=VALUE behind it"},
    {"-c of a file that is not there",
     {"config", "-c", "/no/such/file"},
     2,
     NULL,
     "geleit: /no/such/file cannot be opened: No such file or directory\n"},
    {"-c of a folder", {"config", "-c", "/"}, 2, NULL, "/ is a folder, where a file is wanted"},
    {"override", {"config", "-o", "hostname=mx.example"}, 0, "hostname = \"mx.example\";\n", NULL},
    {"override before the command",
     {"-ohostname=mx.example", "config"},
     0,
     "\"mx.example\";\n",
     NULL},
    {"overrides, the last counts",
     {"config", "-o", "hostname=a", "-o", "hostname=b"},
     0,
     "hostname = \"b\";\n",
     NULL},
    {"override as JSON",
     {"config", "--json", "-o", "smtp.max_hops=12"},
     0,
     "\"smtp.max_hops\":12,",
     NULL},
    {"override unknown",
     {"config", "-o", "smtp.max_hop=12"},
     2,
     NULL,
     "did you mean 'smtp.max_hops'?"},
    {"combination", {"config", "-o", "tls.key=k"}, 2, NULL, "tls.key without tls.certificate"},
    {"certificate that is not there",
     {"config", "-o", "tls.key=/no/k", "-o", "tls.certificate=/no/c"},
     2,
     "certificate = \"/no/c\";",
     "geleit: /no/k cannot be opened"},
    {"serve with a file that is not there",
     {"serve", "-c", "/no/such/file"},
     2,
     NULL,
     "/no/such/file cannot be opened"},
    {"a role by hand",
     {"serve", "--role", "store", "--index", "0"},
     2,
     NULL,
     "--role is for geleit itself; run 'geleit serve'"},
    {"a role without its value", {"serve", "--role"}, 2, NULL, "--role needs KIND behind it"},
    {"explain without an address", {"explain"}, 2, NULL, "'explain' takes ADDRESS; see"},
    {"explain of nonsense", {"explain", "a@b@c"}, 2, NULL, "geleit: 'a@b@c' is no mail address\n"},
    {"explain of a literal",
     {"explain", "a@[192.0.2.1]"},
     2,
     NULL,
     "an address instead of a domain"},
    {"explain of no domain",
     {"explain", "no..domain"},
     2,
     NULL,
     "neither a mail address nor a domain"},
    {"explain has its options", {"explain", "--help"}, 0, "--tls-required-no", NULL},
    {"explain with a file that is not there",
     {"explain", "a@b.example", "-c", "/no/such/file"},
     2,
     NULL,
     "/no/such/file cannot be opened"},
    {"explain's options stand in columns",
     {"explain", "--help"},
     0,
     "  --probe           also connect",
     NULL},
    {"an option's value behind '='",
     {"spf", "192.0.2.1", "a@b.example", "h", "--zone=/no/zone"},
     2,
     NULL,
     "geleit: /no/zone cannot be opened: No such file or directory\n"},
    {"a value that is not wanted",
     {"explain", "a@b.example", "--probe=1"},
     2,
     NULL,
     "geleit: --probe takes no value\n"},
    {"half an option", {"explain", "a@b.example", "--prob"}, 2, NULL, "unknown option '--prob'"},
    {"what steers a terminal",
     {"explain", "a@\033[31mb\xff.example\n"},
     2,
     NULL,
     "geleit: 'a@?[31mb?.example?' is no mail address\n"},
    {"spf of a sender without a valid domain",
     {"spf", "192.0.2.1", "a@b..example", "h.example", "--zone", "/dev/null"},
     1,
     "MAIL FROM (no domain)  none",
     NULL},
    {"spf of no sender at all",
     {"spf", "192.0.2.1", "a b", "h.example", "--zone", "/dev/null"},
     2,
     NULL,
     "geleit: 'a b' is neither a mail address nor a domain\n"},
    {"queue without a verb", {"queue"}, 2, NULL, "'queue' takes list | show ID"},
    {"queue of nonsense", {"queue", "lst"}, 2, NULL, "and not 'lst'"},
    {"queue show without an id", {"queue", "show"}, 2, NULL, "needs the id of a message"},
    {"queue show of no id", {"queue", "show", "12g"}, 2, NULL, "'12g' is no id of a message"},
    {"queue show of nothing", {"queue", "show", "0"}, 2, NULL, "'0' is no id of a message"},
    {"queue retry of too long an id",
     {"queue", "retry", "11111111111111111"},
     2,
     NULL,
     "is no id of a message"},
    {"queue delete where nobody can answer", {"queue", "delete", "1"}, 2, NULL, "add --yes"},
    {"queue without a server",
     {"queue", "list", "-o", "control.socket=/no/such/socket"},
     75,
     NULL,
     "geleit: no server answers at /no/such/socket (No such file or directory)\n"},
    {"queue without a server, in the store",
     {"queue", "list", "-o", "store.path=/no/such"},
     75,
     NULL,
     "/no/such/control.sock"},
    {"policy of nonsense", {"policy", "x"}, 2, NULL, "and not 'x'"},
    {"policy show without a domain", {"policy", "show"}, 2, NULL, "'policy show' needs a domain"},
    {"policy show of no domain", {"policy", "show", "a b"}, 2, NULL, "'a b' is no domain"},
    {"policy list of a domain", {"policy", "list", "a.example"}, 2, NULL, "takes no domain"},
    {"policy without a server",
     {"policy", "list", "-o", "control.socket=/no/such/socket"},
     75,
     NULL,
     "no server answers"},
    {"a role of another command", {"config", "--role", "store"}, 2, NULL, "unknown option"},
};

static void one_line(void **state)
{
    const struct line *l = *state;
    static struct shown s;
    call(&s, l->args);
    if (s.status != l->status)
        print_error("%s%s", s.out, s.err);
    assert_int_equal(s.status, l->status);
    if (l->out ? !strstr(s.out, l->out) : s.out[0] != '\0')
        fail_msg("standard output is: %s", s.out);
    if (l->err ? !strstr(s.err, l->err) : s.err[0] != '\0')
        fail_msg("standard error is: %s", s.err);
    assert_null(strstr(s.out, "\033[")); // no colour where there is no terminal
}

// Not an answer: least of all "no", as explain and verify have it.
static void no_room_for_the_output(void **state)
{
    (void)state;
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        char *argv[] = {(char *)"geleit", (char *)"help", NULL};
        if (!freopen("/dev/full", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        _exit(admin_main(2, argv));
    }
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
}

static void a_file_counts_and_its_printed_form_reads_the_same(void **state)
{
    (void)state;
    static struct shown one, two;
    char path[] = "/tmp/geleit-admin-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    fputs("smtp: { max_hops = 77; };\nstore.path = \"here\";\n", f);
    fclose(f);
    call(&one, (const char *const[]){"config", "-c", path, NULL});
    assert_int_equal(one.status, 0);
    assert_non_null(strstr(one.out, "max_hops = 77;\n"));
    assert_non_null(strstr(one.out, "path = \"/tmp/here\";\n")); // beside the file
    f = fopen(path, "w");
    fputs(one.out, f);
    fclose(f);
    call(&one, (const char *const[]){"config", "--json", "-c", path, NULL});
    call(&two, (const char *const[]){"config", "--json", "-o", "smtp.max_hops=77", "-o",
                                     "store.path=/tmp/here", NULL});
    assert_string_equal(one.out, two.out);
    unlink(path);
}

static void a_fault_names_file_and_line(void **state)
{
    (void)state;
    static struct shown s;
    char path[] = "/tmp/geleit-admin-XXXXXX", want[100];
    FILE *f = fdopen(mkstemp(path), "w");
    fputs("\n\nsmtp.lisen = [];\n", f);
    fclose(f);
    call(&s, (const char *const[]){"config", "-c", path, NULL});
    snprintf(want, sizeof want, "geleit: %s:3: unknown option 'smtp.lisen'; did you", path);
    assert_int_equal(s.status, 2);
    assert_true(span_starts(span_str(s.err), span_str(want)));
    unlink(path);
}

static void help_hides_what_is_not_for_people(void **state)
{
    (void)state;
    static struct shown s;
    call(&s, (const char *const[]){"serve", "--help", NULL});
    assert_null(strstr(s.out, "--role"));
    assert_null(strstr(s.out, "--json"));
}

static void foreign_text_steers_no_terminal(void **state)
{
    (void)state;
    struct admin_page p = ADMIN_PAGE(true);
    // ESC, BEL, DEL, a C1 CSI, right-to-left override, an isolate, and bytes that are no UTF-8.
    admin_put(&p, INK_NONE, SPAN("a\033[31mb\007\177\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xff\xc2"));
    assert_string_equal(buf_str(&p.out), "a?[31mb???????");
    buf_clear(&p.out);
    // A soft hyphen, marks of direction, a line separator, what has no width, and tags.
    admin_put(&p, INK_NONE,
              SPAN("a\xc2\xad"
                   "\xd8\x9c"
                   "\xe2\x80\x8b"
                   "\xe2\x80\x8e"
                   "\xe2\x80\xa8"
                   "\xe2\x81\xa0"
                   "\xef\xbb\xbf"
                   "\xf3\xa0\x81\x81"
                   "z"));
    assert_string_equal(buf_str(&p.out), "a????????z");
    buf_clear(&p.out);
    admin_put(&p, INK_BAD, SPAN("b\303\274cher \342\224\202"));
    assert_string_equal(buf_str(&p.out), "\033[31mb\303\274cher \342\224\202\033[0m");
    buf_free(&p.out);
}

static void a_document_of_nonsense_is_shown_somehow(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{}", "[]", "{\"hosts\":[1,null,{},{\"tlsa\":[7],\"probe\":{}}]}",
        "{\"mta_sts\":[],\"tlsrpt\":{},\"decision\":4}",
        "{\"reason\":\"\\u001b[2J\\u202e\",\"dnssec_self_test\":\"stripped\"}"};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct admin_page p = ADMIN_PAGE(false);
        json_t *j = admin_json(span_str(documents[i]));
        assert_non_null(j);
        admin_show_plan(&p, "title", j);
        admin_show_session(&p, "", j);
        assert_non_null(strstr(buf_str(&p.out), "title"));
        assert_null(strchr(buf_str(&p.out), '\033'));
        buf_free(&p.out);
        json_decref(j);
    }
}

static void every_command_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < admin_command_count; i++) {
        const struct admin_command *c = &admin_commands[i];
        assert_non_null(c->sentence);
        assert_non_null(c->words);
        assert_non_null(c->run);
        assert_true(c->flag_count <= ADMIN_FLAGS_MAX);
        assert_ptr_equal(admin_find(c->name), c);
    }
}

enum { LINES = sizeof lines / sizeof *lines, OTHERS = 7 };

int main(void)
{
    static struct CMUnitTest tests[OTHERS + LINES] = {
        cmocka_unit_test(no_room_for_the_output),
        cmocka_unit_test(a_file_counts_and_its_printed_form_reads_the_same),
        cmocka_unit_test(a_fault_names_file_and_line),
        cmocka_unit_test(help_hides_what_is_not_for_people),
        cmocka_unit_test(foreign_text_steers_no_terminal),
        cmocka_unit_test(a_document_of_nonsense_is_shown_somehow),
        cmocka_unit_test(every_command_is_whole),
    };
    for (size_t i = 0; i < LINES; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){lines[i].name, one_line, NULL, NULL, (void *)&lines[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
