#include "store_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *store_why(const char *format, ...)
{
    static char text[512]; // one opener, one thread
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return text;
}

// SQLite says IOERR where the disk said why.
static struct rc rc_system(sqlite3 *db)
{
    struct rc rc = rc_errno(sqlite3_system_errno(db));
    return rc.code == RC_DISK_FULL || rc.code == RC_READ_ONLY ? rc : RC(IO);
}

static struct rc rc_sqlite(sqlite3 *db, int code)
{
    static const struct {
        int code;
        struct rc rc;
    } same[] = {
        {SQLITE_OK, {RC_OK}},
        {SQLITE_ROW, {RC_OK}},
        {SQLITE_DONE, {RC_OK}},
        {SQLITE_FULL, {RC_DISK_FULL}},
        {SQLITE_READONLY, {RC_READ_ONLY}},
        {SQLITE_CORRUPT, {RC_CORRUPT}},
        {SQLITE_NOTADB, {RC_CORRUPT}},
        {SQLITE_BUSY, {RC_UNAVAILABLE}},
        {SQLITE_LOCKED, {RC_UNAVAILABLE}},
        {SQLITE_PERM, {RC_DENIED}},
        {SQLITE_AUTH, {RC_DENIED}},
        {SQLITE_TOOBIG, {RC_TOO_LARGE}},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (same[i].code == (code & 0xff))
            return same[i].rc;
    return rc_system(db);
}

struct rc store_sql_text(struct store_sql *q, const char *text)
{
    return rc_sqlite(q->db, sqlite3_exec(q->db, text, NULL, NULL, NULL));
}

static struct rc pragma_get(struct store_sql *q, const char *name, int64_t *value)
{
    char text[64];
    sqlite3_stmt *s = NULL;
    snprintf(text, sizeof text, "PRAGMA %s", name);
    int code = sqlite3_prepare_v2(q->db, text, -1, &s, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    *value = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return rc_sqlite(q->db, code);
}

// Version and tables come in one transaction: a database is made (or changed) or not.
static struct rc make(struct store_sql *q, int64_t version)
{
    char stamp[128];
    struct rc rc = RC(OK);
    snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             q->schema->application, q->schema->version);
    TRY(store_sql_begin(q));
    if (version == 0)
        rc = store_sql_text(q, q->schema->tables);
    for (; rc_ok(rc) && version > 0 && version < q->schema->version; version++)
        rc = store_sql_text(q, q->schema->upgrades[version - 1]);
    if (rc_ok(rc))
        rc = store_sql_text(q, stamp);
    if (!rc_ok(rc)) {
        store_sql_rollback(q);
        return rc;
    }
    return store_sql_commit(q);
}

static struct rc check_version(struct store_sql *q, const char *path, const char **why)
{
    int64_t application = 0, version = 0, tables = 0;
    TRY(pragma_get(q, "application_id", &application));
    TRY(pragma_get(q, "user_version", &version));
    TRY(pragma_get(q, "schema_version", &tables));
    if (application == 0 && version == 0 && tables == 0)
        return make(q, 0);
    if (application != q->schema->application) {
        *why = store_why("%s is not a %s of geleit", path, q->schema->name);
        return RC(CORRUPT);
    }
    if (version > 0 && version < q->schema->version)
        return make(q, version);
    if (version != q->schema->version) {
        *why = store_why("%s has format %lld, this program knows format %d", path,
                         (long long)version, q->schema->version);
        return RC(UNAVAILABLE);
    }
    return RC(OK);
}

static struct rc settle(struct store_sql *q)
{
    char text[512];
    snprintf(text, sizeof text,
             "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=4000;"
             "PRAGMA cache_size=-%u; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=FAST;"
             "PRAGMA journal_size_limit=67108864;",
             q->schema->synchronous, q->schema->cache_kib);
    TRY(store_sql_text(q, text));
    return RC(OK);
}

static struct rc prepare(struct store_sql *q, unsigned i)
{
    return rc_sqlite(q->db, sqlite3_prepare_v3(q->db, q->schema->texts[i], -1,
                                               SQLITE_PREPARE_PERSISTENT, &q->statements[i], NULL));
}

// Preparing every statement proves that the tables are those of our version,
// and reads the pages that hold the schema.
static struct rc prepare_all(struct store_sql *q)
{
    q->statements = mem_new(q->schema->count * sizeof(sqlite3_stmt *));
    for (unsigned i = 0; i < q->schema->count; i++)
        TRY(prepare(q, i));
    return RC(OK);
}

// SQLite would make it readable for all; the WAL takes over the file's mode.
static struct rc touch(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return rc_errno(errno);
    close(fd);
    return RC(OK);
}

static struct rc opened(struct store_sql *q, const char *path, const char **why)
{
    TRY(touch(path));
    int code = sqlite3_open_v2(path, &q->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    TRY(rc_sqlite(q->db, code));
    sqlite3_extended_result_codes(q->db, 1);
    sqlite3_busy_timeout(q->db, 5000);
    TRY(settle(q));
    TRY(check_version(q, path, why));
    return prepare_all(q);
}

struct rc store_sql_open(struct store_sql *q, const struct store_schema *schema, const char *path,
                         const char **why)
{
    *q = (struct store_sql){.schema = schema};
    *why = NULL;
    struct rc rc = opened(q, path, why);
    if (rc_ok(rc))
        return rc;
    if (!*why && rc.code == RC_CORRUPT)
        *why = store_why("%s is damaged (%s); restore it, or move it away to begin anew", path,
                         q->db ? sqlite3_errmsg(q->db) : "unreadable");
    if (!*why)
        *why = store_why("cannot open %s: %s", path, rc_text(rc));
    store_sql_close(q);
    return rc;
}

void store_sql_close(struct store_sql *q)
{
    if (!q->schema)
        return;
    for (size_t i = 0; q->statements && i < q->schema->count; i++)
        sqlite3_finalize(q->statements[i]);
    free(q->statements);
    sqlite3_close(q->db);
    *q = (struct store_sql){0};
}

struct rc store_sql_begin(struct store_sql *q)
{
    if (q->begun)
        return RC(OK);
    TRY(store_sql_text(q, "BEGIN IMMEDIATE"));
    q->begun = true;
    return RC(OK);
}

void store_sql_rollback(struct store_sql *q)
{
    // Some failures roll back by themselves.
    if (q->begun && !sqlite3_get_autocommit(q->db))
        sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
    q->begun = false;
}

struct rc store_sql_commit(struct store_sql *q)
{
    if (!q->begun)
        return RC(OK);
    struct rc rc = store_sql_text(q, "COMMIT");
    if (!rc_ok(rc))
        store_sql_rollback(q);
    q->begun = false;
    return rc;
}

struct store_row store_row_begin(struct store_sql *q, unsigned statement)
{
    return (struct store_row){.sql = q, .statement = q->statements[statement]};
}

static void note(struct store_row *r, int code)
{
    if (rc_ok(r->rc))
        r->rc = rc_sqlite(r->sql->db, code);
}

void store_row_int(struct store_row *r, int64_t v)
{
    note(r, sqlite3_bind_int64(r->statement, ++r->bound, v));
}

void store_row_text(struct store_row *r, struct span s)
{
    note(r, sqlite3_bind_text64(r->statement, ++r->bound, s.at ? s.at : "", s.len, SQLITE_STATIC,
                                SQLITE_UTF8));
}

void store_row_blob(struct store_row *r, struct span s)
{
    note(r, sqlite3_bind_blob64(r->statement, ++r->bound, s.at ? s.at : "", s.len, SQLITE_STATIC));
}

bool store_row_next(struct store_row *r)
{
    if (!rc_ok(r->rc))
        return false;
    r->column = 0;
    int code = sqlite3_step(r->statement);
    note(r, code);
    return code == SQLITE_ROW;
}

int64_t store_row_get(struct store_row *r)
{
    return sqlite3_column_int64(r->statement, r->column++);
}

bool store_row_null(const struct store_row *r)
{
    return sqlite3_column_type(r->statement, r->column) == SQLITE_NULL;
}

struct span store_row_span(struct store_row *r)
{
    const void *at = sqlite3_column_blob(r->statement, r->column);
    size_t len = (size_t)sqlite3_column_bytes(r->statement, r->column);
    r->column++;
    return (struct span){at ? at : "", at ? len : 0};
}

struct rc store_row_done(struct store_row *r)
{
    sqlite3_reset(r->statement);
    return r->rc;
}

struct rc store_row_run(struct store_row *r)
{
    store_row_next(r);
    return store_row_done(r);
}
