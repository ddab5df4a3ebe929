// Runs the minor dialogues of another server's test suite against the server
// machine, comparing reply codes only. They come with the vectors, not with the
// repository; without them the test is skipped. The language: "c -> line",
// "c ~> expression", "c <- reply", "c <~ pattern", "c <... last line",
// "c tcp_connect address", "c close".
#include "smtp_server.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 16 << 20 };

// Where we differ, and why we mean to.
static const struct {
    const char *file, *wanted, *ours, *reason;
} exceptions[] = {
    {"auth_multi_dialog.cmy", "534", "504", "a mechanism that is not there (RFC 4954 §4)"},
    {"auth_too_many_failures.cmy", "421", "501", "the ceiling is the operator's (here 10)"},
    {"bad_rcpt_to.cmy", "500", "501", "an argument that is wrong is 501 (RFC 5321 §4.2.4)"},
    {"bad_rcpt_to.cmy", "550", "553", "a recipient's mailbox name is 553 (RFC 6531 §3.5)"},
    {"line_too_long.cmy", "554", "500", "RFC 5321 §4.2.2 says 500"},
};

struct dialog {
    const char *file;
    struct smtp_server_conf conf;
    struct smtp_server *s;
    struct buf in, out;
    bool closed;
    struct buf why, notes;
};

static void say(struct smtp_server *s, unsigned code, const char *text)
{
    smtp_server_answer(s, &(struct smtp_reply){.code = code, .text = span_str(text)});
}

// The one user of those dialogues, by PLAIN.
static void say_auth(struct dialog *d, const struct smtp_server_step *step)
{
    static const struct span user = {"user@testserver\0user@testserver\0secretpassword", 46};
    bool more = step->kind == SMTP_SERVER_ASK_AUTH && !step->has_initial;
    if (more)
        smtp_server_challenge(d->s, SPAN(""));
    else if (span_eq(step->bytes, user))
        say(d->s, 235, "Welcome");
    else
        say(d->s, memchr(step->bytes.at, 0, step->bytes.len) ? 535 : 501, "No");
}

static void pump(struct dialog *d)
{
    for (;;) {
        struct span in = buf_span(&d->in);
        struct smtp_server_step step = smtp_server_next(d->s, &in);
        if (step.kind == SMTP_SERVER_SEND)
            buf_put(&d->out, step.bytes);
        if (step.kind == SMTP_SERVER_ASK_MAIL || step.kind == SMTP_SERVER_ASK_RCPT ||
            step.kind == SMTP_SERVER_ASK_DATA || step.kind == SMTP_SERVER_COMMIT)
            say(d->s, 250, "OK");
        if (step.kind == SMTP_SERVER_ASK_AUTH || step.kind == SMTP_SERVER_ASK_AUTH_MORE)
            say_auth(d, &step);
        if (step.kind == SMTP_SERVER_STARTTLS && d->conf.service == SMTP_SERVICE_SUBMISSIONS)
            smtp_server_secured(d->s);
        buf_consume(&d->in, d->in.len - in.len);
        d->closed |= step.kind == SMTP_SERVER_CLOSE;
        bool clear = d->conf.service == SMTP_SERVICE_MX;
        if (step.kind == SMTP_SERVER_READ || (step.kind == SMTP_SERVER_STARTTLS && clear) ||
            d->closed)
            return;
    }
}

static void hang_up(struct dialog *d)
{
    smtp_server_free(d->s);
    d->s = NULL;
    buf_clear(&d->in);
    buf_clear(&d->out);
    d->closed = false;
}

static void call(struct dialog *d)
{
    hang_up(d);
    d->s = smtp_server_new(&d->conf, (struct mono){0});
    pump(d);
}

static void put(struct dialog *d, struct span bytes)
{
    if (!d->s)
        call(d);
    buf_put(&d->in, bytes);
    if (!d->closed)
        pump(d);
}

