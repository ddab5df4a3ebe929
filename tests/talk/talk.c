#include "talk.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 200, FILE_MAX = 1 << 20, TALK_MAX = 16 << 20 };

void talk_fail(struct talk *t, const char *format, ...)
{
    char text[1024];
    va_list ap;
    if (t->failed)
        return;
    t->failed = true;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    buf_printf(&t->why, "line %u: %s", t->line, text);
}

// "\{3:ab}" is "ababab"; returns what follows it.
static struct span repeat(struct talk *t, struct buf *out, struct span s)
{
    uint64_t times;
    struct span count = span_cut(&s, ':'), what = span_cut(&s, '}');
    if (!s.at || !span_number(count, TALK_MAX, &times)) {
        talk_fail(t, "bad repetition");
        return (struct span){0};
    }
    CLEANUP(buf_free) struct buf bytes = BUF(TALK_MAX);
    talk_expand(t, &bytes, what);
    struct span unit = span_first(buf_span(&bytes), bytes.len - 2); // without the CRLF it got
    while (times--)
        buf_put(out, unit);
    return s;
}

static unsigned hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
}

static struct span escape(struct talk *t, struct buf *out, struct span s)
{
    static const char from[] = "rn0\\.", to[] = {'\r', '\n', '\0', '\\', '.'};
    if (s.at[0] == '{')
        return repeat(t, out, span_skip(s, 1));
    if (s.at[0] == 'x' && s.len >= 3) {
        buf_putc(out, (char)(hex(s.at[1]) * 16 + hex(s.at[2])));
        return span_skip(s, 3);
    }
    const char *p = memchr(from, s.at[0], sizeof from - 1);
    if (p)
        buf_putc(out, to[p - from]);
    else
        talk_fail(t, "unknown escape \\%c", s.at[0]);
    return span_skip(s, 1);
}

void talk_expand(struct talk *t, struct buf *out, struct span line)
{
    while (line.len) {
        char c = line.at[0];
        line = span_skip(line, 1);
        if (c != '\\')
            buf_putc(out, c);
        else if (line.len == 0)
            return; // no line end
        else
            line = escape(t, out, line);
    }
    buf_put(out, SPAN("\r\n"));
}

void talk_expand_all(struct talk *t, struct buf *out, struct span text)
{
    while (text.len)
        talk_expand(t, out, span_cut(&text, '\n'));
}

static void show(struct buf *b, struct span s)
{
    s = span_first(s, 200);
    for (size_t i = 0; i < s.len; i++)
        buf_printf(b, s.at[i] >= ' ' && s.at[i] <= '~' ? "%c" : "\\x%02x", (unsigned char)s.at[i]);
}

static void mismatch(struct talk *t, struct span want, struct span got)
{
    CLEANUP(buf_free) struct buf w = BUF(4096), g = BUF(4096);
    show(&w, want);
    show(&g, got);
    talk_fail(t, "expected \"%s\", got \"%s\"", buf_str(&w), buf_str(&g));
}

// Takes one expected line off *got; false: it does not stand there.
static bool line_match(struct talk *t, struct span line, struct span *got, bool crlf)
{
    struct span dots = SPAN("…"), end = crlf ? SPAN("\r\n") : SPAN("\n");
    CLEANUP(buf_free) struct buf want = BUF(TALK_MAX);
    bool early = span_ends(line, dots);
    if (early)
        line = span_first(line, line.len - dots.len);
    if (crlf) {
        talk_expand(t, &want, line);
    } else {
        buf_put(&want, line);
        buf_putc(&want, '\n');
    }
    if (early)
        want.len -= end.len;
    if (!span_starts(*got, buf_span(&want))) {
        mismatch(t, buf_span(&want), *got);
        return false;
    }
    *got = span_skip(*got, want.len);
    if (early)
        *got = span_skip(*got, span_index(*got, '\n') + 1);
    return true;
}

