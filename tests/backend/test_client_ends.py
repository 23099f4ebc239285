"""The worker as Blender sees it when a job is cancelled, when it is closed, and when Blender goes."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import engines_for_tests
import pytest
from fake_workers import JOB, ROOT, client, gone, wait
from jobs import make_job

# Cancelling


def test_nothing_more_is_heard_of_a_cancelled_job_however_late_it_answers(start):
    worker = start(
        """
        first = read()
        progress(first["id"], 1)
        cancel = read()
        progress(first["id"], 2)
        say(id=first["id"], error={"code": -32002, "message": "The job was cancelled."})
        second = read()
        say(id=first["id"], result={"path": "late"})
        progress(first["id"], 3)
        progress(second["id"], 1)
        say(id=second["id"], result={"path": "right"})
        read()
        """
    )
    first = worker.submit(JOB)
    wait(worker, until=lambda event: isinstance(event, client.Progressed))
    worker.cancel(first)
    second = worker.submit(JOB)
    assert second != first
    events = wait(worker, until=lambda event: isinstance(event, client.Finished))
    assert {event.id for event in events} == {second}
    assert events[-1].result == {"path": "right"}


def test_result_that_nobody_polled_for_goes_with_the_cancel(start):
    worker = start(
        """
        for path in ("dropped", "right"):
            job = read()
            assert job["method"] == "render", job
            say(id=job["id"], result={"path": path})
        read()
        """
    )
    first = worker.submit(JOB)
    time.sleep(0.5)
    worker.cancel(first)
    second = worker.submit(JOB)
    assert wait(worker) == [client.Finished(second, {"path": "right"})]


def test_next_job_waits_until_the_cancelled_one_has_let_go(start):
    worker = start(
        """
        first = read()
        cancel = read()
        time.sleep(0.5)
        say(id=first["id"], error={"code": -32002, "message": "The job was cancelled."})
        second = read()
        assert second["method"] == "render", second
        say(id=second["id"], result={"path": "right"})
        read()
        """
    )
    worker.cancel(worker.submit(JOB))
    second = worker.submit(JOB)
    assert wait(worker) == [client.Finished(second, {"path": "right"})]


def test_job_that_was_cancelled_before_it_was_sent(start):
    worker = start(
        """
        first = read()
        cancel = read()
        time.sleep(0.3)
        say(id=first["id"], error={"code": -32002, "message": "The job was cancelled."})
        third = read()
        say(id=third["id"], result={"path": "right"})
        read()
        """
    )
    worker.cancel(worker.submit(JOB))
    worker.cancel(worker.submit(JOB))
    third = worker.submit(JOB)
    assert wait(worker) == [client.Finished(third, {"path": "right"})]


def test_worker_that_does_not_let_go_is_killed_though_nobody_polls(start):
    worker = start("job = read()\nwhile True:\n    progress(job['id'], 1); time.sleep(0.05)", cancel_grace=0.4)
    job_id = worker.submit(JOB)
    wait(worker, until=lambda event: isinstance(event, client.Progressed))
    worker.cancel(job_id)
    assert gone(worker, 2)
    assert not worker.alive
    assert worker.poll() == []


def test_job_that_waited_for_one_that_does_not_let_go(start):
    worker = start("read(); time.sleep(60)", cancel_grace=0.3)
    worker.cancel(worker.submit(JOB))
    second = worker.submit(JOB)
    (failed,) = wait(worker, seconds=3)
    assert (failed.id, failed.kind) == (second, "died")
    assert "did not let go of a cancelled job" in failed.message


def test_cancel_of_a_real_job(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Slow"])
    job_id = worker.submit(make_job(folder, 8, repeat=50).to_json())
    wait(worker, until=lambda event: isinstance(event, client.Progressed) and event.progress["step"] > 3)
    worker.cancel(job_id)
    job = make_job(folder, 3, clip=folder / "clip.mp4", path=str(folder / "b.mp4"))
    second = worker.submit(job.to_json())
    finished = wait(worker)[-1]
    assert (finished.id, finished.result["path"]) == (second, str(folder / "b.mp4"))
    assert not [each.name for each in folder.iterdir() if "take" in each.name or "part" in each.name]


# Closing


def test_close_in_mid_job_clears_away(start, folder):
    worker = start([sys.executable, engines_for_tests.__file__, "Slow"])
    worker.submit(make_job(folder, 8, repeat=50).to_json())
    wait(worker, until=lambda event: isinstance(event, client.Progressed) and event.progress["step"] > 3)
    worker.close()
    worker.close()
    assert worker.poll() == []
    assert not [each.name for each in folder.iterdir() if "take" in each.name or "part" in each.name]


def test_close_ends_a_worker_that_does_not_listen(start):
    worker = start("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)")
    worker.hello()
    started = time.monotonic()
    worker.close(timeout=0.3)
    assert gone(worker, 0)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_worker_goes_with_whoever_started_it(folder, how):
    """As Blender goes: by a crash, or past all clean-up."""
    job = folder / "job.json"
    job.write_text(json.dumps(make_job(folder, 8, repeat=50).to_json()))
    code = textwrap.dedent(
        """
        import json, os, sys, time
        sys.path[:0] = sys.argv[1:3]
        from fake_workers import client, engines_for_tests
        command = [sys.executable, engines_for_tests.__file__, "Slow"]
        env = client.backend_environment(sys.argv[2])
        worker = client.Worker(command, log_path=sys.argv[3] + ".log", env=env)
        worker.submit(json.load(open(sys.argv[3])))
        while not worker.poll():
            time.sleep(0.01)
        print(worker.pid, flush=True)
        sys.stdin.readline()
        os._exit(0)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(ROOT), str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    worker = int(parent.stdout.readline())
    if how == "kill":
        parent.kill()
    else:
        parent.stdin.write(b"\n")
        parent.stdin.flush()
    parent.wait(5)
    until = time.monotonic() + 2
    while engines_for_tests.is_running(worker):
        assert time.monotonic() < until
        time.sleep(0.02)
    parent.stdin.close()
    parent.stdout.close()
    assert not [each.name for each in folder.iterdir() if each.name.startswith("take")]
