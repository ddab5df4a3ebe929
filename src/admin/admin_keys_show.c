// geleit keys dkim list, and the records of keys.
#include "admin_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_DOMAIN = 2, COLUMNS = 7, CELL_MAX = 340, ROUND = 32 };

// ---- what DNS shows ----

static void look(const struct admin_keys *k, struct admin_dns *dns, const size_t *at, size_t count,
                 struct admin_key_sight *seen)
{
    for (size_t done = 0; done < count; done += ROUND) {
        CLEANUP(arena_free) struct arena a = ARENA(ROUND * DNS_ANSWER_ARENA);
        struct dns_question questions[ROUND];
        struct dns_answer answers[ROUND];
        size_t n = count - done < ROUND ? count - done : ROUND;
        for (size_t i = 0; i < n; i++)
            questions[i] = auth_key_question(&k->folder.keys.at[at[done + i]]);
        admin_dns_ask(dns, questions, n, answers, &a);
        for (size_t i = 0; i < n; i++) {
            struct admin_key_sight *s = &seen[done + i];
            *s = (struct admin_key_sight){
                .asked = true,
                .sight = auth_key_look(&k->folder.keys.at[at[done + i]], &answers[i]),
                .standing = answers[i].standing};
            (void)span_copy(s->why, sizeof s->why, span_first(answers[i].why, sizeof s->why - 1));
        }
    }
}

// A bogus answer is one that cannot be believed; it has a word of its own.
const char *admin_key_dns_word(const struct admin_key_sight *s)
{
    return s->standing == DNS_BOGUS ? "bogus" : auth_key_sight_text(s->sight);
}

enum auth_key_phase admin_key_phase(const struct admin_keys *k, size_t i)
{
    return auth_key_phase(&k->folder.keys.at[i], k->now, k->rules.keep);
}

// ---- the next step ----

static const char *const waiting[AUTH_KEY_SIGHTS] = {
    [AUTH_KEY_UNKNOWN] = "DNS gave no answer, which says nothing; it is asked again.",
    [AUTH_KEY_ABSENT] = "Publish its record ('geleit keys dkim list --records'); nothing is signed "
                        "with it before DNS shows it.",
    [AUTH_KEY_OTHER] = "DNS has another record of that name, or several: there must be its own "
                       "alone ('geleit keys dkim list --records').",
};
static const char *const active[AUTH_KEY_SIGHTS] = {
    [AUTH_KEY_UNKNOWN] = "None: it signs.",
    [AUTH_KEY_ABSENT] = "It signs, and DNS does not show its record: publish it again ('geleit "
                        "keys dkim list --records').",
    [AUTH_KEY_OTHER] = "It signs, and DNS has another record of that name, or several: put it "
                       "right ('geleit keys dkim list --records').",
    [AUTH_KEY_SHOWN] = "None: it signs.",
};

static void put_time(struct buf *b, const char *before, struct wall t, const char *behind)
{
    buf_put(b, span_str(before));
    time_put_iso(b, t);
    buf_put(b, span_str(behind));
}

static void put_waiting(struct buf *b, const struct admin_keys *k, size_t i,
                        enum auth_key_sight sight)
{
    struct wall when = auth_key_settled(&k->folder.keys, i, &k->rules);
    if (sight != AUTH_KEY_SHOWN)
        buf_put(b, span_str(waiting[sight]));
    else if (when.us != WALL_NEVER.us && when.us > k->now.us)
        put_time(b, "DNS shows its record: it signs from ", when, " on if that stays so.");
    else
        buf_put(b, SPAN("DNS shows its record: a running server is about to sign with it."));
}

