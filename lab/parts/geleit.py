"""Geleit's configuration files: as a receiver of the lab, and as the sender
that the demo and the stories drive.
"""
import os

import world
from parts import neighbours

# What a test wants quicker than the world does.
QUICK = {
    "dns.timeout": "3s", "mta_sts.timeout": "3s", "send.connect_timeout": "2s", "send.command_timeout": "5s",
    "send.end_timeout": "5s", "queue.retry_first": "5s", "queue.retry_longest": "10s", "send.processes": 1,
    "smtp.receivers": 1,
}


def _value(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(_value(i) for i in v) + "]"
    return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _put(out, groups, depth):
    for key, value in groups.items():
        if isinstance(value, dict):
            out.append("  " * depth + key + " = {")
            _put(out, value, depth + 1)
            out.append("  " * depth + "};")
        else:
            out.append("  " * depth + f"{key} = {_value(value)};")


def text(options):
    """{"smtp.listen": [...]} in libconfig's syntax, groups nested."""
    groups = {}
    for name, value in options.items():
        *path, last = name.split(".")
        g = groups
        for step in path:
            g = g.setdefault(step, {})
        g[last] = value
    out = []
    _put(out, groups, 0)
    return "\n".join(out) + "\n"


def trust(state):
    return {"dns.trust_anchor": f"{state}/anchor", "dns.root_hints": f"{state}/root.hints",
            "tls.ca_file": f"{state}/ca.pem"}


def sender_options(state, store, **more):
    cert = f"{state}/certs/{world.SENDER_HOST}"
    return {"hostname": world.SENDER_HOST, "smtp.listen": ["127.0.0.2:2525"], "store.path": store,
            "tls.certificate": cert + ".pem", "tls.key": cert + ".key", **trust(state), **QUICK, **more}


def receivers(program, state):
    """(name, command) of each receiving Geleit; it relays to the capture."""
    for h in world.HOSTS.values():
        if h.is_a != "geleit":
            continue
        domain = next(d.name for d in world.DOMAINS.values() if h.name in d.hosts)
        folder = os.path.join(state, "geleit-" + h.name)
        os.makedirs(os.path.join(folder, "store"), exist_ok=True)
        cert = f"{state}/certs/{h.name}"
        options = {"hostname": h.name, "smtp.listen": [f"{h.address}:25"], "store.path": f"{folder}/store",
                   "tls.certificate": cert + ".pem", "tls.key": cert + ".key", "relay.domains": [domain],
                   "relay.networks": ["127.0.0.99/32"],
                   "send.routes": [f"{domain} [{world.CAPTURE}]:{neighbours.handover_port(h.name)}"],
                   "send.policy": [f"{domain} clear"], **trust(state), **QUICK}
        path = os.path.join(folder, "geleit.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text(options))
        yield "geleit-" + h.name, [program, "serve", "-c", path]
