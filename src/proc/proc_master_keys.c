#include "proc_keys.h"
#include "proc_master.h"
#include "proc_signers.h"

#include "base_log.h"

#include <string.h>

static const int64_t look_us = SECONDS(2);

static void hand_on(struct proc_master *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->instances[i].kind == PROC_RECEIVER)
            proc_instance_configure(&m->instances[i]);
        else if (m->instances[i].kind == PROC_WEB)
            proc_instance_send_keys(&m->instances[i]);
        else
            continue;
        proc_instance_send(&m->instances[i], MSG_START, SPAN(""), -1);
    }
}

static void load_aliases(struct proc_master *m)
{
    struct proc_aliases aliases;
    struct conf_fault fault;
    struct rc rc = proc_aliases_load(m->setup->conf, true, &aliases, &fault);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "aliases-not-loaded", LOG_T("why", fault.text));
        proc_aliases_free(&aliases);
        return;
    }
    proc_aliases_free(&m->setup->aliases);
    m->setup->aliases = aliases;
    LOG(LOG_INFO, "aliases-loaded", LOG_I("files", conf_count(m->setup->conf, CONF_alias_files)));
    hand_on(m);
}

static void look_at_aliases(struct proc_master *m)
{
    int64_t stamp = proc_aliases_stamp(m->setup->conf);
    if (stamp == m->setup->aliases.stamp || m->draining)
        return;
    m->setup->aliases.stamp = stamp; // what is wrong is said once
    load_aliases(m);
}

// What cannot be read changes nothing, and is said once.
static void load(struct proc_master *m)
{
    struct buf signers;
    struct conf_fault fault;
    struct rc rc = proc_signers_load(m->setup->conf, true, &signers, &fault);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "keys-not-loaded", LOG_T("why", fault.text));
        buf_wipe(&signers);
        return;
    }
    buf_wipe(&m->setup->signers);
    m->setup->signers = signers;
    LOG(LOG_INFO, "keys-loaded",
        LOG_I("keys", (unsigned char)signers.at[0] << 8 | (unsigned char)signers.at[1]));
    hand_on(m);
}

// A second change may have the same time as the first: what is that young waits.
static bool is_young(const struct proc_master *m, int64_t stamp)
{
    int64_t age = io_wall(m->loop).us - stamp;
    return age >= 0 && age < SECONDS(1);
}

static void look(void *arg)
{
    struct proc_master *m = arg;
    int64_t stamp = proc_keys_stamp(m->setup->conf);
    if (stamp != m->setup->keys_stamp && !is_young(m, stamp) && !m->draining) {
        m->setup->keys_stamp = stamp;
        load(m);
    }
    look_at_aliases(m);
    if (!m->draining && proc_master_tls_look(m))
        hand_on(m);
    proc_master_keys_watch(m);
}

void proc_master_keys_watch(struct proc_master *m)
{
    m->look.fire = look;
    m->look.arg = m;
    io_timer_set(m->loop, &m->look, (struct mono){io_now(m->loop).us + look_us});
}