void admin_key_put_next(struct buf *b, const struct admin_keys *k, size_t i,
                        const struct admin_key_sight *seen)
{
    const struct auth_key *key = &k->folder.keys.at[i];
    bool missing = seen->sight == AUTH_KEY_ABSENT || seen->sight == AUTH_KEY_OTHER;
    struct wall until = auth_key_removable(key, k->rules.keep);
    switch (admin_key_phase(k, i)) {
    case AUTH_KEY_ACTIVE:
        buf_put(b, span_str(active[seen->sight]));
        return;
    case AUTH_KEY_RETIRED:
        put_time(b,
                 missing ? "DNS does not show its record, which is needed until "
                         : "Keep its record until ",
                 until,
                 missing ? ": publish it again." : ": mail signed with it may be on its way.");
        return;
    case AUTH_KEY_REMOVABLE:
    case AUTH_KEY_GONE:
        buf_printf(b, "%s 'geleit keys dkim retire %s %s' removes its files.",
                   key->gone.us ? "Its record is gone from DNS." : "Its record may be deleted.",
                   key->domain.text, key->selector.text);
        return;
    default:
        put_waiting(b, k, i, seen->sight);
    }
}

// A private key that a server could not sign with, before it finds out.
void admin_key_put_problem(struct buf *b, const struct admin_keys *k, size_t i)
{
    struct conf_fault fault;
    if (k->folder.keys.at[i].gone.us == 0 && !rc_ok(proc_keys_look(&k->folder, i, &fault)))
        buf_put(b, span_str(fault.text));
}

struct wall admin_key_since(const struct admin_keys *k, size_t i)
{
    const struct auth_key *key = &k->folder.keys.at[i];
    const struct wall times[AUTH_KEY_PHASES] = {
        [AUTH_KEY_WAITING] = key->created,
        [AUTH_KEY_ACTIVE] = key->active,
        [AUTH_KEY_RETIRED] = key->retired,
        [AUTH_KEY_REMOVABLE] = auth_key_removable(key, k->rules.keep),
        [AUTH_KEY_GONE] = key->gone,
    };
    return times[admin_key_phase(k, i)];
}

// ---- for people ----

static void put_record(struct buf *b, const struct auth_key *key)
{
    buf_printf(b, "; %s%s%s: %s key of %u bits\n", key->sender, *key->sender ? "@" : "",
               key->domain.text, auth_key_algorithm_text(key->algorithm), key->bits);
    auth_key_put_record(b, key);
}

static int print_json(const struct admin_keys *k, const size_t *at, size_t count,
                      const struct admin_key_sight *seen)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(all, admin_key_json(k, at[i], seen ? &seen[i] : NULL));
    return admin_keys_print_json(all);
}

int admin_keys_print_new(struct admin_keys *k, const size_t *at, size_t count)
{
    CLEANUP(buf_free) struct buf b = BUF(65536);
    if (k->call->json)
        return print_json(k, at, count, NULL);
    for (size_t i = 0; i < count; i++)
        put_record(&b, &k->folder.keys.at[at[i]]);
    buf_put(&b, SPAN("; Publish this. A running server begins to sign when DNS shows it, and not "
                     "before: 'geleit keys dkim list' tells.\n"));
    return admin_print(&b);
}

struct row {
    char cell[COLUMNS][CELL_MAX];
};

static void fill(struct row *r, const struct admin_keys *k, size_t i,
                 const struct admin_key_sight *s)
{
    CLEANUP(buf_free) struct buf when = BUF(64);
    const struct auth_key *key = &k->folder.keys.at[i];
    time_put_iso(&when, admin_key_since(k, i));
    snprintf(r->cell[0], CELL_MAX, "%s%s%s", key->sender, *key->sender ? "@" : "",
             key->domain.text);
    snprintf(r->cell[1], CELL_MAX, "%s", key->selector.text);
    snprintf(r->cell[2], CELL_MAX, "%s", auth_key_algorithm_text(key->algorithm));
    snprintf(r->cell[3], CELL_MAX, "%u", key->bits);
    snprintf(r->cell[4], CELL_MAX, "%s", auth_key_phase_text(admin_key_phase(k, i)));
    snprintf(r->cell[5], CELL_MAX, "%.*sZ", (int)sizeof "2026-11-22T10:00" - 1, buf_str(&when));
    snprintf(r->cell[6], CELL_MAX, "%s", admin_key_dns_word(s));
}