// The expressions are Python's: strings, '+', '*' and parentheses.
static bool expression(struct span *s, struct buf *out);

static void skip_blank(struct span *s)
{
    while (s->len && s->at[0] == ' ')
        *s = span_skip(*s, 1);
}

static bool string(struct span *s, struct buf *out)
{
    char quote = s->at[0];
    for (*s = span_skip(*s, 1); s->len && s->at[0] != quote; *s = span_skip(*s, 1)) {
        char c = s->at[0];
        if (c == '\\' && s->len > 1) {
            *s = span_skip(*s, 1);
            c = s->at[0] == 'r' ? '\r' : s->at[0] == 'n' ? '\n' : s->at[0] == '0' ? '\0' : s->at[0];
        }
        buf_putc(out, c);
    }
    bool ended = s->len > 0;
    *s = span_skip(*s, 1);
    return ended;
}

static bool factor(struct span *s, struct buf *out)
{
    skip_blank(s);
    if (s->len && (s->at[0] == '\'' || s->at[0] == '"'))
        return string(s, out);
    if (!span_starts(*s, SPAN("(")))
        return false;
    *s = span_skip(*s, 1);
    bool ok = expression(s, out) && span_starts(*s, SPAN(")"));
    *s = span_skip(*s, 1);
    return ok;
}

static bool term(struct span *s, struct buf *out)
{
    CLEANUP(buf_free) struct buf unit = BUF(INPUT_MAX);
    uint64_t times = 1;
    if (!factor(s, &unit))
        return false;
    skip_blank(s);
    if (span_starts(*s, SPAN("*"))) {
        *s = span_skip(*s, 1);
        skip_blank(s);
        size_t n = 0;
        while (n < s->len && s->at[n] >= '0' && s->at[n] <= '9')
            n++;
        if (!span_number(span_first(*s, n), INPUT_MAX, &times))
            return false;
        *s = span_skip(*s, n);
    }
    while (times--)
        buf_put(out, buf_span(&unit));
    return rc_ok(buf_state(out));
}

static bool expression(struct span *s, struct buf *out)
{
    bool ok = term(s, out);
    skip_blank(s);
    while (ok && span_starts(*s, SPAN("+"))) {
        *s = span_skip(*s, 1);
        ok = term(s, out);
        skip_blank(s);
    }
    return ok;
}

static bool excused(struct dialog *d, struct span wanted, struct span ours)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
        if (strcmp(exceptions[i].file, d->file) != 0 ||
            !span_eq(wanted, span_str(exceptions[i].wanted)) ||
            !span_eq(ours, span_str(exceptions[i].ours)))
            continue;
        buf_printf(&d->notes, "# %s: %s instead of %s: %s\n", d->file, exceptions[i].ours,
                   exceptions[i].wanted, exceptions[i].reason);
        return true;
    }
    return false;
}

static void expect(struct dialog *d, struct span line, struct span pattern)
{
    struct span wanted = span_first(pattern, 3), rest = buf_span(&d->out), got;
    do
        got = span_cut(&rest, '\n');
    while (rest.len && got.len > 3 && got.at[3] == '-');
    struct span code = span_first(got, 3);
    if (!span_eq(code, wanted) && !excused(d, wanted, code))
        buf_printf(&d->why, "after \"%.*s\": wanted %.*s, got \"%.*s\"; ",
                   SPAN_FMT(span_first(line, 80)), SPAN_FMT(pattern), SPAN_FMT(got));
    buf_consume(&d->out, d->out.len - rest.len);
}

