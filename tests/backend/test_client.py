"""The worker as Blender sees it: whatever the child does, each job ends in one clear message and nothing waits."""

import os
import sys
import time

import engines_for_tests
import pytest
from fake_workers import JOB, ROOT, client, gone, wait
from jobs import make_job

# A worker that behaves


def test_real_worker_says_hello(folder):
    started = time.monotonic()
    with client.Worker.start(sys.executable, package_folder=str(ROOT), log_path=str(folder / "worker.log")) as worker:
        greeting = worker.hello()
        assert (greeting["protocol"], greeting["pid"]) == (1, worker.pid)
        assert worker.alive
    assert not worker.alive
    assert time.monotonic() - started < 5


def test_real_worker_does_a_job(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Slow"])
    job = make_job(folder, 8)
    job_id = worker.submit(job.to_json())
    *progress, finished = wait(worker, until=lambda event: isinstance(event, client.Finished))
    assert finished.id == job_id
    assert finished.result["path"] == job.output.path
    assert all(event.id == job_id for event in progress)
    assert progress
    assert worker.poll() == []


def test_bad_job_is_refused_with_its_field(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Copy"])
    job = make_job(folder, 3).to_json()
    job["footage"]["files"] = [str(folder / "gone.mp4")]
    worker.submit(job)
    (failed,) = wait(worker)
    assert (failed.kind, failed.field, failed.expected) == ("contract", "footage.files[0]", "a file that can be read")


def test_large_job_does_not_block_whoever_submits(start):
    """A pipe holds 64 KiB; a worker that does not read must not stop Blender."""
    worker = start("time.sleep(60)")
    started = time.monotonic()
    worker.submit({"job": "x" * 5_000_000})
    assert time.monotonic() - started < 1
    worker.close(timeout=0.2)
    assert time.monotonic() - started < 4
    assert not worker.alive


def test_second_job_is_refused_while_one_runs(start):
    worker = start("read(); time.sleep(60)")
    worker.submit(JOB)
    with pytest.raises(client.WorkerError, match="busy"):
        worker.submit(JOB)


def test_progress_that_nobody_polls_for_does_not_pile_up(start):
    worker = start(
        """
        job = read()
        for step in range(1000):
            progress(job["id"], step)
        say(id=job["id"], error={"code": -1, "message": "so far"})
        read()
        """
    )
    worker.hello()
    worker.submit(JOB)
    time.sleep(0.5)
    assert len(worker.poll()) <= 2


# A worker that does not


def test_killed_in_mid_job(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Slow"])
    job = make_job(folder, 8, repeat=50, mask=True)
    job_id = worker.submit(job.to_json())
    wait(worker, until=lambda event: isinstance(event, client.Progressed) and event.progress["step"] > 3)
    os.kill(worker.pid, 9)
    (failed,) = wait(worker)
    assert (failed.id, failed.kind) == (job_id, "died")
    assert "SIGKILL" in failed.message
    assert "memory" in failed.message
    assert not worker.alive
    assert not [each.name for each in folder.iterdir() if each.name.startswith("take")]
    time.sleep(0.1)
    assert worker.poll() == []


def test_crash_in_native_code_shows_the_end_of_the_log(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Crash"])
    worker.submit(make_job(folder, 2).to_json())
    failed = wait(worker)[-1]
    assert failed.kind == "died"
    assert "SIGSEGV" in failed.message
    assert "about to crash, 日本" in failed.message


def test_defect_shows_the_end_of_the_log_and_the_worker_goes_on(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Broken"])
    worker.submit(make_job(folder, 2).to_json())
    failed = wait(worker)[-1]
    assert failed.message.startswith("The engine failed: ZeroDivisionError: the answer is nowhere")
    assert "in dawdle" in failed.message
    assert worker.alive


def test_death_while_idle(start):
    worker = start("time.sleep(0.2); print('no more money', file=sys.stderr); sys.exit(3)")
    (died,) = wait(worker)
    assert isinstance(died, client.Died)
    assert "exit code 3" in died.message
    assert "no more money" in died.message
    job_id = worker.submit(JOB)
    (failed,) = worker.poll()
    assert (failed.id, failed.kind, failed.message) == (job_id, "died", died.message)


def test_interpreter_without_the_backend(folder):
    with client.Worker.start(sys.executable, package_folder=str(folder), log_path=str(folder / "worker.log")) as worker:
        with pytest.raises(client.WorkerError, match="No module named backend"):
            worker.hello()
        assert not worker.alive


def test_program_that_is_not_there(folder):
    with pytest.raises(OSError, match="No such file"):
        client.Worker.start(str(folder / "python"), package_folder=str(ROOT), log_path=str(folder / "worker.log"))


def test_hung_before_hello(start):
    worker = start("time.sleep(60)", greet=False)
    started = time.monotonic()
    with pytest.raises(client.WorkerError, match=r"did not answer within 0.3 seconds"):
        worker.hello(timeout=0.3)
    assert time.monotonic() - started < 2
    assert gone(worker, 1)


def test_hung_before_hello_with_a_job(start):
    worker = start("time.sleep(60)", greet=False, hello_timeout=0.3)
    worker.submit(JOB)
    (failed,) = wait(worker, seconds=3)
    assert failed.kind == "hung"
    assert gone(worker, 1)


def test_hung_in_mid_job(start):
    worker = start("job = read(); progress(job['id'], 1); time.sleep(60)", silence=0.5)
    job_id = worker.submit(JOB)
    started = time.monotonic()
    failed = wait(worker, seconds=5)[-1]
    assert (failed.id, failed.kind) == (job_id, "hung")
    assert "nothing for 0.5 seconds" in failed.message
    assert 0.4 < time.monotonic() - started < 4
    assert gone(worker, 1)
    assert not worker.alive


def test_silence_without_a_job_is_no_fault(start):
    worker = start("time.sleep(60)", silence=0.2)
    worker.hello()
    for _ in range(30):
        assert worker.poll() == []
        time.sleep(0.02)
    assert worker.alive


def test_stopped_real_worker_is_taken_to_hang_and_a_busy_one_is_not(start, folder):
    """The heartbeat tells them apart: a frame of 30 s in C code is work."""
    worker = start([sys.executable, engines_for_tests.__file__, "Native"], silence=3.0)
    worker.submit(make_job(folder, 8).to_json())
    until = time.monotonic() + 4.5
    while time.monotonic() < until:
        assert all(isinstance(event, client.Progressed) for event in worker.poll())
        time.sleep(0.05)
    os.kill(worker.pid, 19)  # SIGSTOP
    assert wait(worker, seconds=8)[-1].kind == "hung"


def test_rubbish_is_logged_and_ignored(start, folder):
    worker = start(
        r"""
        job = read()
        sys.stdout.write("Loading… 日本\n\n{\n[1, 2]\n\"text\"\n" + "[" * 100000 + "\n")
        sys.stdout.flush()
        os.write(1, b"\xff\x00\xfe\n")
        say(method="progress", params=7)
        say(method="progress", params={"id": job["id"], "progress": "half"})
        say(id=job["id"], result="fine")
        say(hello="there")
        say(id=job["id"], result={"path": "/take.mp4"})
        read()
        """
    )
    job_id = worker.submit(JOB)
    assert wait(worker) == [client.Finished(job_id, {"path": "/take.mp4"})]
    log = (folder / "worker.log").read_text(errors="replace")
    assert log.count("on stdout, where only messages belong") == 10
    assert "Loading… 日本" in log


@pytest.mark.parametrize("lines", ["print('x')", "sys.stdout.write('x' * 65536)"])
def test_endless_rubbish_is_the_end(start, lines, monkeypatch):
    monkeypatch.setattr(sys.modules["recam_blender.child"], "LONGEST_LINE", 1 << 20)
    worker = start(f"read()\nwhile True:\n    {lines}")
    worker.submit(JOB)
    (failed,) = wait(worker)
    assert failed.kind == "died"
    assert "was stopped" in failed.message
    assert gone(worker, 1)


def test_other_protocol_is_refused(start):
    worker = start(
        "import json; m = json.loads(sys.stdin.readline());"
        "print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': {'protocol': 9}}), flush=True); time.sleep(60)",
        greet=False,
    )
    with pytest.raises(client.WorkerError, match="speaks protocol 9"):
        worker.hello()


def test_environment_is_the_backends_own():
    base = {"PATH": "/bin", "PYTHONHOME": "/blender", "PYTHONPATH": "/blender/scripts", "LANG": "C"}
    env = client.backend_environment("/extension", base)
    assert env["PYTHONPATH"] == "/extension"
    assert "PYTHONHOME" not in env
    assert (env["PATH"], env["PYTHONUTF8"]) == ("/bin", "1")