static enum admin_ink ink_of(const struct row *r, size_t column)
{
    if (column == 0)
        return INK_BOLD;
    if (column == 4)
        return strcmp(r->cell[4], "active") == 0 ? INK_GOOD : INK_NONE;
    return column == 6 && strcmp(r->cell[6], "bogus") == 0 ? INK_BAD : INK_NONE;
}

static void put_row(struct admin_page *p, const struct row *r, const size_t *widths, bool title)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        admin_put(p, title ? INK_DIM : ink_of(r, c), span_str(r->cell[c]));
        for (size_t n = strlen(r->cell[c]); c + 1 < COLUMNS && n < widths[c] + 2; n++)
            buf_putc(&p->out, ' ');
    }
    buf_putc(&p->out, '\n');
}

static void put_table(struct admin_page *p, const struct admin_keys *k, const size_t *at,
                      size_t count, const struct admin_key_sight *seen)
{
    static const struct row title = {
        {"DOMAIN", "SELECTOR", "ALGORITHM", "BITS", "STATE", "SINCE", "DNS"}};
    size_t widths[COLUMNS] = {0};
    struct row *rows = mem_new((count + 1) * sizeof *rows);
    rows[0] = title;
    for (size_t i = 0; i < count; i++)
        fill(&rows[i + 1], k, at[i], &seen[i]);
    for (size_t i = 0; i <= count; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            if (strlen(rows[i].cell[c]) > widths[c])
                widths[c] = strlen(rows[i].cell[c]);
    for (size_t i = 0; i <= count; i++) {
        CLEANUP(buf_free) struct buf next = BUF(1024), problem = BUF(8192);
        put_row(p, &rows[i], widths, i == 0);
        if (i == 0)
            continue;
        admin_key_put_next(&next, k, at[i - 1], &seen[i - 1]);
        admin_key_put_problem(&problem, k, at[i - 1]);
        if (problem.len)
            admin_line(p, "  ", "problem", INK_BAD, buf_str(&problem));
        admin_line(p, "  ", "next", INK_NONE, buf_str(&next));
    }
    free(rows);
}

// ---- the command ----

static int print(struct admin_keys *k, const size_t *at, size_t count,
                 const struct admin_key_sight *seen)
{
    if (k->call->json)
        return print_json(k, at, count, seen);
    struct admin_page page = ADMIN_PAGE(admin_colour());
    for (size_t i = 0; i < count && !seen; i++)
        put_record(&page.out, &k->folder.keys.at[at[i]]);
    if (count && seen)
        put_table(&page, k, at, count, seen);
    if (count == 0)
        buf_printf(&page.out, "%sThere are no such keys in %.*s.\n", seen ? "" : "; ",
                   SPAN_FMT(buf_span(&k->folder.path)));
    int status = admin_print(&page.out);
    buf_free(&page.out);
    return status;
}

int admin_keys_list(struct admin_keys *k, struct admin_dns *dns)
{
    const char *word = k->call->word_count > WORD_DOMAIN ? k->call->words[WORD_DOMAIN] : NULL;
    const struct auth_keys *all = &k->folder.keys;
    bool records = k->call->flags[KEYS_RECORDS];
    struct dns_name domain;
    size_t count = 0;
    if (word && !dns_name_parse_host(&domain, span_str(word)))
        return admin_complain("'%s' is no domain", word);
    size_t *at = mem_new((all->count + 1) * sizeof *at);
    struct admin_key_sight *seen = mem_new((all->count + 1) * sizeof *seen);
    for (size_t i = 0; i < all->count; i++) {
        bool gone = auth_key_removable(&all->at[i], k->rules.keep).us <= k->now.us;
        if ((!word || dns_name_eq(&all->at[i].domain, &domain)) && !(records && gone))
            at[count++] = i;
    }
    if (!records)
        look(k, dns, at, count, seen);
    int status = print(k, at, count, records ? NULL : seen);
    free(seen);
    free(at);
    return status;
}
