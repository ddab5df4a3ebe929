#include "base_meter.h"

#include <string.h>

const struct meter_row meter_rows[METERS] = {
#define X(id, kind, name, labels, help) [METER_##id] = {METER_IS_##kind, name, labels, help},
    METER_TABLE(X)
#undef X
};

static int64_t values[METERS];

void meter_count(enum meter m, uint64_t n)
{
    values[m] += (int64_t)n;
}

void meter_set(enum meter m, int64_t value)
{
    values[m] = value;
}

int64_t meter_value(enum meter m)
{
    return values[m];
}

void meter_pack(struct buf *b)
{
    uint16_t count = 0;
    for (unsigned m = 0; m < METERS; m++)
        count = (uint16_t)(count + (values[m] != 0));
    wr_u16(b, count);
    for (unsigned m = 0; m < METERS; m++) {
        if (!values[m])
            continue;
        wr_u16(b, (uint16_t)m);
        wr_i64(b, values[m]);
    }
}

bool meter_unpack_add(struct rd *r, int64_t sum[static METERS])
{
    for (unsigned count = rd_u16(r); count && !r->bad; count--) {
        unsigned m = rd_u16(r);
        int64_t value = rd_i64(r);
        if (r->bad || m >= METERS)
            return false;
        sum[m] += value;
    }
    return !r->bad;
}

void meter_put(struct buf *b, const int64_t value[static METERS])
{
    const char *last = "";
    for (unsigned m = 0; m < METERS; m++) {
        const struct meter_row *row = &meter_rows[m];
        if (strcmp(last, row->name) != 0)
            buf_printf(b, "# HELP geleit_%s %s.\n# TYPE geleit_%s %s\n", row->name, row->help,
                       row->name, row->kind == METER_IS_COUNTER ? "counter" : "gauge");
        last = row->name;
        buf_printf(b, "geleit_%s%s%s%s %lld\n", row->name, row->labels[0] ? "{" : "", row->labels,
                   row->labels[0] ? "}" : "", (long long)value[m]);
    }
}
