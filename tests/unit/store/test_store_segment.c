#include "store_scratch.h"

#include "store_calls.h"

#include <errno.h>
#include <sys/resource.h>

static struct span body_of(size_t size)
{
    static char room[300000];
    for (size_t i = 0; i < size; i++)
        room[i] = (char)(i * 31 % 251);
    return (struct span){room, size};
}

static int file_new(void)
{
    char name[] = "/tmp/geleit-segment-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static void appended_record_verifies(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 65535, 65536, 65537, 262144};
    int fd = file_new();
    uint64_t end = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct store_range r = {.segment = 7};
        OK(store_append(fd, end, body_of(sizes[i]), &r));
        assert_int_equal(r.segment, 7);
        assert_int_equal(r.offset, end + STORE_RECORD_HEADER);
        assert_int_equal(r.length, sizes[i]);
        OK(store_range_verify(fd, &r));
        end = r.offset + r.length;
    }
    close(fd);
}

static void header_bytes_are_the_format(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range r = {0};
    unsigned char h[STORE_RECORD_HEADER];
    OK(store_append(fd, 0, SPAN("abc"), &r));
    assert_int_equal(pread(fd, h, sizeof h, 0), sizeof h);
    assert_memory_equal(h, "GLB1\1\0\0\0\0\0\0\0\0\0\0\3", 16);
    assert_memory_equal(h + 16, r.digest.at, 32);
    assert_memory_equal(h + 48, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    close(fd);
}

static void writer_gives_the_same_record(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 4096, 65536, 299999};
    struct span body = body_of(300000);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int fd = file_new();
        struct store_writer w;
        struct store_range r = {.segment = 3};
        OK(store_writer_begin(&w, fd));
        for (size_t at = 0; at < body.len; at += pieces[i])
            OK(store_writer_add(&w, span_first(span_skip(body, at), pieces[i])));
        OK(store_writer_end(&w, &r));
        store_writer_free(&w);
        struct crypto_digest want = crypto_sha256(body);
        assert_int_equal(r.segment, 3);
        assert_int_equal(r.length, body.len);
        assert_memory_equal(r.digest.at, want.at, sizeof want.at);
        OK(store_range_verify(fd, &r));
        close(fd);
    }
}

static void unfinished_writer_is_no_record(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_writer w;
    OK(store_writer_begin(&w, fd));
    OK(store_writer_add(&w, SPAN("begun")));
    struct store_range r = {.offset = STORE_RECORD_HEADER, .length = 5};
    r.digest = crypto_sha256(SPAN("begun"));
    IS(CORRUPT, store_range_verify(fd, &r));
    store_writer_free(&w);
    close(fd);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range r = {0};
    OK(store_append(fd, 0, SPAN("a short body"), &r));
    for (off_t i = 0; i < (off_t)(r.offset + r.length); i++) {
        unsigned char c, bad;
        assert_int_equal(pread(fd, &c, 1, i), 1);
        bad = c ^ 0x40;
        assert_int_equal(pwrite(fd, &bad, 1, i), 1);
        IS(CORRUPT, store_range_verify(fd, &r));
        assert_int_equal(pwrite(fd, &c, 1, i), 1);
    }
    OK(store_range_verify(fd, &r));
    close(fd);
}

static void wrong_ranges_are_corrupt(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range good = {0};
    OK(store_append(fd, 0, SPAN("a short body"), &good));
    struct store_range bad[] = {good, good, good, good, good, good};
    bad[0].offset++;
    bad[1].length++;
    bad[2].length = UINT64_MAX;
    bad[3].offset = 0;
    bad[4].offset = UINT64_MAX;
    bad[5].digest.at[0] ^= 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        IS(CORRUPT, store_range_verify(fd, &bad[i]));
    close(fd);
}

static void cut_short_file_is_corrupt(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range r = {0};
    OK(store_append(fd, 0, body_of(100000), &r));
    for (off_t size = 0; size < 100064; size += 9999) {
        assert_int_equal(ftruncate(fd, size), 0);
        IS(CORRUPT, store_range_verify(fd, &r));
        OK(store_append(fd, 0, body_of(100000), &r));
    }
    close(fd);
}

static int left;
static ssize_t few_bytes(int fd, const struct iovec *v, int n, off_t offset)
{
    (void)n;
    if (left-- <= 0) {
        errno = ENOSPC;
        return -1;
    }
    if (left % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    for (int i = 0; i < n; i++)
        if (v[i].iov_len)
            return pwrite(fd, v[i].iov_base, v[i].iov_len < 5 ? v[i].iov_len : 5, offset);
    return 0;
}

static void short_writes_are_continued(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range r = {0};
    struct store_calls calls = store_calls;
    left = 1000;
    store_calls.pwritev = few_bytes;
    OK(store_append(fd, 0, SPAN("a body that is written in small pieces"), &r));
    store_calls = calls;
    OK(store_range_verify(fd, &r));
    close(fd);
}

static void full_disk_leaves_earlier_records(void **state)
{
    (void)state;
    int fd = file_new();
    struct store_range first = {0}, second = {.segment = 9};
    OK(store_append(fd, 0, SPAN("first"), &first));
    struct store_calls calls = store_calls;
    left = 4;
    store_calls.pwritev = few_bytes;
    IS(DISK_FULL, store_append(fd, first.offset + first.length, SPAN("second"), &second));
    store_calls = calls;
    assert_int_equal(second.offset, 0);
    OK(store_range_verify(fd, &first));
    OK(store_append(fd, first.offset + first.length, SPAN("second"), &second));
    OK(store_range_verify(fd, &first));
    OK(store_range_verify(fd, &second));
    close(fd);
}

static void read_only_descriptor_is_an_error(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct store_range r = {0};
    assert_false(rc_ok(store_append(fd, 0, SPAN("x"), &r)));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_record_verifies),
        cmocka_unit_test(header_bytes_are_the_format),
        cmocka_unit_test(writer_gives_the_same_record),
        cmocka_unit_test(unfinished_writer_is_no_record),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(wrong_ranges_are_corrupt),
        cmocka_unit_test(cut_short_file_is_corrupt),
        cmocka_unit_test(short_writes_are_continued),
        cmocka_unit_test(full_disk_leaves_earlier_records),
        cmocka_unit_test(read_only_descriptor_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
