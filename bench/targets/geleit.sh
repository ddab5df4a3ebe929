# Geleit as a target of the measuring harness: durable defaults, one route to
# the sink, no DNS asked. Modes: plain, tls (both ways); +idle: limits raised.
IN_PORT=12528

target_install() { :; }

target_configure() {
    local policy=opportunistic
    [[ $MODE != tls* ]] || policy=encrypt
    mkdir -p "$INST"
    cat >"$INST/geleit.conf" <<CONF
hostname = "geleit.example";
log = { level = "${GELEIT_LOG:-info}"; };
smtp = { listen = ["127.0.0.1:$IN_PORT"]; max_messages = 1000000; max_sessions = 20000; };
relay = { networks = ["127.0.0.0/8"]; };
tls = { certificate = "$CERT"; key = "$KEY"; };
send = { routes = ["* [127.0.0.1]:$RELAY_PORT"]; policy = ["* $policy"]; };
store = { path = "$INST/store"; };
CONF
}

target_start() {
    launch "$GELEIT" serve -c "$INST/geleit.conf"
}

target_stop() {
    local pid
    for pid in $(cat "$CG/cgroup.procs"); do
        grep -aq 'role' "/proc/$pid/cmdline" 2>/dev/null || kill "$pid"
    done
}

target_queue_count() {
    python3 -c 'import sqlite3, sys
print(sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("select count(*) from message").fetchone()[0])' "$INST/store/queue.db"
}
