"""What goes wrong with files ends in one sentence, and leaves nothing that looks like a take."""
# ruff: noqa: PT012 - a take is a context: its faults come while it is open and when it is left

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip, number_in, numbered

from backend.contract import FORMATS, Footage, Output
from backend.media import FootageError, WriteError, mask_path, open_footage, open_take, parts, probe

ROOT = Path(__file__).parents[2]
STREAMABLE = {"preset": "ultrafast", "g": "12"}


def output(path, **more):
    return Output(path=str(path), width=64, height=48, rate=Fraction(24), **more)


def movie(path, count=60):
    return Footage(kind="movie", files=(str(path),), frames=tuple(range(count)), width=64, height=48)


def read_all(path, count=60):
    with open_footage(movie(path, count)) as reader:
        return [number_in(reader.frame(index)) for index in range(count)]


def one_sentence(error, *parts):
    text = str(error.value)
    assert "\n" not in text
    assert "Errno" not in text
    for part in parts:
        assert str(part) in text


# Footage


def test_footage_that_is_gone_or_no_movie(tmp_path):
    with pytest.raises(FootageError) as error:
        read_all(tmp_path / "é 日本.mp4")
    one_sentence(error, "é 日本.mp4", "moved or renamed")
    for name, data in (("text.mp4", b"hello"), ("empty.mp4", b""), ("noise.mp4", np.random.default_rng(1).bytes(5000))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FootageError) as error:
            read_all(tmp_path / name)
        one_sentence(error, name, "damaged or cut off")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("name", ["take.mp4", "clip.mkv", "clip.mp4"])
def test_footage_that_is_cut_off(tmp_path, name, share):
    path = tmp_path / name
    if name == "take.mp4":  # its index stands first, so that it opens however short it is
        with open_take(output(path)) as take:
            for index in range(60):
                take.write(numbered(index, 64, 48))
    else:
        make_clip(path, 60, options=STREAMABLE)
    assert read_all(path) == list(range(60))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FootageError) as error:
        read_all(path)
    one_sentence(error, name)
    assert re.search("cut off|no picture", str(error.value))


def test_footage_that_is_damaged_in_the_middle(tmp_path):
    path = make_clip(tmp_path / "clip.mov", 60, codec="prores_ks", pix_fmt="yuv422p10le")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8000] = bytes(8000)
    path.write_bytes(data)
    with pytest.raises(FootageError) as error:
        read_all(path)
    one_sentence(error, "clip.mov", "damaged")


