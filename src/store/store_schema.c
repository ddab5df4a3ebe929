#include "store_db.h"

// `variant`: other heads of the same message, for recipients whose `variant` is
// not 0; nothing writes them yet, and what will must drop them with the message.
static const char tables[] =
    "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);"
    "CREATE TABLE message (id INTEGER PRIMARY KEY, received INTEGER NOT NULL,"
    " sender TEXT NOT NULL, client TEXT NOT NULL, flags INTEGER NOT NULL, envid TEXT NOT NULL,"
    " ret INTEGER NOT NULL, head BLOB NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " length INTEGER NOT NULL, digest BLOB NOT NULL, cipher INTEGER NOT NULL,"
    " wrapped_key BLOB NOT NULL);"
    "CREATE INDEX message_body ON message (segment, offset, length);"
    "CREATE TABLE variant (message INTEGER NOT NULL, variant INTEGER NOT NULL,"
    " head BLOB NOT NULL, segment INTEGER, offset INTEGER, length INTEGER, digest BLOB,"
    " cipher INTEGER, wrapped_key BLOB, PRIMARY KEY (message, variant)) WITHOUT ROWID;"
    "CREATE TABLE recipient (id INTEGER PRIMARY KEY, variant INTEGER NOT NULL,"
    " state INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " notify INTEGER NOT NULL, domain TEXT NOT NULL, address TEXT NOT NULL, orcpt TEXT NOT NULL,"
    " status TEXT, reason TEXT, remote TEXT, diagnostic TEXT,"
    " return_path TEXT NOT NULL DEFAULT '', notice INTEGER NOT NULL DEFAULT 0,"
    " told INTEGER NOT NULL DEFAULT 0, tried INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX recipient_due ON recipient (due);";

static const char *const upgrades[] = {
    "ALTER TABLE recipient ADD COLUMN return_path TEXT NOT NULL DEFAULT '';",
    "ALTER TABLE recipient ADD COLUMN notice INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;"
    "UPDATE recipient SET notice = 1 WHERE state = 1;",
};

#define OF_MESSAGE " WHERE id >= ?1 AND id < ?2"
#define COLUMNS                                                                                    \
    "id, attempts, due, notify, address, domain, orcpt, status, reason, remote, diagnostic,"       \
    " return_path, notice, tried"
#define RECIPIENT "SELECT " COLUMNS " FROM recipient" OF_MESSAGE " AND state = "
// Those of one return path and notice, which are those of the first in this order.
#define OF_ONE_PATH(which, order)                                                                  \
    RECIPIENT which                                                                                \
        " AND (return_path, notice) = (SELECT return_path, notice FROM recipient" OF_MESSAGE       \
        " AND state = " which " ORDER BY " order " LIMIT 1) ORDER BY " order " LIMIT ?4"