static void line_run(struct dialog *d, struct span line, struct span *said)
{
    if (line.len == 0 || line.at[0] == '#')
        return;
    span_cut(&line, ' ');
    struct span verb = span_cut(&line, ' ');
    if (span_eq(verb, SPAN("tcp_connect")) || span_eq(verb, SPAN("tls_connect"))) {
        bool tls = span_eq(verb, SPAN("tls_connect"));
        d->conf.service = tls ? SMTP_SERVICE_SUBMISSIONS : SMTP_SERVICE_MX;
        call(d);
    } else if (span_eq(verb, SPAN("close"))) {
        hang_up(d);
    } else if (span_eq(verb, SPAN("->"))) {
        CLEANUP(buf_free) struct buf bytes = BUF(INPUT_MAX);
        buf_put(&bytes, line);
        buf_put(&bytes, SPAN("\r\n"));
        put(d, buf_span(&bytes));
        *said = line;
    } else if (span_eq(verb, SPAN("~>"))) {
        CLEANUP(buf_free) struct buf bytes = BUF(INPUT_MAX);
        if (!expression(&line, &bytes))
            buf_printf(&d->why, "an expression we cannot read: %.*s; ", SPAN_FMT(line));
        put(d, buf_span(&bytes));
    } else if (span_starts(verb, SPAN("<"))) {
        expect(d, *said, line);
    } else {
        buf_printf(&d->why, "unknown word \"%.*s\"; ", SPAN_FMT(verb));
    }
}

// Dialogues about what is not offered here say nothing about us.
static const char *why_not(struct span text)
{
    static const struct {
        const char *word, *reason;
    } words[] = {{" unix_connect", "no such listener"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(text.at, text.len, words[i].word, strlen(words[i].word)))
            return words[i].reason;
    return NULL;
}

static void dialog_run(struct dialog *d, struct span text)
{
    struct span said = SPAN("");
    while (text.len)
        line_run(d, span_cut(&text, '\n'), &said);
    hang_up(d);
}

static bool file_read(struct buf *b, const char *folder, const char *name)
{
    char path[8192], piece[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n;
    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(b, (struct span){piece, n});
    if (f)
        fclose(f);
    return f && rc_ok(buf_state(b));
}

static void file_run(const char *folder, const char *name, int number)
{
    CLEANUP(buf_free) struct buf text = BUF(INPUT_MAX);
    struct dialog d = {
        .file = name,
        .conf = {.mechanisms = SPAN("PLAIN LOGIN"),
                 .hostname = SPAN("mx.example.org"),
                 .max_size = 1 << 20,
                 .max_recipients = 100,
                 .max_errors = 10,
                 .max_messages = 100,
                 .command_us = SECONDS(300),
                 .data_us = SECONDS(180),
                 .session_us = SECONDS(7200)},
        .in = BUF(INPUT_MAX),
        .out = BUF(INPUT_MAX),
        .why = BUF(65536),
        .notes = BUF(65536),
    };
    bool ok = file_read(&text, folder, name);
    const char *skip = ok ? why_not(buf_span(&text)) : NULL;
    if (ok && !skip)
        dialog_run(&d, buf_span(&text));
    printf("%s%s %d - %s%s%s\n", buf_str(&d.notes), ok && d.why.len == 0 ? "ok" : "not ok", number,
           name, skip ? " # SKIP " : "", skip ? skip : "");
    if (d.why.len)
        printf("# %s\n", buf_str(&d.why));
    buf_free(&d.in);
    buf_free(&d.out);
    buf_free(&d.why);
    buf_free(&d.notes);
}

static int is_dialog(const struct dirent *e)
{
    return span_ends(span_str(e->d_name), SPAN(".cmy"));
}

int main(void)
{
    char folder[4096];
    struct dirent **list = NULL;
    const char *vectors = getenv("GELEIT_VECTORS");
    snprintf(folder, sizeof folder, "%s/smtp-dialogs-chasquid", vectors ? vectors : "");
    int count = vectors ? scandir(folder, &list, is_dialog, alphasort) : 0;
    if (count <= 0) {
        printf("1..0 # SKIP the vectors are not here\n");
        return 0;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        file_run(folder, list[i]->d_name, i + 1);
        free(list[i]);
    }
    free(list);
    return 0;
}