def test_footage_of_another_size_than_the_job_says(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", 3, 32, 32)
    with pytest.raises(FootageError, match="32x32, but the job says 64x48"):
        read_all(path, 3)


def test_sound_alone_is_no_footage(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(FootageError, match="only sound"):
        probe(tmp_path / "sound.wav")


def test_pictures_that_vanish_or_change_while_they_are_read(tmp_path):
    files = tuple(str(tmp_path / f"{number}.png") for number in range(5))
    for path in files:
        cv2.imwrite(path, numbered(3, 64, 48))
    with open_footage(Footage(kind="images", files=files, frames=tuple(range(5)), width=64, height=48)) as reader:
        reader.frame(0)
        os.unlink(files[1])
        Path(files[2]).write_bytes(Path(files[2]).read_bytes()[:500])
        cv2.imwrite(files[3], numbered(3, 32, 48))
        Path(files[4]).write_bytes(b"")
        for index, complaint in enumerate(("moved or renamed", "damaged", "32x48, but the job says", "damaged"), 1):
            with pytest.raises(FootageError) as error:
                reader.frame(index)
            one_sentence(error, files[index], complaint)


def test_exr_that_is_cut_off(tmp_path):
    with open_take(output(tmp_path / "take", format="exr")) as take:
        take.write(numbered(0, 64, 48))
    path = take.path / "0001.exr"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(FootageError) as error:
        probe(path)
    one_sentence(error, "0001.exr", "damaged")


# Takes


def left_in(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_take_leaves_nothing(tmp_path, format_, fault):
    wanted = output(tmp_path / f"take{FORMATS[format_]}", format=format_, mask=True)
    with pytest.raises(fault), open_take(wanted) as take:
        for index in range(5):
            take.write(numbered(index, 64, 48))
            take.write_mask(numbered(index, 64, 48)[..., 0])
        assert left_in(tmp_path)  # it is written here, under other names
        assert not os.path.lexists(wanted.path)
        raise fault
    assert left_in(tmp_path) == []


def test_a_take_without_frames_or_with_too_few_masks_is_none(tmp_path):
    with pytest.raises(ValueError, match="frames"), open_take(output(tmp_path / "a.mp4")):
        pass
    with pytest.raises(ValueError, match="equally many"), open_take(output(tmp_path / "a.mp4", mask=True)) as take:
        take.write(numbered(0, 64, 48))
        take.write(numbered(0, 64, 48))
        take.write_mask(np.zeros((48, 64), np.uint8))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("which", ["take", "mask"])
def test_what_is_there_is_never_overwritten(tmp_path, format_, which):
    wanted = output(tmp_path / f"take{FORMATS[format_]}", format=format_, mask=True)
    taken = Path(wanted.path) if which == "take" else mask_path(wanted)

    def occupy():
        if FORMATS[format_]:
            taken.write_text("mine")
        else:
            taken.mkdir()
            (taken / "0001.png").write_text("mine")

    def mine():
        return (taken if FORMATS[format_] else taken / "0001.png").read_text() == "mine"

    occupy()
    with pytest.raises(WriteError) as error:
        open_take(wanted)
    one_sentence(error, taken, "nothing is overwritten")
    assert mine()
    assert left_in(tmp_path) == [taken.name]
    os.rename(taken, tmp_path / "aside")
    # It appears while the take is being made.
    with pytest.raises(WriteError) as error, open_take(wanted) as take:
        take.write(numbered(0, 64, 48))
        take.write_mask(np.zeros((48, 64), np.uint8))
        occupy()
    one_sentence(error, taken, "nothing is overwritten")
    assert mine()
    assert left_in(tmp_path) == sorted(["aside", taken.name])


def test_an_empty_folder_is_not_taken_over(tmp_path):
    with pytest.raises(WriteError), open_take(output(tmp_path / "take", format="png")) as take:
        take.write(numbered(0, 64, 48))
        (tmp_path / "take").mkdir()
    assert left_in(tmp_path) == ["take"]
    assert left_in(tmp_path / "take") == []


def test_where_the_file_system_has_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with open_take(output(tmp_path / "take.mp4")) as take:
        take.write(numbered(7, 64, 48))
    assert read_all(take.path, 1) == [7]
    with pytest.raises(WriteError), open_take(output(tmp_path / "other.mp4")) as take:
        take.write(numbered(7, 64, 48))
        (tmp_path / "other.mp4").write_text("mine")
    assert (tmp_path / "other.mp4").read_text() == "mine"
    assert left_in(tmp_path) == ["other.mp4", "take.mp4"]


def test_folders_that_are_not_there_or_go(tmp_path):
    with pytest.raises(WriteError) as error:
        open_take(output(tmp_path / "nowhere" / "take.mp4"))
    one_sentence(error, "nowhere", "folder does not exist")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError) as error:
        open_take(output(tmp_path / "file" / "take.mp4"))
    one_sentence(error, "is a file")
    folder = tmp_path / "going"
    folder.mkdir()
    with pytest.raises(WriteError) as error, open_take(output(folder / "take", format="png")) as take:
        take.write(numbered(0, 64, 48))
        os.rename(folder, tmp_path / "gone")
        take.write(numbered(1, 64, 48))
    one_sentence(error, "going", "gone")
    assert not folder.exists()


def test_names_of_the_longest_length(tmp_path):
    name = "日" * 83 + ".mp4"  # 253 bytes
    with open_take(output(tmp_path / name)) as take:
        take.write(numbered(1, 64, 48))
    assert read_all(tmp_path / name, 1) == [1]
    with pytest.raises(WriteError) as error:
        open_take(output(tmp_path / ("日" * 83 + "_2.mp4"), mask=True))  # the take's name fits, its mask's does not
    one_sentence(error, "too long")
    assert left_in(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, format_):
    # No disk to fill here: a limit on the size of files fails the same calls, at every stage of writing. The numbers
    # stay below the largest file of each format: a whole movie, or one picture.
    script = f"""
        import resource, signal, sys
        import numpy as np
        from fractions import Fraction
        from backend.contract import Output
        from backend.media import WriteError, open_take
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        frames = np.random.default_rng(1).integers(0, 255, (20, 48, 64, 3), np.uint8)
        path = sys.argv[1] + "/take{FORMATS[format_]}"
        wanted = Output(path=path, width=64, height=48, rate=Fraction(24), format="{format_}")
        for limit in (0, 700, 3_000, 6_000) + (12_000, 30_000) * {bool(FORMATS[format_])}:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                with open_take(wanted) as take:
                    for frame in frames:
                        take.write(frame)
            except WriteError as error:
                print(limit, error)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "700", "3000", "6000", "12000", "30000"][: len(lines)]
    assert len(lines) == (6 if FORMATS[format_] else 4)
    for line in lines:
        assert "take" in line
        assert line.endswith(
            "cannot be written: the file would be larger than is allowed there. Choose another folder."
        )
    assert left_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_is_called_a_full_disk(tmp_path):
    with pytest.raises(WriteError) as error, parts.told(tmp_path / "take.mp4"), open("/dev/full", "wb", 0) as file:
        file.write(b"0")
    one_sentence(error, "take.mp4", "the disk is full")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        try:
            with as_nobody(), pytest.raises(WriteError) as error:
                open_take(output(Path(folder) / "take.mp4"))
        finally:
            os.chmod(folder, 0o700)
        one_sentence(error, "take.mp4", "may not write there")
        assert os.listdir(folder) == []


@contextlib.contextmanager
def as_nobody():
    """Root may write anywhere: be somebody else meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# What killed runs leave


def stale(folder, name, age=3600, *, is_folder=False):
    part = folder / name
    if is_folder:
        part.mkdir()
        (part / "0001.png").write_text("half")
    else:
        part.write_text("half")
    os.utime(part, (time.time() - age,) * 2)
    return name


def test_parts_of_killed_runs_are_swept(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    pid, here = int(gone.stdout), parts._host()
    stale(tmp_path, f".recam-part-{here}-{pid}-0123abcd.mp4")
    stale(tmp_path, f".recam-part-{here}-{pid}-0123abcd", is_folder=True)
    kept = [
        stale(tmp_path, f".recam-part-{here}-{os.getpid()}-0123abcd.mp4"),  # it runs
        stale(tmp_path, f".recam-part-{here}-{pid}-89abcdef.mp4", age=5),  # somebody has just written to it
        stale(tmp_path, f".recam-part-ffffffff-{pid}-0123abcd.mp4"),  # on another machine
        stale(tmp_path, f"recam-part-{here}-{pid}-0123abcd.mp4"),  # not our name
        stale(tmp_path, f".recam-part-{here}-{pid}-0123abcd.mp4.bak"),
    ]
    with open_take(output(tmp_path / "take.mp4")) as take:
        take.write(numbered(0, 64, 48))
    assert left_in(tmp_path) == sorted([*kept, "take.mp4"])


def test_parts_tell_machines_apart(monkeypatch):
    here = parts._host()
    assert re.fullmatch("[0-9a-f]{8}", here)
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert parts._host() != here


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_run_leaves_no_take(tmp_path):
    script = """
        import os, signal, sys
        import numpy as np
        from fractions import Fraction
        from backend.contract import Output
        from backend.media import open_take
        take = open_take(Output(path=sys.argv[1] + "/take.mp4", width=64, height=48, rate=Fraction(24), mask=True))
        for index in range(9):
            take.write(np.zeros((48, 64, 3), np.uint8))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    names = left_in(tmp_path)
    assert len(names) == 2
    assert all(name.startswith(".recam-part-") for name in names)
    for name in names:
        os.utime(tmp_path / name, (time.time() - 3600,) * 2)
    with open_take(output(tmp_path / "take.mp4")) as take:
        take.write(numbered(0, 64, 48))
    assert left_in(tmp_path) == ["take.mp4"]
