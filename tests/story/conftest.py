"""Fixtures of the stories: the lab, once a session, and Geleit servers in it.

A story that cannot run here (no namespaces, no geleit) is skipped and says why.
GELEIT names the program to test. What takes longer than a test run may is marked
`soak` and left out, unless SOAK=1 or -m soak asks for it.
"""
import itertools
import os
import sys

import pytest

# A role that ends does not tidy up for the kernel; looking for leaks there only
# takes time. Everything else the sanitizers find ends the role, loudly.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")

NUMBERS = itertools.count()  # a server's folder is its own, however long its story's name
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "lab"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import alone  # noqa: E402
import lab as lab_  # noqa: E402
from parts import namespace, packages  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes longer than a test run may; run by make soak")


def pytest_collection_modifyitems(config, items):
    if "soak" in (config.getoption("-m") or "") or os.environ.get("SOAK") == "1":
        return
    left_out = [i for i in items if i.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [i for i in items if i not in left_out]


@pytest.fixture(scope="session")
def program():
    found = lab_.find_geleit()
    if not found:
        pytest.skip("no geleit: run make, or set GELEIT to the program")
    return found


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The lab; ends with the session, whatever becomes of it."""
    try:
        namespace.check()
        state = lab_.Lab(str(tmp_path_factory.mktemp("lab")))
        state.start()
    except (namespace.Impossible, packages.Missing) as e:
        pytest.skip(str(e))
    with state:
        yield state


@pytest.fixture(scope="session")
def lab_with_geleit(tmp_path_factory, program):
    """A second lab, in which Geleit also receives, as geleit.example."""
    try:
        namespace.check()
        state = lab_.Lab(str(tmp_path_factory.mktemp("lab-geleit")))
        state.start(geleit_path=program)
    except (namespace.Impossible, packages.Missing) as e:
        pytest.skip(str(e))
    with state:
        yield state


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    """Geleit servers on this machine's loopback, without the lab."""
    return alone.Here(tmp_path_factory.mktemp("here"))


@pytest.fixture
def geleit(lab, program, request):
    """Makes Geleit servers: geleit(queue__retry_first="1s") is started and
    stopped after the test; its log is shown when the test fails."""
    made = []

    def make(name=None, **options):
        own = f"{request.node.name[:40]}-{next(NUMBERS)}".replace("/", "-")
        server = lab_.Geleit(lab, program, name or own, **options)
        made.append(server)
        return server.start()
    yield make
    for server in made:
        server.stop()
        print(server.log_end())


@pytest.fixture
def serve(here, program, request):
    """serve(options, *sinks): a Geleit on the loopback. After the test it and the sinks end,
    its log is shown, and no sanitizer may have spoken in it."""
    made = []

    def make(options, *sinks):
        name = f"{request.node.name[:40]}-{next(NUMBERS)}".replace("/", "-")
        server = lab_.Geleit(here, program, name, options=options)
        made.append((server, sinks))
        return server.start()
    yield make
    for server, sinks in made:
        server.stop()
        for sink in sinks:
            sink.close()
        log = server.log_end()
        print(log)
        assert "ERROR: AddressSanitizer" not in log and "runtime error" not in log


@pytest.fixture(scope="module")
def sink():
    """A next server that takes everything."""
    s = alone.Sink()
    yield s
    s.close()
