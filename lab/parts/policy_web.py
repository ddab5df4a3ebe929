"""The MTA-STS policy hosts: one nginx on 443, told apart by SNI.

`sts` of a domain: mode; mx (names, default: the domain's MX hosts); eol;
extra (further lines); txt (how many _mta-sts records); rua; web: 404, redirect,
html, big, self, wrong-name, stall, refused, trickle (neighbours.py).
"""
import os

import world
from parts import certs

MAX_AGE = 86400


def policy(d):
    sts = d.sts
    names = sts.get("mx", tuple(h for _, h in d.mx))
    lines = ["version: STSv1", f"mode: {sts['mode']}"] + [f"mx: {n}" for n in names if n]
    lines += [*sts.get("extra", ()), f"max_age: {MAX_AGE}"]
    eol = sts.get("eol", "\r\n")
    text = eol.join(lines) + eol
    return text + (f"x-padding: {'x' * 60}" + eol) * 4000 if sts.get("web") == "big" else text


HEAD = """daemon off;
master_process off;
user root;
pid {own}/nginx.pid;
error_log {log}/nginx.log warn;
worker_rlimit_nofile 1024;
events {{ worker_connections 256; }}
http {{
  access_log {log}/nginx-access.log;
  client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  server_names_hash_bucket_size 128;
  default_type text/plain;
"""
SERVER = """  server {{
    listen {address}:443 ssl http2;
    server_name {name};
    ssl_certificate {cert}.pem;
    ssl_certificate_key {cert}.key;
    {what}
  }}
"""
ANSWERS = {
    None: "root {root}; location / {{ types {{ }} default_type text/plain; }}",
    "404": "return 404;",
    "redirect": "return 302 https://mta-sts.sts-enforce.example/.well-known/mta-sts.txt;",
    "html": "root {root}; location / {{ types {{ }} default_type text/html; }}",
}


def build(state, ca):
    """Writes policies, certificates and configuration; gives its path."""
    own, log = os.path.join(state, "nginx"), os.path.join(state, "log")
    os.makedirs(own, exist_ok=True)
    text = HEAD.format(own=own, log=log)
    for d in world.DOMAINS.values():
        web = d.sts.get("web") if d.sts else None
        if not d.sts or web in ("stall", "refused"):
            continue
        name = "mta-sts." + d.name
        root = os.path.join(own, d.name)
        os.makedirs(os.path.join(root, ".well-known"), exist_ok=True)
        with open(os.path.join(root, ".well-known/mta-sts.txt"), "w", encoding="ascii", newline="") as f:
            f.write(policy(d))
        cert = os.path.join(own, name)
        certs.make(ca, web if web in ("self", "wrong-name") else "ca", name).write(cert)
        if web == "trickle":
            continue
        what = ANSWERS.get(web, ANSWERS[None]).format(root=root)
        text += SERVER.format(address=world.POLICY_WEB, name=name, cert=cert, what=what)
    path = os.path.join(own, "nginx.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "}\n")
    return path
