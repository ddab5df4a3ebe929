// Meters: counting, packing, merging, the text.
#include "base_meter.h"

#include "base_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool is_in(const struct buf *b, const char *text)
{
    return b->len && memmem(b->at, b->len, text, strlen(text)) != NULL;
}

static void rows_are_sound(void **state)
{
    (void)state;
    for (unsigned m = 0; m < METERS; m++) {
        const struct meter_row *row = &meter_rows[m];
        bool first = m == 0 || strcmp(row->name, meter_rows[m - 1].name) != 0;
        assert_true(first == (row->help[0] != '\0')); // help once, and names together
        assert_true((row->kind == METER_IS_COUNTER) ==
                    span_ends(span_str(row->name), SPAN("_total")));
        for (unsigned k = 0; first && k + 1 < m; k++)
            assert_string_not_equal(row->name, meter_rows[k].name);
        for (unsigned k = 0; k < m; k++)
            assert_false(strcmp(row->name, meter_rows[k].name) == 0 &&
                         strcmp(row->labels, meter_rows[k].labels) == 0);
    }
    for (unsigned h = 0; h < METER_OFS; h++)
        for (unsigned i = 1; i < METER_BOUNDS; i++)
            assert_true(meter_histograms[h].bounds_ms[i] > meter_histograms[h].bounds_ms[i - 1]);
}

static void goes_over_the_wire(void **state)
{
    (void)state;
    int64_t value[METER_VALUES];
    CLEANUP(buf_free) struct buf b = BUF(65536);
    meter_count(METER_RECEIVED, 3);
    meter_set(METER_QUEUE, -7);
    meter_time(METER_OF_COMMIT, 1500);
    meter_pack(&b);
    struct rd r = RD(buf_span(&b));
    assert_true(meter_unpack(&r, value) && rd_end(&r));
    assert_int_equal(value[METER_RECEIVED], 3);
    assert_int_equal(value[METER_QUEUE], -7);
    assert_int_equal(value[METER_LOGINS], 0);
    for (size_t cut = 0; cut < b.len; cut++) {
        struct rd part = RD(span_first(buf_span(&b), cut));
        assert_false(meter_unpack(&part, value));
    }
}

static void places_are_bounded(void **state)
{
    (void)state;
    int64_t value[METER_VALUES];
    CLEANUP(buf_free) struct buf b = BUF(64);
    wr_u16(&b, 1);
    wr_u16(&b, METER_VALUES);
    wr_i64(&b, 1);
    struct rd r = RD(buf_span(&b));
    assert_false(meter_unpack(&r, value));
}

static void merges_by_kind(void **state)
{
    (void)state;
    static int64_t sum[METER_VALUES], a[METER_VALUES], b[METER_VALUES];
    a[METER_RECEIVED] = 2, b[METER_RECEIVED] = 5;
    a[METER_JOBS] = 3, b[METER_JOBS] = 4;
    a[METER_CERTIFICATES] = 2, b[METER_CERTIFICATES] = 2;
    a[METER_CERTIFICATE_EXPIRES] = 900, b[METER_CERTIFICATE_EXPIRES] = 700;
    a[METERS] = 1, b[METERS] = 1; // of a histogram
    meter_merge(sum, a, true);
    meter_merge(sum, b, true);
    assert_int_equal(sum[METER_RECEIVED], 7);
    assert_int_equal(sum[METERS], 2);
    assert_int_equal(sum[METER_JOBS], 0);
    int64_t *const both[] = {a, b};
    for (unsigned i = 0; i < 2; i++)
        meter_merge(sum, both[i], false);
    assert_int_equal(sum[METER_RECEIVED], 7);
    assert_int_equal(sum[METER_JOBS], 7);
    assert_int_equal(sum[METER_CERTIFICATES], 2);
    assert_int_equal(sum[METER_CERTIFICATE_EXPIRES], 700);
    b[METER_CERTIFICATE_EXPIRES] = 0; // it has none: says nothing
    meter_merge(sum, b, false);
    assert_int_equal(sum[METER_CERTIFICATE_EXPIRES], 700);
}

