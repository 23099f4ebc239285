"""The shell's way in: exit codes, one clear line, and the same takes as Blender gets."""

import argparse
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import engines_for_tests
import jsonschema
import numpy as np
import pytest
from clips import number_in
from jobs import make_job
from typed_jobs import job_of, options

from backend import contract, shell
from backend.contract import Progress
from backend.environment import SetupError
from backend.generation_options import OF_MACHINE
from backend.progressbar import ProgressBar

ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(engines_for_tests.ROOT), str(Path(__file__).parent)]),
    "PYTHONSAFEPATH": "1",
}


def command(*arguments, engine="Copy"):
    code = (
        f"import engines_for_tests as e, sys; e.install('{engine}'); from backend.shell import main; sys.exit(main())"
    )
    return [sys.executable, "-c", code, *map(str, arguments)]


def run(*arguments, engine="Copy", **options):
    return subprocess.run(
        command(*arguments, engine=engine), capture_output=True, env=ENVIRONMENT, timeout=60, check=False, **options
    )


def last_line(done):
    return done.stderr.decode().strip().splitlines()[-1]


# A take from a shell


def test_take_from_clip_and_trajectory(folder, clip, trajectory):
    out = folder / "out é.mp4"
    done = run("render", "--footage", clip, "--trajectory", trajectory, "--output", out)
    assert (done.returncode, done.stdout.decode()) == (0, f"{out}\n"), done.stderr
    with av.open(str(out)) as container:
        assert [number_in(each.to_ndarray(format="rgb24")) for each in container.decode(video=0)] == list(range(8))
    assert (folder / "out é.json").exists()
    assert b"This is a copy." in done.stderr


