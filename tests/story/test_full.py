"""A store without room, or read-only: mail is refused for now, what was accepted
stays, and everything goes on when there is room again."""
import os
import signal
import subprocess
import threading

import pytest

import alone
import lab as lab_
from alone import Talk, letter, stuffed

ROOM = 32 << 20  # two write-ahead logs alone may grow to 4 MiB each


class Mounts(alone.Here):
    """Geleit in a mount namespace of its own, its store on a small tmpfs."""

    def __init__(self, state, mount):
        super().__init__(state)
        self.mount = mount

    def around(self, server):
        """What a command needs in front of it to see the store."""
        return ["nsenter", "-t", str(server.process.pid), "-m"]

    def popen(self, command, **kw):
        script = f'mkdir -p "$0" && mount -t tmpfs -o size={ROOM} none "$0" && exec "$@"'
        return super().popen(["unshare", "-m", "sh", "-c", script, self.mount, *command], **kw)


def inside(server, path):
    return f"/proc/{server.process.pid}/root{path}"


@pytest.fixture(scope="module")
def mounts(tmp_path_factory):
    state = tmp_path_factory.mktemp("mounts")
    tried = os.geteuid() == 0 and subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], timeout=10,
                                                 capture_output=True).returncode == 0
    if not tried:
        pytest.skip("a small file system can only be mounted by root")
    return state


@pytest.fixture
def start(mounts, program, request):
    made = []

    def make(**more):
        sink = alone.Sink()
        name = f"{request.node.name}-{len(made)}"
        mount = f"{mounts}/{name}.store"
        server = lab_.Geleit(Mounts(mounts, mount), program, name,
                             options=alone.options(sink, **{"store.path": mount, "smtp.receivers": 2, **more}))
        made.append((server, sink))
        server.start()
        server.store, server.folder_seen = mount, inside(server, mount)
        return server, sink
    yield make
    for server, sink in made:
        server.stop()
        sink.close()
        print(server.log_end())


def fill(server):
    """Not a byte is left."""
    with open(server.folder_seen + "/filler", "ab", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while f.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


def make_room(server):
    os.remove(server.folder_seen + "/filler")


def submit(server, name, size=300):
    """The reply to the final dot, or to what came before it."""
    with Talk(server) as talk:
        talk.greeted()
        for command in ("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"):
            reply = talk.ask(command)
            if reply[0] == "4":
                return reply
        return talk.ask(stuffed(letter(name, size)))


def all_sound(server, sink, accepted):
    """Each accepted message came once and whole, and no other."""
    assert lab_.until(lambda: set(sink.count()) >= set(accepted), 20)
    assert alone.emptied(server, 20)
    assert sink.count() == {n: 1 for n in accepted}
    for name, size in accepted.items():
        assert lab_.difference(sink.named(name)[0][0], letter(name, size)) is None


@pytest.mark.parametrize("size", [300, 200_000, 400_000])
def test_no_room_is_said_and_nothing_stays_behind(start, size):
    server, sink = start()
    accepted = {}
    assert submit(server, "before").startswith("250")
    accepted["before"] = 300
    assert alone.emptied(server)
    fill(server)
    replies = [submit(server, f"full-{i}", size) for i in range(30)]
    for i, reply in enumerate(replies):  # a page that was there already may still take some
        if reply.startswith("250"):
            accepted[f"full-{i}"] = size
    refused = [r for r in replies if not r.startswith("250")]
    assert refused and all(r.startswith(("452 4.3.1", "451 4.3.0")) for r in refused), refused
    assert any(r.startswith("452 4.3.1") for r in refused), refused
    make_room(server)
    assert lab_.until(lambda: submit(server, "after", size).startswith("250"), 10), "it does not recover"
    assert submit(server, "behind", size).startswith("250")
    accepted.update(after=size, behind=size)
    assert lab_.until(lambda: set(sink.count()) >= set(accepted), 20)
    assert alone.emptied(server, 20)
    assert sink.count() == {n: 1 for n in accepted}
    assert not alone.log_lines(server, "role-died")


def test_room_goes_and_comes_under_load(start):
    server, sink = start(**{"send.processes": 2})
    load = alone.Load(server, limit=100_000, sizes=(300, 9000, 300, 300_000))
    stop = threading.Event()

    def disturb():
        while not stop.wait(0.15):
            fill(server)
            stop.wait(0.15)
            make_room(server)
    other = threading.Thread(target=disturb)
    other.start()
    assert load.sent(150, 40)
    stop.set()
    other.join()
    if os.path.exists(server.folder_seen + "/filler"):
        make_room(server)
    n = len(load.accepted)
    assert load.sent(n + 50, 20), "it does not recover"
    load.stop()
    assert not load.unknown
    more = alone.check(load, sink)
    assert not more, "an outcome that could not be written is repeated, not the delivery"
    assert not set(load.refused) & set(sink.count()), "what was refused is not delivered"
    assert alone.emptied(server, 20)
    assert not alone.log_lines(server, "role-died")


def remount(server, how):
    done = subprocess.run([*server.lab.around(server), "mount", "-o", "remount," + how, server.lab.mount],
                          timeout=10, capture_output=True, text=True)
    return done.returncode == 0


def test_a_store_that_becomes_read_only(start):
    """Nobody can remount while files are open for writing: so the roles die first."""
    server, sink = start()
    assert submit(server, "before").startswith("250")
    assert alone.emptied(server)
    os.kill(server.process.pid, signal.SIGSTOP)
    roles = alone.role_pids(server)
    alone.kill(roles)
    assert alone.gone(roles)
    assert lab_.until(lambda: remount(server, "ro"), 5)
    os.kill(server.process.pid, signal.SIGCONT)
    assert lab_.until(lambda: server._greets(), 10), "who asks is told, not left outside"
    assert submit(server, "never").startswith("451 4.3.0")
    assert alone.log_lines(server, "store-not-open")
    assert remount(server, "rw")
    assert lab_.until(lambda: submit(server, "after").startswith("250"), 15)
    assert lab_.until(lambda: sink.named("after"), 10)
    assert sink.count() == {"before": 1, "after": 1}


def serve(server, path, before=()):
    server.options["store.path"] = str(path)
    with open(server.conf, "w", encoding="utf-8") as f:
        f.write(lab_.geleit.text(server.options))
    return server.lab.run([*before, server.program, "serve", "-c", server.conf], timeout=10)


def said(done, path):
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"geleit: store.path {path}")


@pytest.mark.parametrize("what", ["file", "file/store", "no/where"])
def test_a_store_that_cannot_be_is_said_at_the_start(here, program, what, tmp_path):
    server = lab_.Geleit(here, program, "cannot", options=alone.options())
    os.makedirs(server.folder, exist_ok=True)
    (tmp_path / "file").write_text("")
    said(serve(server, tmp_path / what), tmp_path / what)


@pytest.mark.parametrize("what", ["read-only", "another's"])
def test_a_store_that_cannot_be_written_is_said_at_the_start(mounts, here, program, what, tmp_path):
    server = lab_.Geleit(here, program, "cannot", options=alone.options())
    os.makedirs(server.folder, exist_ok=True)
    if what == "read-only":
        script = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
        said(serve(server, tmp_path, ["unshare", "-m", "sh", "-c", script, str(tmp_path)]), tmp_path)
    else:
        server.options["user"] = "nobody"
        said(serve(server, tmp_path), tmp_path)
