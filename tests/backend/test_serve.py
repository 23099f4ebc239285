"""The worker as a process: what it answers, what it refuses, and that it ends when it should."""

import itertools
import json
import queue
import signal
import subprocess
import sys
import threading
import time

import engines_for_tests
import pytest
from jobs import make_job

from backend import contract
from backend.contract import Progress

REAL = [sys.executable, "-m", "backend", "serve"]


def with_engine(name):
    return [sys.executable, engines_for_tests.__file__, name]


class Process:
    """A worker, spoken to line by line."""

    def __init__(self, command, log=None):
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            cwd=engines_for_tests.ROOT,
            bufsize=0,
        )
        self.messages = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.popen.stdout:
            self.messages.put(line)
        self.messages.put(None)

    def send(self, message):
        self.popen.stdin.write((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")

    def ask(self, method, params=None, *, id=1):  # noqa: A002
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})

    def next(self, timeout=20):
        line = self.messages.get(timeout=timeout)
        return line if line is None else json.loads(line)

    def answer(self, id=1):  # noqa: A002
        """The answer to a request, and the progress told before it."""
        told = []
        while True:
            message = self.next()
            assert message is not None, self.popen.stderr.read().decode()
            if message.get("method") == "progress":
                told.append(message["params"])
            elif message.get("id") == id:
                return message, told

    def wait(self, timeout):
        return self.popen.wait(timeout)


@pytest.fixture
def start():
    started = []

    def begin(command=REAL, **options):
        started.append(Process(command, **options))
        return started[-1]

    yield begin
    for process in started:
        process.popen.kill()
        process.popen.wait()
        for pipe in (process.popen.stdin, process.popen.stderr):
            if pipe:
                pipe.close()


def left(folder):
    return sorted(each.name for each in folder.iterdir())


# Answers


def test_hello(start):
    worker = start()
    worker.ask("hello", id="a")
    answer = worker.next()
    assert answer["id"] == "a"
    result = answer["result"]
    assert (result["protocol"], result["pid"], result["engines"]) == (1, worker.popen.pid, list(contract.ENGINES))


