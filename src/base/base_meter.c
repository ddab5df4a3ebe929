#include "base_meter.h"

#include "base_time.h"

#include <string.h>

const struct meter_row meter_rows[METERS] = {
#define X(id, kind, name, labels, help) [METER_##id] = {METER_IS_##kind, name, labels, help},
    METER_TABLE(X)
#undef X
};
const struct meter_histogram_row meter_histograms[METER_OFS] = {
#define Y(id, name, help, ...) [METER_OF_##id] = {name, help, {__VA_ARGS__}},
    METER_HISTOGRAMS(Y)
#undef Y
};

static int64_t values[METER_VALUES];

static size_t cells_of(unsigned h)
{
    return (size_t)METERS + (size_t)h * METER_CELLS;
}

void meter_count(enum meter m, uint64_t n)
{
    values[m] += (int64_t)n;
}

void meter_set(enum meter m, int64_t value)
{
    values[m] = value;
}

void meter_time(enum meter_histogram h, int64_t took_us)
{
    int64_t *cells = &values[cells_of(h)], us = took_us < 0 ? 0 : took_us;
    unsigned i = 0;
    while (i < METER_BOUNDS && us > meter_histograms[h].bounds_ms[i] * US_PER_MS)
        i++;
    cells[i]++;
    cells[METER_CELLS - 1] += us;
}

int64_t meter_value(enum meter m)
{
    return values[m];
}

void meter_pack(struct buf *b)
{
    uint16_t count = 0;
    for (unsigned m = 0; m < METER_VALUES; m++)
        count = (uint16_t)(count + (values[m] != 0));
    wr_u16(b, count);
    for (unsigned m = 0; m < METER_VALUES; m++) {
        if (!values[m])
            continue;
        wr_u16(b, (uint16_t)m);
        wr_i64(b, values[m]);
    }
}

bool meter_unpack(struct rd *r, int64_t value[static METER_VALUES])
{
    for (unsigned m = 0; m < METER_VALUES; m++)
        value[m] = 0;
    for (unsigned count = rd_u16(r); count && !r->bad; count--) {
        unsigned m = rd_u16(r);
        int64_t v = rd_i64(r);
        if (r->bad || m >= METER_VALUES)
            return false;
        value[m] = v;
    }
    return !r->bad;
}

static enum meter_kind kind_of(unsigned place)
{
    return place < METERS ? meter_rows[place].kind : METER_IS_COUNTER;
}

static int64_t merged(enum meter_kind kind, int64_t a, int64_t b)
{
    if (kind == METER_IS_GAUGE_ONE)
        return a > b ? a : b;
    if (kind == METER_IS_LEAST)
        return a == 0 || (b != 0 && b < a) ? b : a;
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

void meter_merge(int64_t sum[static METER_VALUES], const int64_t value[static METER_VALUES],
                 bool counters)
{
    for (unsigned m = 0; m < METER_VALUES; m++)
        if ((kind_of(m) == METER_IS_COUNTER) == counters)
            sum[m] = merged(kind_of(m), sum[m], value[m]);
}

// ---- text ----

static void put_head(struct buf *b, const char *name, const char *help, const char *type)
{
    buf_printf(b, "# HELP geleit_%s %s.\n# TYPE geleit_%s %s\n", name, help, name, type);
}

static void put_rows(struct buf *b, const int64_t *value)
{
    const char *last = "";
    for (unsigned m = 0; m < METERS; m++) {
        const struct meter_row *row = &meter_rows[m];
        if (strcmp(last, row->name) != 0)
            put_head(b, row->name, row->help, row->kind == METER_IS_COUNTER ? "counter" : "gauge");
        last = row->name;
        buf_printf(b, "geleit_%s%s%s%s %lld\n", row->name, row->labels[0] ? "{" : "", row->labels,
                   row->labels[0] ? "}" : "", (long long)value[m]);
    }
}

static void put_bound(struct buf *b, int64_t ms)
{
    buf_printf(b, "%lld", (long long)(ms / 1000));
    if (ms % 1000 == 0)
        return;
    char digits[4] = {(char)('0' + ms % 1000 / 100), (char)('0' + ms % 100 / 10),
                      (char)('0' + ms % 10), '\0'};
    for (size_t n = 3; digits[n - 1] == '0'; n--)
        digits[n - 1] = '\0';
    buf_printf(b, ".%s", digits);
}

static void put_us(struct buf *b, int64_t us)
{
    us = us < 0 ? 0 : us;
    buf_printf(b, "%lld.%06lld", (long long)(us / US_PER_S), (long long)(us % US_PER_S));
}

static void put_histogram(struct buf *b, const struct meter_histogram_row *row,
                          const int64_t *cells)
{
    uint64_t count = 0; // wraps where a process told nonsense
    put_head(b, row->name, row->help, "histogram");
    for (unsigned i = 0; i < METER_BOUNDS; i++) {
        count += (uint64_t)cells[i];
        buf_printf(b, "geleit_%s_bucket{le=\"", row->name);
        put_bound(b, row->bounds_ms[i]);
        buf_printf(b, "\"} %llu\n", (unsigned long long)count);
    }
    count += (uint64_t)cells[METER_BOUNDS];
    buf_printf(b, "geleit_%s_bucket{le=\"+Inf\"} %llu\ngeleit_%s_sum ", row->name,
               (unsigned long long)count, row->name);
    put_us(b, cells[METER_CELLS - 1]);
    buf_printf(b, "\ngeleit_%s_count %llu\n", row->name, (unsigned long long)count);
}

void meter_put(struct buf *b, const int64_t value[static METER_VALUES])
{
    put_rows(b, value);
    for (unsigned h = 0; h < METER_OFS; h++)
        put_histogram(b, &meter_histograms[h], &value[cells_of(h)]);
}

static void put_up(struct buf *b, const struct meter_process *p)
{
    buf_printf(b, "%d", p->up);
}

static void put_started(struct buf *b, const struct meter_process *p)
{
    put_us(b, p->started_us);
}

static void put_cpu(struct buf *b, const struct meter_process *p)
{
    put_us(b, p->cpu_us);
}

static void put_memory(struct buf *b, const struct meter_process *p)
{
    buf_printf(b, "%lld", (long long)p->memory);
}

void meter_put_processes(struct buf *b, const struct meter_process *list, size_t count)
{
    static const struct {
        const char *name, *help, *type;
        void (*put)(struct buf *b, const struct meter_process *p);
        bool dead; // shown of one that does not answer
    } rows[] = {
        {"up", "1: the process answers", "gauge", put_up, true},
        {"start_time_seconds", "When the process began, in seconds since 1970", "gauge",
         put_started, false},
        {"cpu_seconds_total", "Processor time of the process", "counter", put_cpu, false},
        {"peak_memory_bytes", "Most memory the process had", "gauge", put_memory, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_head(b, rows[i].name, rows[i].help, rows[i].type);
        for (const struct meter_process *p = list; p < list + count; p++) {
            if (!p->up && !rows[i].dead)
                continue;
            buf_printf(b, "geleit_%s{role=\"%s\",index=\"%u\"} ", rows[i].name, p->role, p->index);
            rows[i].put(b, p);
            buf_put(b, SPAN("\n"));
        }
    }
}