static const char *const texts[SQL_STATEMENTS] = {
    [SQL_COUNTER_GET] = "SELECT value FROM counter WHERE id = ?1",
    [SQL_COUNTER_SET] = "INSERT OR REPLACE INTO counter (id, value) VALUES (?1, ?2)",
    [SQL_LAST_MESSAGE] = "SELECT coalesce(max(id), 0) FROM message",
    [SQL_REFS] = "SELECT segment, count(*), max(offset) FROM message"
                 " INDEXED BY message_body GROUP BY segment",
    [SQL_RANGES] = "SELECT offset, length FROM message INDEXED BY message_body"
                   " WHERE segment = ?1 ORDER BY offset",
    [SQL_BEFORE] = "SELECT offset + length FROM message INDEXED BY message_body"
                   " WHERE segment = ?1 AND offset < ?2 ORDER BY offset DESC LIMIT 1",
    [SQL_PUT_MESSAGE] = "INSERT INTO message (id, received, sender, client, flags, envid, ret,"
                        " head, segment, offset, length, digest, cipher, wrapped_key)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [SQL_PUT_RECIPIENT] = "INSERT INTO recipient (id, variant, state, due, attempts, notify,"
                          " domain, address, orcpt, reason, return_path, notice, status)"
                          " VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SQL_HAS_RECIPIENT] = "SELECT 1 FROM recipient WHERE id >= ?1 AND id < ?2 LIMIT 1",
    [SQL_GET_RANGE] = "SELECT segment, length FROM message WHERE id = ?1",
    [SQL_DROP_MESSAGE] = "DELETE FROM message WHERE id = ?1",
    [SQL_DROP_RECIPIENT] = "DELETE FROM recipient WHERE id = ?1 AND state = ?2",
    // What is held stays so for anything but the end.
    [SQL_MARK] = "UPDATE recipient SET state = CASE ?1 WHEN 0 THEN state ELSE ?1 END,"
                 " due = CASE WHEN ?1 = 0 AND state = 2 THEN due ELSE ?2 END,"
                 " attempts = attempts + 1, status = ?3, reason = ?4, remote = ?5, diagnostic = ?6,"
                 " notice = ?8, tried = ?9"
                 " WHERE id = ?7 AND state IN (0, 2)",
    // A row of its own for the notice, whose id follows from that of the recipient.
    [SQL_OWE] = "INSERT INTO recipient (id, variant, state, due, attempts, notify, domain, address,"
                " orcpt, status, reason, remote, diagnostic, return_path, notice, told, tried)"
                " SELECT id | ?2, variant, 1, 0, attempts, notify, domain, address, orcpt, status,"
                " reason, remote, diagnostic, return_path, ?3, 1, tried FROM recipient"
                " WHERE id = ?1 AND state IN (0, 2) AND told = 0",
    [SQL_TOLD] = "UPDATE recipient SET told = 1 WHERE id = ?1 AND state IN (0, 2)",
    [SQL_LOAD_MESSAGE] = "SELECT received, sender, client, flags, envid, ret, head, segment,"
                         " offset, length, digest, cipher, wrapped_key FROM message WHERE id = ?1",
    [SQL_LOAD_PENDING] = OF_ONE_PATH("0 AND domain = ?3 AND due <= ?5", "due, id"),
    [SQL_LOAD_OWED] = OF_ONE_PATH("1", "id"),
    [SQL_DUE] = "SELECT r.id, r.state, r.due, r.domain, m.length FROM recipient AS r"
                " INDEXED BY recipient_due CROSS JOIN message AS m ON m.id = r.id >> 20"
                " WHERE r.due <= ?1 AND r.state < 2 ORDER BY r.due, r.id",
    [SQL_FIND] = "SELECT m.received, m.length, m.sender = '' AND r.return_path = '', r.state,"
                 " r.attempts, r.notify, r.told, m.client = '', m.flags FROM recipient AS r CROSS "
                 "JOIN message AS m ON m.id = r.id >> 20"
                 " WHERE r.id = ?1",
    [SQL_NEXT_PENDING] = "SELECT min(due) FROM recipient WHERE id >= ?1 AND id < ?2"
                         " AND state = 0 AND domain = ?3",
    [SQL_OLDEST] = "SELECT received FROM message ORDER BY id LIMIT 1",
    [SQL_LIST] = "SELECT id FROM message WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_SHOW] = "SELECT " COLUMNS ", state FROM recipient" OF_MESSAGE " ORDER BY id LIMIT ?3",
    [SQL_TALLY] = "SELECT state, count(*), min(due), sum(notice = 2) FROM recipient" OF_MESSAGE
                  " GROUP BY state",
    [SQL_DOMAINS] = "SELECT DISTINCT domain FROM recipient" OF_MESSAGE " AND state = 0",
    [SQL_RETRY] = "UPDATE recipient SET due = ?3" OF_MESSAGE " AND state = 0",
    [SQL_PULL_IN] = "UPDATE recipient INDEXED BY recipient_due SET due = ?2"
                    " WHERE due > ?1 AND state = 0",
    [SQL_HOLD] =
        "UPDATE recipient SET state = 2, due = 9223372036854775807" OF_MESSAGE " AND state = 0",
    // A notice that was held with its message is owed now, and never sent to anybody.
    [SQL_RELEASE] = "UPDATE recipient SET state = notice > 0,"
                    " due = CASE WHEN notice > 0 THEN 0 ELSE ?3 END" OF_MESSAGE " AND state = 2",
    [SQL_DROP_ALL] = "DELETE FROM recipient" OF_MESSAGE,
    [SQL_NEXT_OWED] = "SELECT 1 FROM recipient WHERE id >= ?1 AND id < ?2 AND state = 1 LIMIT 1",
};

const struct store_schema store_queue_schema = {
    .name = "queue.db",
    .application = 0x474c4251, // "GLBQ"
    .version = 3,
    .upgrades = upgrades,
    .synchronous = "FULL",
    .cache_kib = 8192,
    .tables = tables,
    .texts = texts,
    .count = SQL_STATEMENTS,
};