def test_hello_needs_nothing_heavy(start):
    """What takes seconds to import would be imported by every Blender that only wants to know if it is there."""
    code = (
        "import sys\n"
        "from backend import rpc, serve\n"
        "server = rpc.Server(None, print, serve.TASKS, serve.QUERIES, serve._about)\n"
        "server._hello()\n"
        "heavy = {'numpy', 'cv2', 'av', 'numba', 'OpenEXR', 'torch', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=engines_for_tests.ROOT, capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr


def test_render_tells_of_progress_and_then_of_the_result(start, folder):
    worker = start(with_engine("Copy"))
    job = make_job(folder, 5)
    worker.ask("render", {"job": job.to_json()}, id="job-1")
    answer, told = worker.answer("job-1")
    result = contract.Result.from_json(answer["result"])
    assert (result.path, result.frames) == (job.output.path, 5)
    assert {each["id"] for each in told} == {"job-1"}
    steps = [Progress.from_json(each["progress"]) for each in told]
    assert list(dict.fromkeys(each.phase for each in steps)) == ["reading", "preparing", "drawing", "writing"]
    assert left(folder) == ["clip.mp4", "take_v001.json", "take_v001.mp4"]


def test_stdout_may_be_any_kind_of_file(folder):
    """Descriptor 1 changes its kind under Python's feet when it is taken over."""
    out = folder / "answers"
    with out.open("wb") as file:
        done = subprocess.run(
            REAL,
            input=b'{"jsonrpc": "2.0", "id": 1, "method": "hello"}\n',
            stdout=file,
            stderr=subprocess.PIPE,
            cwd=engines_for_tests.ROOT,
            timeout=20,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(out.read_bytes())["id"] == 1


def test_one_job_after_the_other(start, folder):
    worker = start(with_engine("Copy"))
    for number in (1, 2):
        job = make_job(folder, 3, path=str(folder / f"take_{number}.mp4"))
        worker.ask("render", {"job": job.to_json()}, id=number)
        assert "result" in worker.answer(number)[0]


def test_check(start, folder):
    worker = start()
    job = make_job(folder, 2).to_json()
    worker.ask("check", {"job": job})
    assert worker.next()["result"] == {"ok": True}
    job["target"]["poses"][1][0][3] = "far"
    worker.ask("check", {"job": job})
    error = worker.next()["error"]
    assert error["code"] == -32602
    assert error["data"] == {
        "kind": "contract",
        "field": "target.poses[1][0][3]",
        "found": "far",
        "expected": "a number",
    }


def test_stray_prints_do_not_reach_the_protocol(start, folder, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        worker = start(with_engine("Chatty"), log=log)
        worker.ask("render", {"job": make_job(folder, 2).to_json()})
        assert "result" in worker.answer()[0]  # json.loads would have failed at a stray line
    text = (tmp_path / "log").read_text()
    assert all(words in text for words in ("hello from Python", "hello from C", "hello from a child"))


def test_log_takes_stderr_and_keeps_the_one_before(start, folder):
    log = folder / "worker.log"
    log.write_text("before")
    worker = start([*REAL, "--log", str(log)])
    worker.ask("hello")
    worker.next()
    assert (folder / "worker.log.1").read_text() == "before"
    assert log.read_text() == ""


# Refusals


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc": "2.0", "id": 1' + b"0" * 5000 + b', "method": "hello"}', -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "hello"}]', -32600),
        (b'"hello"', -32600),
        (b'{"id": 1, "method": "hello"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "hello"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "hello"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eval"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "_end"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"x": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": []}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "render", "params": {}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "render", "params": {"job": 3}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "render", "params": {"job": {}, "fast": true}}', -32602),
    ],
)
def test_what_is_no_request_is_refused_and_the_next_one_answered(start, line, code):
    worker = start()
    worker.send(line)
    assert worker.next()["error"]["code"] == code
    worker.ask("hello", id=7)
    assert worker.next()["id"] == 7


def test_line_without_end_is_refused_and_not_kept():
    from backend import rpc

    chunk = b"x" * (1 << 20)
    chunks = iter([chunk] * 70 + [b"\nshort\n", b""])
    assert list(rpc._lines(lambda: next(chunks))) == [None, b"short"]


def test_notifications_are_not_answered(start):
    worker = start()
    worker.send({"jsonrpc": "2.0", "method": "hello"})
    worker.send({"jsonrpc": "2.0", "method": "nonsense"})
    worker.ask("hello", id=5)
    assert worker.next()["id"] == 5


def test_second_job_is_refused_while_one_runs(start, folder):
    worker = start(with_engine("Slow"))
    job = make_job(folder, 8, repeat=20).to_json()
    worker.ask("render", {"job": job}, id=1)
    worker.next()
    worker.ask("render", {"job": job}, id=2)
    answer, _ = worker.answer(2)
    assert answer["error"]["code"] == -32001


def test_job_that_fails_is_answered_in_one_sentence(start, folder):
    worker = start(with_engine("Broken"))
    worker.ask("render", {"job": make_job(folder, 2).to_json()})
    error = worker.answer()[0]["error"]
    assert error["code"] == -32003
    assert error["data"] == {"kind": "engine"}
    assert error["message"] == "The engine failed: ZeroDivisionError: the answer is nowhere."
    worker.ask("hello", id=2)
    assert worker.next()["id"] == 2


def test_worker_that_lost_a_thread_answers_and_ends(start, folder):
    """What the thread holds cannot be given back: only a new process is clean."""
    worker = start(with_engine("Lost"))
    worker.ask("render", {"job": make_job(folder, 2).to_json()})
    error = worker.answer()[0]["error"]
    assert error["data"] == {"kind": "stuck"}
    assert worker.wait(2) == 1
    assert left(folder) == ["clip.mp4"]


def test_files_that_are_slow_to_find_keep_nobody_waiting(start, folder):
    worker = start(with_engine("FarAway"))
    job = make_job(folder, 2).to_json()
    worker.ask("check", {"job": job}, id="check")
    worker.ask("render", {"job": job}, id="job")
    worker.ask("cancel", {"id": "job"}, id="cancel")
    worker.ask("hello", id="hello")
    answers = (message["id"] for message in iter(worker.next, None) if "id" in message)
    order = list(itertools.islice(answers, 4))
    assert order[:2] == ["cancel", "hello"]
    assert sorted(order[2:]) == ["check", "job"]


def test_job_whose_files_are_not_there_is_refused_by_the_contract(start, folder):
    worker = start(with_engine("Copy"))
    job = make_job(folder, 2).to_json()
    (folder / "clip.mp4").unlink()
    for method in ("check", "render"):
        worker.ask(method, {"job": job})
        error = worker.answer()[0]["error"]
        assert (error["code"], error["data"]["kind"]) == (-32602, "contract")
        assert error["data"]["field"] == "footage.files[0]"
    assert left(folder) == []


# Cancelling and ending


def test_cancel_leaves_nothing_and_the_worker_ready(start, folder):
    worker = start(with_engine("Slow"))
    worker.ask("render", {"job": make_job(folder, 8, repeat=50, mask=True).to_json()}, id="x")
    while worker.next()["params"]["progress"]["phase"] != "drawing":
        pass
    asked = time.monotonic()
    worker.ask("cancel", {"id": "x"}, id=2)
    answer, _ = worker.answer("x")
    assert answer["error"]["code"] == -32002
    assert time.monotonic() - asked < 1
    assert left(folder) == ["clip.mp4"]
    worker.ask("hello", id=3)
    assert worker.answer(3)


def test_cancel_of_another_job_is_none(start, folder):
    worker = start(with_engine("Slow"))
    worker.ask("render", {"job": make_job(folder, 8).to_json()}, id="x")
    worker.ask("cancel", {"id": "y"}, id=2)
    assert worker.answer(2)[0]["result"] == {"cancelled": False}
    assert "result" in worker.answer("x")[0]


def test_ends_when_stdin_does(start):
    worker = start()
    worker.ask("hello")
    worker.next()
    worker.popen.stdin.close()
    assert worker.wait(2) == 0


@pytest.mark.parametrize("engine", ["Slow", "Native"])
def test_ends_when_stdin_does_in_mid_job(start, folder, engine):
    worker = start(with_engine(engine))
    worker.ask("render", {"job": make_job(folder, 8, repeat=50).to_json()})
    while worker.next()["params"]["progress"]["phase"] != "preparing":
        pass
    time.sleep(0.3)
    worker.popen.stdin.close()
    assert worker.wait(2.2) == 0
    assert not (folder / "take_v001.mp4").exists()
    assert not (folder / "take_v001.json").exists()


def test_shutdown_in_mid_job(start, folder):
    worker = start(with_engine("Slow"))
    worker.ask("render", {"job": make_job(folder, 8, repeat=50).to_json()})
    worker.next()
    worker.ask("shutdown", id=2)
    assert worker.wait(2.2) == 0
    assert left(folder) == ["clip.mp4"]


def test_terminated_in_mid_job(start, folder):
    worker = start(with_engine("Slow"))
    worker.ask("render", {"job": make_job(folder, 8, repeat=50).to_json()})
    worker.next()
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.wait(2.2) == 128 + signal.SIGTERM
    assert left(folder) == ["clip.mp4"]


def test_killed_in_mid_job_leaves_no_final_name(start, folder):
    worker = start(with_engine("Slow"))
    worker.ask("render", {"job": make_job(folder, 8, repeat=50, mask=True).to_json()})
    while worker.next()["params"]["progress"]["step"] < 5:
        pass
    worker.popen.kill()
    worker.wait(2)
    assert not [name for name in left(folder) if name.startswith("take")]


def test_parent_that_is_killed_takes_the_worker_along(start, folder):
    """As when Blender crashes: nobody is left to say anything to the worker."""
    job = folder / "job.json"
    job.write_text(json.dumps(make_job(folder, 8, repeat=50).to_json()))
    code = (
        "import json, subprocess, sys, time\n"
        "worker = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "params = {'job': json.load(open(sys.argv[1]))}\n"
        "message = {'jsonrpc': '2.0', 'id': 1, 'method': 'render', 'params': params}\n"
        "worker.stdin.write(json.dumps(message).encode() + b'\\n'); worker.stdin.flush()\n"
        "worker.stdout.readline()\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(job), *with_engine("Slow")],
        stdout=subprocess.PIPE,
        cwd=engines_for_tests.ROOT,
    )
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 2
    while engines_for_tests.is_running(worker):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not [name for name in left(folder) if name.startswith("take")]