void talk_expect(struct talk *t, struct buf *got, struct span text, bool crlf)
{
    struct span rest = buf_span(got);
    while (text.len && !t->failed) {
        line_match(t, span_cut(&text, '\n'), &rest, crlf);
        t->line++;
    }
    if (!t->failed && rest.len)
        mismatch(t, SPAN(""), rest);
    buf_clear(got);
}

struct span talk_setting(struct span setup, const char *key)
{
    while (setup.len) {
        struct span line = span_cut(&setup, '\n'), word = span_cut(&line, ' ');
        if (span_eq(word, span_str(key)))
            return line.at ? line : SPAN("");
    }
    return (struct span){0};
}

uint64_t talk_number(struct span setup, const char *key, uint64_t otherwise)
{
    uint64_t n;
    return span_number(talk_setting(setup, key), UINT64_MAX, &n) ? n : otherwise;
}

int64_t talk_duration(struct span text)
{
    uint64_t n;
    char unit = text.len ? text.at[text.len - 1] : '\0';
    if (!text.len || !span_number(span_first(text, text.len - 1), 1000000, &n))
        return 0;
    return SECONDS(n) * (unit == 'h' ? 3600 : unit == 'm' ? 60 : 1);
}

bool talk_reply(struct span text, unsigned *code, struct span *status, struct span *rest)
{
    uint64_t n;
    if (!span_number(span_cut(&text, ' '), 599, &n))
        return false;
    *code = (unsigned)n;
    *status = (struct span){0};
    if (text.len > 4 && text.at[1] == '.')
        *status = span_cut(&text, ' ');
    *rest = text;
    return true;
}

static void feed(struct talk *t, const struct talk_side *side, void *arg, struct span text)
{
    CLEANUP(buf_free) struct buf bytes = BUF(TALK_MAX);
    talk_expand_all(t, &bytes, text);
    struct span rest = buf_span(&bytes);
    while (rest.len && !t->closed && !t->failed) {
        buf_put(&t->in, span_first(rest, t->chunk));
        rest = span_skip(rest, t->chunk);
        side->tick(arg, t->now);
        side->pump(arg);
    }
}

static void time_pass(struct talk *t, const struct talk_side *side, void *arg, struct span text)
{
    int64_t us = talk_duration(span_cut(&text, '\n'));
    int64_t target = t->now.us + us;
    if (us == 0)
        talk_fail(t, "bad duration");
    while (!t->failed && !t->closed && side->deadline(arg).us <= target) {
        struct mono before = t->now;
        t->now = side->deadline(arg);
        side->tick(arg, t->now);
        side->pump(arg);
        if (before.us == t->now.us)
            talk_fail(t, "a deadline that does not move");
    }
    t->now.us = target;
    side->tick(arg, t->now);
    side->pump(arg);
}

static void block_run(struct talk *t, const struct talk_side *side, void *arg,
                      const struct talk_block *b)
{
    t->line = b->line;
    if (span_eq(b->kind, span_str(side->hear))) {
        feed(t, side, arg, b->text);
    } else if (span_eq(b->kind, span_str(side->say))) {
        talk_expect(t, &t->out, b->text, true);
    } else if (span_eq(b->kind, SPAN("time"))) {
        time_pass(t, side, arg, b->text);
    } else if (span_eq(b->kind, SPAN("step"))) {
        t->watched = true;
        talk_expect(t, &t->events, b->text, false);
    } else if (!span_eq(b->kind, SPAN("setup")) && !side->block(arg, b)) {
        talk_fail(t, "unknown block \"%.*s\"", SPAN_FMT(b->kind));
    }
}

static void end_check(struct talk *t)
{
    if (!t->failed && t->out.len)
        mismatch(t, SPAN("nothing more"), buf_span(&t->out));
    if (!t->failed && t->events.len && (t->watched || t->closed))
        mismatch(t, SPAN("no further step"), buf_span(&t->events));
}

