"""Where everything that arrives is kept, so that tests can compare bytes.

  capture/HOST/N.eml    the message as it came over the wire, dots unstuffed
  capture/HOST/N.json   host, envelope, TLS facts, size, SHA-256; written last,
                        by rename: where the .json is, the .eml is whole
  sessions.jsonl        one line for each connection to a Python server
"""
import hashlib
import json
import os
import threading
import time


class Capture:
    def __init__(self, folder, sessions):
        self.folder, self.sessions = folder, sessions
        self.lock = threading.Lock()
        self.numbers = {}
        os.makedirs(folder, exist_ok=True)

    def message(self, host, raw, facts):
        with self.lock:
            number = self.numbers[host] = self.numbers.get(host, 0) + 1
        folder = os.path.join(self.folder, host)
        os.makedirs(folder, exist_ok=True)
        stem = os.path.join(folder, f"{number:06d}")
        with open(stem + ".eml", "wb") as f:
            f.write(raw)
        facts = {"host": host, "number": number, "time": time.time(), "size": len(raw),
                 "sha256": hashlib.sha256(raw).hexdigest(), "file": stem + ".eml", **facts}
        with open(stem + ".json.new", "w", encoding="utf-8") as f:
            json.dump(facts, f, indent=1)
        os.rename(stem + ".json.new", stem + ".json")

    def session(self, facts):
        line = json.dumps(facts) + "\n"
        with self.lock, open(self.sessions, "a", encoding="utf-8") as f:
            f.write(line)


def messages(folder, host=None):
    """What was captured, oldest first: the JSON with `raw`, the bytes."""
    out = []
    for h in sorted(os.listdir(folder)) if host is None else [host]:
        for root, _, files in os.walk(os.path.join(folder, h)):
            for name in files:
                if name.endswith(".json"):
                    with open(os.path.join(root, name), encoding="utf-8") as f:
                        row = json.load(f)
                    with open(os.path.join(root, name[:-5] + ".eml"), "rb") as f:
                        row["raw"] = f.read()
                    out.append(row)
    return sorted(out, key=lambda r: (r["time"], r["host"], r["number"]))
