// Keys as programs read them.
#include "admin_keys.h"

enum { OUT_ROOM = 64 << 20 };

static void set(json_t *o, const char *key, struct span text)
{
    (void)json_object_set_new(o, key, text.at ? json_stringn(text.at, text.len) : json_null());
}

static void set_time(json_t *o, const char *key, struct wall t)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    bool is = t.us && t.us != WALL_NEVER.us;
    if (is)
        time_put_iso(&b, t);
    set(o, key, is ? buf_span(&b) : (struct span){NULL, 0});
}

static json_t *record(const struct auth_key *k)
{
    CLEANUP(buf_free) struct buf text = BUF(8192), zone = BUF(8192);
    struct dns_name owner = auth_key_owner(k);
    json_t *o = json_object();
    auth_key_put_text(&text, k);
    auth_key_put_record(&zone, k);
    set(o, "name", dns_name_span(&owner));
    set(o, "type", SPAN("TXT"));
    set(o, "value", buf_span(&text));
    set(o, "zone", buf_span(&zone));
    return o;
}

static void set_sight(json_t *o, const struct admin_keys *k, size_t i,
                      const struct admin_key_sight *s)
{
    CLEANUP(buf_free) struct buf next = BUF(1024), problem = BUF(8192);
    admin_key_put_next(&next, k, i, s);
    admin_key_put_problem(&problem, k, i);
    set(o, "dns", span_str(admin_key_dns_word(s)));
    set(o, "dns_standing", span_str(dns_standing_text(s->standing)));
    set(o, "dns_why", *s->why ? span_str(s->why) : (struct span){NULL, 0});
    set(o, "next", buf_span(&next));
    set(o, "problem", buf_span(&problem));
}

json_t *admin_key_json(const struct admin_keys *k, size_t i, const struct admin_key_sight *seen)
{
    const struct auth_key *key = &k->folder.keys.at[i];
    json_t *o = json_object();
    set(o, "domain", dns_name_span(&key->domain));
    set(o, "selector", dns_name_span(&key->selector));
    set(o, "sender", *key->sender ? span_str(key->sender) : (struct span){NULL, 0});
    set(o, "algorithm", span_str(auth_key_algorithm_text(key->algorithm)));
    (void)json_object_set_new(o, "bits", json_integer(key->bits));
    set(o, "state", span_str(auth_key_phase_text(admin_key_phase(k, i))));
    set_time(o, "since", admin_key_since(k, i));
    set_time(o, "created", key->created);
    set_time(o, "seen", key->seen);
    set_time(o, "active", key->active);
    set_time(o, "retired", key->retired);
    set_time(o, "keep_record_until", auth_key_removable(key, k->rules.keep));
    set_time(o, "gone", key->gone);
    (void)json_object_set_new(o, "record", record(key));
    if (seen)
        set_sight(o, k, i, seen);
    return o;
}

json_t *admin_key_json_retired(const struct auth_key *key, const char *did, bool may_be_deleted)
{
    struct dns_name owner = auth_key_owner(key);
    json_t *o = json_object();
    set(o, "domain", dns_name_span(&key->domain));
    set(o, "selector", dns_name_span(&key->selector));
    set(o, "did", span_str(did));
    set(o, "record_name", dns_name_span(&owner));
    (void)json_object_set_new(o, "record_may_be_deleted", json_boolean(may_be_deleted));
    return o;
}

static int put(const char *piece, size_t size, void *arg)
{
    buf_put(arg, (struct span){piece, size});
    return 0;
}

int admin_keys_print_json(json_t *document)
{
    CLEANUP(buf_free) struct buf b = BUF(OUT_ROOM);
    (void)json_dump_callback(document, put, &b, JSON_COMPACT);
    buf_putc(&b, '\n');
    json_decref(document);
    return admin_print(&b);
}