static bool replay(struct talk *t, const struct talk_side *side, const struct talk_block *b,
                   size_t count)
{
    struct span setup = count && span_eq(b[0].kind, SPAN("setup")) ? b[0].text : SPAN("");
    t->in = t->out = t->events = BUF(TALK_MAX);
    t->now = (struct mono){SECONDS(1000)};
    t->watched = t->closed = false;
    void *arg = side->start(t, setup);
    side->pump(arg);
    for (size_t i = 0; i < count && !t->failed; i++)
        block_run(t, side, arg, &b[i]);
    end_check(t);
    side->free(arg);
    buf_free(&t->in);
    buf_free(&t->out);
    buf_free(&t->events);
    return !t->failed;
}

// The fenced blocks of a file; prose is for people.
static size_t blocks_read(struct talk_block *b, struct span text)
{
    size_t n = 0;
    unsigned line = 0;
    bool inside = false;
    while (text.len && n < BLOCKS_MAX) {
        const char *begin = text.at;
        struct span l = span_cut(&text, '\n');
        line++;
        if (!span_starts(l, SPAN("```"))) {
            if (inside)
                b[n].text.len = (size_t)(l.at + l.len + 1 - b[n].text.at);
            continue;
        }
        if (inside)
            n++;
        else
            b[n] = (struct talk_block){line + 1, span_skip(l, 3), {begin + l.len + 1, 0}};
        inside = !inside;
    }
    return n;
}

static bool chunk_wanted(struct span list, size_t chunk)
{
    bool all = list.at == NULL;
    while (list.len && !all) {
        uint64_t n = 0;
        struct span word = span_cut(&list, ' ');
        all = span_number(word, 1 << 20, &n) ? n == chunk
                                             : span_eq(word, SPAN("whole")) && chunk == SIZE_MAX;
    }
    return all;
}

static bool file_run(struct span text, struct buf *why)
{
    static struct talk_block b[BLOCKS_MAX + 1];
    size_t count = blocks_read(b, text), tried = 0;
    struct span setup = count ? b[0].text : SPAN("");
    struct span name = talk_setting(setup, "side");
    const struct talk_side *side = span_eq(name, SPAN("client")) ? &talk_client : &talk_server;
    for (size_t chunk = 1; chunk <= 4097; chunk++) {
        struct talk t = {.chunk = chunk == 4097 ? SIZE_MAX : chunk, .why = BUF(8192)};
        struct span list = talk_setting(setup, "chunks");
        bool usual = list.at || chunk <= 64 || t.chunk == SIZE_MAX;
        if (!usual || !chunk_wanted(list, t.chunk))
            continue;
        tried++;
        if (!replay(&t, side, b, count))
            buf_printf(why, "chunks of %zd, %s", (ssize_t)t.chunk, buf_str(&t.why));
        buf_free(&t.why);
        if (why->len)
            return false;
    }
    return count > 1 && tried > 0;
}

static bool file_read(struct buf *b, const char *folder, const char *name)
{
    char path[4096], piece[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n;
    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(b, (struct span){piece, n});
    if (f)
        fclose(f);
    return f && rc_ok(buf_state(b));
}

static int is_talk(const struct dirent *e)
{
    struct span name = span_str(e->d_name);
    return span_ends(name, SPAN(".md")) && !span_eq(name, SPAN("README.md"));
}

int main(int argc, char **argv)
{
    struct dirent **list = NULL;
    int count = argc > 1 ? scandir(argv[1], &list, is_talk, alphasort) : -1;
    if (count < 0)
        return 1;
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        CLEANUP(buf_free) struct buf text = BUF(FILE_MAX), why = BUF(16384);
        bool wanted = argc < 3 || strcmp(argv[2], list[i]->d_name) == 0;
        bool ok = !wanted ||
                  (file_read(&text, argv[1], list[i]->d_name) && file_run(buf_span(&text), &why));
        printf("%s %d - %s\n", ok ? "ok" : "not ok", i + 1, list[i]->d_name);
        if (!ok)
            printf("# %s\n", buf_str(&why));
        fflush(stdout);
        free(list[i]);
    }
    free(list);
    return 0;
}
