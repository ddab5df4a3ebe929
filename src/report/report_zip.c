// Zip archives, out of memory: libzip reads from a buffer and never sees a file.
#include "report_unpack_inner.h"
#include "report_utf8.h"

#include <zip.h>

enum { ENTRIES_MAX = 64, STEP = 64 << 10 };

static void archive_free(zip_t **z)
{
    if (*z)
        zip_discard(*z);
}

static void entry_free(zip_file_t **f)
{
    if (*f)
        zip_fclose(*f);
}

static zip_t *archive_open(struct span bytes)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes.at, bytes.len, 0, &error);
    zip_t *z = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (source && !z)
        zip_source_free(source);
    zip_error_fini(&error);
    return z;
}

// Encrypted, or packed by a method that no report needs.
static struct rc entry_check(const zip_stat_t *st, struct report_notes *notes)
{
    if (st->valid & ZIP_STAT_ENCRYPTION_METHOD && st->encryption_method != ZIP_EM_NONE)
        return report_malformed(notes, "The zip archive is encrypted.");
    if (!(st->valid & ZIP_STAT_COMP_METHOD) ||
        (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE))
        return report_malformed(notes, "The zip archive uses a method that is not supported.");
    return RC(OK);
}

static struct rc entry_read(struct report_job *job, zip_t *z, const zip_stat_t *st, struct buf *out)
{
    CLEANUP(entry_free) zip_file_t *f = zip_fopen_index(z, st->index, 0);
    char room[STEP];
    zip_int64_t got = f ? 0 : -1;
    job->bound.packed = st->valid & ZIP_STAT_COMP_SIZE ? (size_t)st->comp_size : 0;
    while (f && (got = zip_fread(f, room, sizeof room)) > 0) {
        TRY(report_bound_check(&job->bound, out->len, (size_t)got, job->notes));
        buf_put(out, (struct span){room, (size_t)got});
    }
    return got < 0 ? report_malformed(job->notes, "The zip archive is damaged or cut short.")
                   : RC(OK);
}

// Folders, and what one system packs beside every file.
static bool is_litter(struct span name)
{
    return span_ends(name, SPAN("/")) || span_starts(name, SPAN("__MACOSX/"));
}

static struct rc entry_take(struct report_job *job, zip_t *z, const zip_stat_t *st)
{
    struct span name = st->valid & ZIP_STAT_NAME ? span_str(st->name) : SPAN("");
    if (is_litter(name))
        return RC(OK);
    TRY(entry_check(st, job->notes));
    if (report_unpack_full(job, name))
        return RC(OK);
    CLEANUP(buf_free) struct buf bytes = BUF(job->bound.max);
    TRY(entry_read(job, z, st, &bytes));
    enum report_form_magic magic = report_magic(buf_span(&bytes));
    if (magic == REPORT_MAGIC_ZIP)
        return report_malformed(job->notes, "It is a zip archive in a zip archive.");
    if (magic == REPORT_MAGIC_OTHER || magic == REPORT_MAGIC_NOTHING) {
        report_remark(job->notes, REPORT_REMARK_ZIP_OTHER_FILES, name);
        return RC(OK);
    }
    return report_unpack_one(
        job,
        &(struct report_thing){
            .bytes = buf_span(&bytes), .own = &bytes, .name = name, .wrap = "zip", .inside = 1});
}

// One bad file does not spoil the next; the first fault is the answer where none is good.
struct rc report_unpack_zip(struct report_job *job, struct span bytes)
{
    CLEANUP(archive_free) zip_t *z = archive_open(bytes);
    size_t before = job->out->count;
    struct rc first = RC(OK);
    if (!z)
        return report_malformed(job->notes, "The zip archive is damaged or cut short.");
    zip_int64_t count = zip_get_num_entries(z, 0);
    if (count > ENTRIES_MAX)
        return report_too_large(job->notes, "The zip archive has more than %d files.", ENTRIES_MAX);
    for (zip_int64_t i = 0; i < count && job->bound.left; i++) {
        zip_stat_t st;
        struct rc rc =
            zip_stat_index(z, (zip_uint64_t)i, 0, &st) == 0
                ? entry_take(job, z, &st)
                : report_malformed(job->notes, "The zip archive is damaged or cut short.");
        first = rc_ok(first) ? rc : first;
    }
    if (!rc_ok(first) || job->out->count > before)
        return first;
    return report_malformed(job->notes, "There is no report in the zip archive.");
}