def test_take_from_job_and_again_from_its_record(folder):
    job = make_job(folder, 4)
    path = folder / "job.json"
    path.write_text(json.dumps(job.to_json()))
    assert run("render", path).returncode == 0
    again = run("render", folder / "take_v001.json", "--output", "again.mkv", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert again.stdout.decode() == f"{folder / 'again.mkv'}\n"
    assert contract.loads((folder / "again.json").read_bytes()).output.format == "ffv1"


def test_real_engine_gives_the_footage_back_where_nothing_moves(folder, clip, trajectory):
    out = folder / "out.mkv"
    arguments = ["render", "--footage", clip, "--trajectory", trajectory, "--output", out, "--engine", "reproject"]
    program = [sys.executable, "-m", "backend", *map(str, arguments)]
    done = subprocess.run(program, capture_output=True, env=ENVIRONMENT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as take, av.open(str(clip)) as footage:
        made = [each.to_ndarray(format="rgb24").astype(int) for each in take.decode(video=0)]
        given = [each.to_ndarray(format="rgb24").astype(int) for each in footage.decode(video=0)]
    assert len(made) == 8
    assert np.abs(np.array(made) - np.array(given)).mean() < 2


def test_module_runs_as_a_program(folder):
    done = subprocess.run(
        [sys.executable, "-m", "backend", "schema"], capture_output=True, env=ENVIRONMENT, timeout=20, check=False
    )
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(make_job(folder, 2).to_json(), schema)


# What is refused: exit code 2 and one line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "--footage: found nothing, expected all of"),
        (["gone.json"], "job: found 'gone.json' (No such file or directory), expected a file that can be read"),
        (["text.json"], "job: found text that is not JSON"),
        (["empty.json"], "footage: found nothing, expected the clip to re-shoot"),
        (["empty.json", "--footage", "clip.mp4"], "--footage: found beside a job file, expected one or the other"),
        (
            ["--footage", "gone.mp4", "--trajectory", "still.json", "--output", "o.mp4"],
            "--footage: found no file at 'gone.mp4', expected a movie, a picture or a folder of pictures",
        ),
        (["--footage", "text.json", "--trajectory", "still.json", "--output", "o.mp4"], "--footage: '"),
        (["--footage", "clip.mp4", "--trajectory", "gone.json", "--output", "o.mp4"], "trajectory: found "),
        (
            ["--footage", "clip.mp4", "--trajectory", "empty.json", "--output", "o.mp4"],
            "trajectory: found no frames, expected a trajectory: ReCam's own",
        ),
        (["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.avi"], "--output: found o.avi"),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "no/o.mp4"],
            "output.path: found no folder",
        ),
        (["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "clip.mp4"], "output.path: found "),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--fov", "180"],
            "--fov: found 180",
        ),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--size", "64"],
            "--size: found 64",
        ),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--rate", "0"],
            "--rate: found 0",
        ),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--frames", "9"],
            "--frames: found 9",
        ),
        (
            ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--camera", "x"],
            "--camera: found x",
        ),
        *(
            (
                ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4", "--rate", rate],
                f"--rate: found {rate}, expected frames per second",
            )
            for rate in ("1e400", "1e999999999", "1/1000000000000", "0/0", "1001", "9" * 100, " 24", "nan")
        ),
        (["--engine", "magic"], "argument --engine: invalid choice"),
        (
            ["--seed", "-1", "--footage", "clip.mp4", "--trajectory", "still.json", "--output", "o.mp4"],
            "--seed: found -1",
        ),
    ],
)
def test_bad_input(folder, clip, trajectory, monkeypatch, capsys, arguments, line):
    monkeypatch.chdir(folder)
    (folder / "text.json").write_text("not JSON")
    (folder / "empty.json").write_text("{}")
    before = sorted(os.listdir(folder))
    try:
        code = shell.main(["render", *arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith(f"recam: {line}")
    assert said.err.count("\n") == 1
    assert sorted(os.listdir(folder)) == before


def test_python_without_what_the_backend_runs_on_is_told_where_it_is(folder, clip, trajectory):
    """As any other Python of the machine: -I -S leaves it no more than the standard library."""
    path = str(engines_for_tests.ROOT)
    code = f"import sys; sys.path.insert(0, {path!r}); from backend.shell import main; sys.exit(main())"
    arguments = ["render", "--footage", clip, "--trajectory", trajectory, "--output", folder / "o.mp4"]
    bare = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    done = subprocess.run(bare, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        f"recam: this Python ({sys.executable}) lacks numpy, cv2, av, numba, OpenEXR, which reproject needs: "
        "use the one that `python -m backend setup` sets up\n"
    )


def clip_options():
    """Every option of the parser's group for what a job file says, with a value for it."""
    group = argparse._SubParsersAction  # what holds the commands' parsers
    commands = next(each for each in shell._parser()._actions if isinstance(each, group))
    for action in commands.choices["render"]._actions:
        if action.dest not in ("help", "job", "output", "debug", *OF_MACHINE):
            value = action.choices[0] if action.choices else "1"
            yield [action.option_strings[0], *([value] if action.nargs is None else [])]


@pytest.mark.parametrize("option", list(clip_options()), ids=lambda option: option[0])
def test_no_option_beside_a_job_file_is_ignored(folder, monkeypatch, capsys, option):
    monkeypatch.chdir(folder)
    (folder / "job.json").write_text(json.dumps(make_job(folder, 2).to_json()))
    assert shell.main(["render", "job.json", *option]) == 2
    assert capsys.readouterr().err == f"recam: {option[0]}: found beside a job file, expected one or the other\n"
    assert sorted(os.listdir(folder)) == ["clip.mp4", "job.json"]


def test_options_have_the_defaults_that_the_help_tells(clip, trajectory, capsys):
    job = job_of("--footage", clip, "--trajectory", trajectory, "--output", "take.mp4")
    assert (job.settings, job.subject_distance, job.output.mask) == (contract.EngineSettings(), 4.0, False)
    with pytest.raises(SystemExit):
        options("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "subject (default: 4.0)" in shown
    assert "its width (default: 36)" in shown
    assert "for 16-bit PNG, metres at white (default: 1)" in shown
    assert "(default: the footage's; needed for pictures, which have none)" in shown


@pytest.mark.parametrize("option", ["--footage", "--depth"])
def test_folder_that_cannot_be_listed(folder, clip, trajectory, monkeypatch, capsys, option):
    """As one on a share that goes away, or that its owner alone may read."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    (folder / "closed").mkdir()
    arguments = {"--footage": clip, "--trajectory": trajectory, "--output": folder / "o.mp4"} | {
        option: folder / "closed"
    }
    assert shell.main(["render", *(str(each) for pair in arguments.items() for each in pair)]) == 2
    said = capsys.readouterr().err
    assert "closed' (Permission denied), expected a folder that can be read" in said
    assert said.count("\n") == 1


def test_no_command(capsys):
    with pytest.raises(SystemExit) as end:
        shell.main([])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# What fails and what is interrupted


def test_failure_is_one_line_and_exit_code_1(folder, clip, trajectory):
    arguments = ["render", "--footage", clip, "--trajectory", trajectory, "--output", folder / "o.mp4"]
    done = run(*arguments, engine="Broken")
    assert (done.returncode, done.stdout) == (1, b"")
    assert last_line(done) == "recam: The engine failed: ZeroDivisionError: the answer is nowhere."
    assert b"Traceback" not in done.stderr
    assert b"in dawdle" in run(*arguments, "--debug", engine="Broken").stderr
    assert sorted(os.listdir(folder)) == ["clip.mp4", "still.json"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_leaves_nothing(folder, number, code):
    path = folder / "job.json"
    path.write_text(json.dumps(make_job(folder, 8, repeat=50, mask=True).to_json()))
    child = subprocess.Popen(
        command("render", path, engine="Slow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    while not child.stderr.readline().startswith(b"drawing"):
        pass
    time.sleep(0.2)
    child.send_signal(number)
    out, err = child.communicate(timeout=5)
    assert (child.returncode, out) == (code, b"")
    assert err.decode().strip().splitlines()[-1] == "recam: interrupted; nothing was left behind"
    assert b"Traceback" not in err
    assert sorted(os.listdir(folder)) == ["clip.mp4", "job.json"]


def test_what_an_interrupted_take_leaves_is_said(folder, monkeypatch, capsys):
    from backend import render

    def stopped(*_):
        raise render.Cancelled("What is made of it is kept.")

    monkeypatch.setattr(render, "render", stopped)
    path = folder / "job.json"
    path.write_text(json.dumps(make_job(folder, 8).to_json()))
    assert shell.main(["render", str(path)]) == 128
    assert capsys.readouterr().err == "recam: the take was interrupted. What is made of it is kept.\n"


# The bar


def test_bar_on_a_terminal_is_one_line_that_goes_away(folder):
    path = folder / "job.json"
    path.write_text(json.dumps(make_job(folder, 8, repeat=4).to_json()))
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command("render", path, engine="Slow"), stdout=subprocess.PIPE, stderr=theirs, env=ENVIRONMENT
    )
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 20)[0]:
        try:
            text += os.read(ours, 4096)
        except OSError:  # the terminal's other end was closed
            break
    os.close(ours)
    assert child.wait(5) == 0
    child.stdout.close()
    shown = text.decode().split("\r")
    assert any("drawing" in each and "#" in each and "left" in each for each in shown)
    bar, _, said = text.decode().partition("recam: ")
    assert "\n" not in bar
    assert bar.rsplit("\r", 2)[1].strip() == ""
    assert "This is a copy." in said


class Lines(io.StringIO):
    def isatty(self):
        return False


def test_bar_without_a_terminal_is_seldom_a_line():
    stream = Lines()
    bar = ProgressBar(stream)
    for step in range(1001):
        bar.show(Progress(phase="drawing", step=step, total=1000, seconds_left=3600 + 120 - step))
    bar.clear()
    assert stream.getvalue().splitlines() == ["drawing 0/1000, 1:02:00 left", "drawing 1000/1000, 45:20 left"]


def test_lines_are_not_said_twice():
    stream = Lines()
    bar = ProgressBar(stream)
    for phase in ("loading the network", "sampling"):
        for step in (0, 1):
            bar.show(Progress(phase=phase, step=step, total=1))
    assert stream.getvalue().splitlines() == ["loading the network", "sampling"]


class Terminal(Lines):
    def isatty(self):
        return True

    def fileno(self):
        raise OSError


def test_bar_of_a_long_phase_tells_what_is_done_and_how_long_it_takes():
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.show(Progress(phase="loading the network", step=0, total=1, seconds_left=None))
    bar.show(Progress(phase="sampling", step=25, total=50, seconds_left=7250))
    shown = stream.getvalue().split("\r")[1:]
    # One piece: there is nothing to count. What comes after begins in the same column.
    assert shown[0] == f"loading the network [{'.' * 24}] "
    assert shown[1] == f"{'sampling':<19} [{'#' * 12}{'.' * 12}] 25/50, 2:00:50 left"
    assert all(len(each) < 80 for each in shown)


def test_bar_of_a_download():
    """Bytes in words people use, with speed and time left."""
    stream = io.StringIO()
    told = {"step": 45_000_000, "total": 112_000_000, "unit": "bytes", "per_second": 3_200_000.0, "seconds_left": 21.0}
    ProgressBar(stream).show(Progress(phase="Downloading", **told))
    assert stream.getvalue() == "Downloading 45 MB of 112 MB, 3.2 MB/s, 0:21 left\n"


def test_render_in_an_environment_that_is_being_set_up(folder, clip, trajectory, monkeypatch, capsys):
    """It would run on packages that change under its feet."""

    def busy(_prefix):
        raise SetupError("It is being set up right now: wait until that is done.", "busy")

    monkeypatch.setattr(shell, "hold", busy)
    arguments = ["--footage", str(clip), "--trajectory", str(trajectory), "--output", str(folder / "o.mp4")]
    assert shell.main(["render", *arguments]) == 1
    assert capsys.readouterr().err == "recam: It is being set up right now: wait until that is done.\n"
    assert not (folder / "o.mp4").exists()
