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