static void text(void **state)
{
    (void)state;
    static int64_t value[METER_VALUES];
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    int64_t *commit = &value[METERS + (size_t)METER_OF_COMMIT * METER_CELLS];
    value[METER_RECEIVED] = 12;
    commit[0] = 1, commit[2] = 2, commit[METER_BOUNDS] = 1;
    commit[METER_CELLS - 1] = 12 * US_PER_S + 34;
    meter_put(&b, value);
    assert_true(rc_ok(buf_state(&b)));
    assert_true(is_in(&b, "# TYPE geleit_messages_received_total counter\n"
                          "geleit_messages_received_total 12\n"));
    assert_true(is_in(&b, "geleit_sessions_total{service=\"mx\"} 0\n"));
    assert_true(is_in(&b, "# TYPE geleit_commit_duration_seconds histogram\n"
                          "geleit_commit_duration_seconds_bucket{le=\"0.001\"} 1\n"
                          "geleit_commit_duration_seconds_bucket{le=\"0.002\"} 1\n"
                          "geleit_commit_duration_seconds_bucket{le=\"0.005\"} 3\n"));
    assert_true(is_in(&b, "_bucket{le=\"0.5\"} 3\n"));
    assert_true(is_in(&b, "geleit_commit_duration_seconds_bucket{le=\"+Inf\"} 4\n"
                          "geleit_commit_duration_seconds_sum 12.000034\n"
                          "geleit_commit_duration_seconds_count 4\n"));
}

static void times_find_their_bucket(void **state)
{
    (void)state;
    static int64_t value[METER_VALUES];
    CLEANUP(buf_free) struct buf b = BUF(65536);
    const int64_t *cells = &value[METERS + (size_t)METER_OF_DNS * METER_CELLS];
    const int64_t last = meter_histograms[METER_OF_DNS].bounds_ms[METER_BOUNDS - 1];
    meter_time(METER_OF_DNS, -5);
    meter_time(METER_OF_DNS, 1000); // at the bound: in it
    meter_time(METER_OF_DNS, 1001);
    meter_time(METER_OF_DNS, last * US_PER_MS + 1);
    meter_pack(&b);
    struct rd r = RD(buf_span(&b));
    assert_true(meter_unpack(&r, value));
    assert_int_equal(cells[0], 2);
    assert_int_equal(cells[1], 1);
    assert_int_equal(cells[METER_BOUNDS], 1);
    assert_int_equal(cells[METER_CELLS - 1], 2001 + last * US_PER_MS + 1);
}

static void processes(void **state)
{
    (void)state;
    const struct meter_process list[] = {
        {.role = "store", .up = true, .started_us = 1500000, .cpu_us = 2, .memory = 4096},
        {.role = "sender", .index = 1, .started_us = 9},
    };
    CLEANUP(buf_free) struct buf b = BUF(65536);
    meter_put_processes(&b, list, 2);
    assert_true(is_in(&b, "geleit_up{role=\"store\",index=\"0\"} 1\n"
                          "geleit_up{role=\"sender\",index=\"1\"} 0\n"));
    assert_true(is_in(&b, "geleit_start_time_seconds{role=\"store\",index=\"0\"} 1.500000\n"));
    assert_true(is_in(&b, "geleit_cpu_seconds_total{role=\"store\",index=\"0\"} 0.000002\n"));
    assert_false(is_in(&b, "geleit_peak_memory_bytes{role=\"sender\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(goes_over_the_wire),
        cmocka_unit_test(places_are_bounded),
        cmocka_unit_test(merges_by_kind),
        cmocka_unit_test(text),
        cmocka_unit_test(processes),
        cmocka_unit_test(times_find_their_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
