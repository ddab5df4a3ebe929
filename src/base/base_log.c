#include "base_log.h"

#include <time.h>
#include <unistd.h>

static const char *log_role = "geleit";
static enum log_level log_least = LOG_INFO;

void log_setup(const char *role, enum log_level least)
{
    log_role = role;
    log_least = least;
}

bool log_on(enum log_level level)
{
    return level >= log_least;
}

// Bytes at the front that are one character fit for a terminal; 0: an odd byte.
// C1 controls (U+0080 to U+009F) are not: some terminals obey them.
static size_t fit(struct span s)
{
    size_t n = span_utf8(s);
    unsigned char c = (unsigned char)s.at[0];
    bool control = c < ' ' || c == 0x7f || (c == 0xc2 && n == 2 && (unsigned char)s.at[1] < 0xa0);
    return control ? 0 : n;
}

static bool plain(struct span s)
{
    if (s.len == 0)
        return false;
    for (size_t n; s.len; s = span_skip(s, n)) {
        n = fit(s);
        if (n == 0 || span_index(SPAN(" \"\\="), s.at[0]) < 4)
            return false;
    }
    return true;
}

static void value(struct buf *b, struct span s)
{
    if (plain(s)) {
        buf_put(b, s);
        return;
    }
    buf_putc(b, '"');
    while (s.len) {
        size_t n = fit(s);
        if (n == 0)
            buf_printf(b, "\\x%02x", (unsigned char)s.at[0]);
        else if (s.at[0] == '"' || s.at[0] == '\\')
            buf_printf(b, "\\%c", s.at[0]);
        else
            buf_put(b, span_first(s, n));
        s = span_skip(s, n ? n : 1);
    }
    buf_putc(b, '"');
}

void log_put(struct buf *b, struct wall now, enum log_level level, const char *event,
             const struct log_field *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    time_put_iso(b, now);
    buf_printf(b, " %s %s %s", names[level], log_role, event);
    for (const struct log_field *f = fields; f->key; f++) {
        buf_printf(b, " %s=", f->key);
        if (f->is_number)
            buf_printf(b, "%lld", (long long)f->number);
        else
            value(b, f->text);
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_on(level))
        return;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    struct wall now = {SECONDS(ts.tv_sec) + ts.tv_nsec / 1000};
    CLEANUP(buf_free) struct buf b = BUF(16384);
    log_put(&b, now, level, event, fields);
    buf_putc(&b, '\n');
    if (b.overrun) // a line over its ceiling keeps its end
        b.at[b.len - 1] = '\n';
    if (write(STDERR_FILENO, b.at, b.len) < 0)
        return; // nowhere to say it
}
