#include "base_time.h"

#include <time.h>

static struct tm utc(struct wall t, int64_t *fraction)
{
    int64_t s = t.us / US_PER_S, f = t.us % US_PER_S;
    if (f < 0) {
        f += US_PER_S;
        s--;
    }
    time_t when = (time_t)s;
    struct tm tm = {0};
    gmtime_r(&when, &tm);
    *fraction = f;
    return tm;
}

void time_put_iso(struct buf *b, struct wall t)
{
    int64_t f;
    struct tm tm = utc(t, &f);
    buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(f / US_PER_MS));
}

// Exactly `n` digits at the front.
static bool digits(struct span *text, size_t n, int64_t least, int64_t most, int64_t *out)
{
    uint64_t v;
    if (text->len < n || !span_number(span_first(*text, n), (uint64_t)most, &v) ||
        (int64_t)v < least)
        return false;
    *text = span_skip(*text, n);
    *out = (int64_t)v;
    return true;
}

static bool mark(struct span *text, char c)
{
    if (text->len == 0 || text->at[0] != c)
        return false;
    *text = span_skip(*text, 1);
    return true;
}

static int64_t days_before(int64_t year, int64_t month)
{
    static const int days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 + days[month - 1] + (leap && month > 2) -
           719162; // those before 1970
}

static bool date(struct span *text, int64_t *seconds)
{
    int64_t year, month, day;
    if (!digits(text, 4, 1970, 9999, &year) || !mark(text, '-') ||
        !digits(text, 2, 1, 12, &month) || !mark(text, '-') || !digits(text, 2, 1, 31, &day))
        return false;
    int64_t first = days_before(year, month);
    int64_t next = month == 12 ? days_before(year + 1, 1) : days_before(year, month + 1);
    *seconds = (first + day - 1) * 86400;
    return first + day <= next;
}

static bool fraction(struct span *text, int64_t *us)
{
    int64_t unit = US_PER_S / 10, digit, count = 0;
    for (*us = 0; digits(text, 1, 0, 9, &digit); unit /= 10, count++)
        *us += digit * unit;
    return count > 0;
}

static bool time_of_day(struct span *text, int64_t *seconds, int64_t *us)
{
    int64_t hour, minute, second = 0;
    if (!digits(text, 2, 0, 23, &hour) || !mark(text, ':') || !digits(text, 2, 0, 59, &minute))
        return false;
    if (mark(text, ':') &&
        (!digits(text, 2, 0, 60, &second) || (mark(text, '.') && !fraction(text, us))))
        return false;
    *seconds += hour * 3600 + minute * 60 + second;
    return true;
}

static bool zone(struct span *text, int64_t *seconds)
{
    int64_t hour, minute, east = mark(text, '+') ? 1 : mark(text, '-') ? -1 : 0;
    if (east == 0) {
        (void)mark(text, 'Z');
        return true;
    }
    if (!digits(text, 2, 0, 23, &hour))
        return false;
    (void)mark(text, ':');
    if (!digits(text, 2, 0, 59, &minute))
        return false;
    *seconds -= east * (hour * 3600 + minute * 60);
    return true;
}

bool time_parse_iso(struct wall *out, struct span text)
{
    int64_t seconds, us = 0;
    if (!date(&text, &seconds))
        return false;
    if ((mark(&text, 'T') || mark(&text, ' ')) &&
        (!time_of_day(&text, &seconds, &us) || !zone(&text, &seconds)))
        return false;
    if (text.len)
        return false;
    *out = (struct wall){seconds * US_PER_S + us};
    return true;
}

void time_put_rfc5322(struct buf *b, struct wall t)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t f;
    struct tm tm = utc(t, &f);
    buf_printf(b, "%.3s, %d %.3s %04d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday, tm.tm_mday,
               months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void time_put_duration(struct buf *b, int64_t us)
{
    static const struct {
        int64_t us;
        const char *name;
    } units[] = {
        {SECONDS(86400), "d"}, {SECONDS(3600), "h"}, {SECONDS(60), "m"}, {SECONDS(1), "s"}};
    const size_t count = sizeof units / sizeof *units;
    if (us < SECONDS(1)) {
        buf_printf(b, "%lldms", (long long)(us / US_PER_MS));
        return;
    }
    size_t i = 0;
    while (i < count - 1 && us < units[i].us)
        i++;
    buf_printf(b, "%lld%s", (long long)(us / units[i].us), units[i].name);
    us %= units[i].us;
    if (i + 1 < count && us >= units[i + 1].us)
        buf_printf(b, " %lld%s", (long long)(us / units[i + 1].us), units[i + 1].name);
}
