"""One job, from its files to its take: what is there afterwards, however it went."""

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import av
import engines_for_tests
import numpy as np
import pytest
from clips import make_clip, number_in, numbered
from jobs import make_job

from backend import contract, engines, pipeline
from backend.contract import ContractError
from backend.render import Cancelled, RenderError, render

NAUGHTY = 'it\'s a "shot" é 日本'


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / NAUGHTY
    path.mkdir()
    return path


@pytest.fixture
def engine(monkeypatch):
    def choose(name):
        monkeypatch.setattr(engines, "create", getattr(engines_for_tests, name))

    choose("Copy")
    return choose


def silent(progress):
    pass


def never():
    return False


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def numbers(path):
    with av.open(str(path)) as container:
        return [number_in(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def claim(job, take=None):
    Path(job.output.record).write_text(
        json.dumps({"recam_claim": 1, "take": take or os.path.basename(job.output.path), "by": "host:1"})
    )


# What a good job gives


def test_take_holds_the_frames_in_their_order_at_the_rate_asked_for(folder, engine):
    job = make_job(folder, 8)
    job = dataclasses.replace(job, footage=dataclasses.replace(job.footage, frames=(7, 7, 0, 3, 2, 1, 5, 6)))
    result = render(job, silent, never)
    assert numbers(result.path) == [7, 7, 0, 3, 2, 1, 5, 6]
    with av.open(result.path) as container:
        assert container.streams.video[0].average_rate == 24
    assert (result.frames, result.width, result.height, result.rate) == (8, 64, 48, 24)


def test_result_tells_what_was_done(folder, engine):
    result = render(make_job(folder, 4, mask=True), silent, never)
    assert result.path == str(folder / "take_v001.mp4")
    assert result.mask == str(folder / "take_v001_mask.mp4")
    assert result.invented_mean == pytest.approx((0.25 * 3 + 1) / 4)
    assert result.invented_most == 1.0
    assert result.warnings == ("This is a copy.",)
    assert result.depth == "a plane at 4 m"
    assert result.seconds > 0
    assert names(folder) == ["clip.mp4", "take_v001.json", "take_v001.mp4", "take_v001_mask.mp4"]


@pytest.mark.parametrize(
    ("format_", "suffix", "alpha", "warned"),
    [("h264", ".mp4", 128, True), ("h264", ".mp4", 255, False), ("ffv1", ".mkv", 128, False)],
)
def test_transparency_that_is_lost_is_told(folder, engine, format_, suffix, alpha, warned):
    frames = [np.dstack([numbered(index, 64, 48), np.full((48, 64), 255, np.uint8)]) for index in range(3)]
    frames[2][5, 7, 3] = alpha
    clip = make_clip(folder / "clip.mkv", frames, codec="ffv1", pix_fmt="bgra")
    path = str(folder / f"take{suffix}")
    result = render(make_job(folder, 3, clip=clip, path=path, format=format_), silent, never)
    assert [each for each in result.warnings if "transparent" in each] == [
        "The footage is transparent in places, which h264 does not keep; these formats do: prores4444, ffv1, png, exr."
    ] * warned


def test_record_is_enough_to_make_the_take_again(folder, engine):
    job = make_job(folder, 3)
    result = render(job, silent, never)
    text = (folder / "take_v001.json").read_text(encoding="utf-8")
    assert contract.loads(text) == job
    assert json.loads(text)["digest"] == job.digest()
    assert contract.Result.from_json(json.loads(text)["result"]) == result


def test_claim_on_the_name_is_replaced_by_the_record(folder, engine):
    job = make_job(folder, 3)
    claim(job)
    render(job, silent, never)
    assert "job" in json.loads((folder / "take_v001.json").read_text(encoding="utf-8"))


def test_folder_of_pictures_has_its_record_beside_it(folder, engine):
    job = make_job(folder, 3, path=str(folder / "take v1.2_v001"), format="png")
    render(job, silent, never)
    assert names(folder) == ["clip.mp4", "take v1.2_v001", "take v1.2_v001.json"]
    assert len(names(folder / "take v1.2_v001")) == 3


def test_frames_out_of_order_do_not_disturb_those_in_order(folder, engine):
    engine("Backwards")
    result = render(make_job(folder, 12), silent, never)
    assert numbers(result.path) == list(range(12))


def test_longest_name_that_a_file_can_have(folder, engine):
    job = make_job(folder, 2, path=str(folder / ("日" * 83 + "ab.mp4")))
    assert len(os.fsencode(os.path.basename(job.output.path))) == 255
    with pytest.raises(ContractError, match="too long"):
        render(job, silent, never)  # its record's name has one byte more
    assert names(folder) == ["clip.mp4"]
    job = make_job(folder, 2, path=str(folder / ("日" * 83 + "a.mp4")), clip=folder / "clip.mp4")
    assert numbers(render(job, silent, never).path) == [0, 1]


# Progress


def test_progress_goes_forward_and_ends_with_nothing_left(folder, engine):
    told = []
    engine("Slow")
    render(make_job(folder, 10), told.append, never)
    phases = list(dict.fromkeys(each.phase for each in told))
    assert phases == ["reading", "preparing", "drawing", "writing"]
    for phase in phases:
        steps = [each.step for each in told if each.phase == phase]
        assert steps == sorted(steps)
    assert (told[-1].step, told[-1].total, told[-1].seconds_left) == (10, 10, 0.0)


def test_time_left_is_told_from_the_pace(folder, engine):
    told = []
    engine("Slow")  # 0.05 s a frame
    render(make_job(folder, 30), told.append, never)
    middle = next(each for each in told if each.phase == "drawing" and each.step == 20)
    assert 0.4 < middle.seconds_left < 3


# Refusals: nothing is written


def test_output_that_exists_is_left_alone(folder, engine):
    job = make_job(folder, 2)
    (folder / "take_v001.mp4").write_text("mine")
    with pytest.raises(ContractError, match="which exists"):
        render(job, silent, never)
    assert (folder / "take_v001.mp4").read_text() == "mine"


@pytest.mark.parametrize("text", ['{"mine": 1}', "no JSON", "[]", '{"recam_claim": 1, "take": "other.mp4"}', ""])
def test_file_under_the_records_name_is_left_alone(folder, engine, text):
    job = make_job(folder, 2)
    (folder / "take_v001.json").write_text(text)
    with pytest.raises(ContractError, match=r"output.path: found .*take_v001.json"):
        render(job, silent, never)
    assert (folder / "take_v001.json").read_text() == text
    assert names(folder) == ["clip.mp4", "take_v001.json"]


def test_folder_that_is_not_there(folder, engine):
    job = make_job(folder, 2, path=str(folder / "nowhere" / "take.mp4"))
    with pytest.raises(ContractError, match=r"output.path: found no folder"):
        render(job, silent, never)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that not even root may write to")
def test_folder_that_cannot_be_written_to(folder, engine):
    job = make_job(folder, 2, path="/proc/self/take.mp4")
    with pytest.raises(ContractError, match=r"found folder '.*', which cannot be written to \("):
        render(job, silent, never)


def test_footage_of_another_size_than_the_job_says(folder, engine):
    job = make_job(folder, 2)
    job = dataclasses.replace(job, footage=dataclasses.replace(job.footage, width=62))
    with pytest.raises(RenderError, match=r"64x48.*62x48") as caught:
        render(job, silent, never)
    assert caught.value.kind == "footage"
    assert names(folder) == ["clip.mp4"]


# Failures: one sentence, and nothing left


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Broken", "engine", "ZeroDivisionError: the answer is nowhere"),
        ("Hoarder", "memory", "not enough memory"),
        ("Short", "engine", "made 3 frames where 4 were asked for"),
    ],
)
def test_engine_that_fails(folder, engine, name, kind, words):
    engine(name)
    job = make_job(folder, 4, mask=True)
    claim(job)
    with pytest.raises(RenderError, match=words) as caught:
        render(job, silent, never)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
    assert names(folder) == ["clip.mp4", "take_v001.json"]
    assert json.loads((folder / "take_v001.json").read_text())["recam_claim"] == 1


def test_cancel_is_honoured_within_a_frame_and_leaves_nothing(folder, engine):
    engine("Slow")
    steps = []
    job = make_job(folder, 10, repeat=50, mask=True)
    with pytest.raises(Cancelled):
        render(job, steps.append, lambda: len(steps) > 12)
    assert len(steps) <= 14
    assert names(folder) == ["clip.mp4"]
    assert not [each for each in threading.enumerate() if each.name.startswith("recam")]


def test_cancel_at_the_very_end_leaves_nothing(folder, engine):
    """Between the take and its record: whoever cancelled reads no answer, so there must be no take."""
    asked = []

    def cancelled():
        asked.append((folder / "take_v001.mp4").exists())
        return asked[-1]

    with pytest.raises(Cancelled):
        render(make_job(folder, 2, mask=True), silent, cancelled)
    assert asked[-1]
    assert names(folder) == ["clip.mp4"]


def test_record_that_cannot_be_written_takes_the_take_along(folder, engine, monkeypatch):
    job = make_job(folder, 2)

    def meddle(progress):
        if progress.phase == "writing":
            (folder / "take_v001.json").write_text("somebody was quicker")

    with pytest.raises(ContractError, match=r"take_v001.json"):
        render(job, meddle, never)
    assert names(folder) == ["clip.mp4", "take_v001.json"]
    assert (folder / "take_v001.json").read_text() == "somebody was quicker"


def test_pictures_deleted_in_mid_job(folder, engine):
    engine("Slow")
    files = []
    for index in range(60):
        path = folder / f"{index:04d}.png"
        shutil.copy(save_picture(folder, index), path)
        files.append(str(path))
    job = make_job(folder, 60)
    images = contract.Footage(kind="images", files=tuple(files), frames=job.footage.frames, width=64, height=48)
    job = dataclasses.replace(job, footage=images)

    def delete(progress):
        if progress.phase == "drawing" and progress.step == 5:
            for path in files[5:]:
                Path(path).unlink(missing_ok=True)

    with pytest.raises(RenderError, match=r"no file .*\.png") as caught:
        render(job, delete, never)
    assert caught.value.kind == "footage"
    assert not [name for name in names(folder) if "take" in name or "part" in name]


def save_picture(folder, index):
    path = folder.parent / "picture.png"
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index, 64, 48), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let open files be deleted")
def test_movie_deleted_in_mid_job_is_open_and_read_to_its_end(folder, engine):
    def delete(progress):
        if progress.phase == "drawing":
            (folder / "clip.mp4").unlink(missing_ok=True)

    result = render(make_job(folder, 8, repeat=6), delete, never)
    assert numbers(result.path) == list(range(8)) * 6


def test_movie_deleted_before(folder, engine):
    job = make_job(folder, 2)
    (folder / "clip.mp4").unlink()
    with pytest.raises(ContractError, match=r"footage.files\[0\]: found no file"):
        render(job, silent, never)
    assert names(folder) == []


def test_movie_cut_off_in_the_middle(folder, engine):
    """As a copy that was interrupted; MP4's table at the end is missing then, Matroska's frames are."""
    for name, format_ in (("cut.mp4", "mp4"), ("cut.mkv", "matroska")):
        whole = make_clip(folder / f"whole {name}", 40, options={"crf": "4", "preset": "ultrafast"})
        (folder / name).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        job = make_job(folder, 40, clip=folder / name, path=str(folder / f"take {format_}.mp4"))
        with pytest.raises(RenderError) as caught:
            render(job, silent, never)
        assert caught.value.kind == "footage"
        assert "cut" in str(caught.value)
        assert not (folder / f"take {format_}.mp4").exists()


def test_disk_that_fills_up(folder):
    """A limit on the size of files stands for the disk: the system says so at the same place, in the same way."""
    job = make_job(folder, 8, repeat=20, path=str(folder / "take.mkv"), format="ffv1")
    job_file = folder / "job.json"
    job_file.write_text(json.dumps(job.to_json()))
    code = "import engines_for_tests as e, sys; e.install('Copy'); from backend.shell import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "render", str(job_file)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(engines_for_tests.ROOT), str(Path(__file__).parent)])},
        capture_output=True,
        timeout=60,
        check=False,
    )
    last = done.stderr.decode().strip().splitlines()[-1]
    assert (done.returncode, done.stdout) == (1, b"")
    assert last.startswith("recam: ")
    assert "larger than is allowed" in last
    assert names(folder) == ["clip.mp4", "job.json"]


# Waits that end


@contextmanager
def stuck(seconds=0.3):
    released = threading.Event()

    class Source:
        def frame(self, index):
            released.wait(20)
            return np.zeros((48, 64, 3), np.uint8)

    yield lambda: _entered(Source()), pipeline.Gate(never, seconds)
    released.set()


@contextmanager
def _entered(source):
    yield source


def test_decoder_that_does_not_come_back(monkeypatch):
    monkeypatch.setattr(pipeline, "_FAREWELL", 0.1)
    with stuck() as (opened, gate):
        started = time.monotonic()
        with (
            pytest.raises(pipeline.StuckError, match="Reading one frame of the footage took longer"),
            pipeline.Ahead(opened, name="footage", length=3, width=64, height=48, gate=gate),
        ):
            pass
        assert time.monotonic() - started < 2


def test_encoder_that_does_not_come_back(folder, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(pipeline, "open_take", lambda *_, **__: released.wait(20))
    monkeypatch.setattr(pipeline, "_FAREWELL", 0.1)
    job = make_job(folder, 2)
    frame = engines.Frame(np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8))
    with pipeline.Encoder(job.output, pipeline.Gate(never, 0.3)) as encoder:
        for _ in range(1 + pipeline.BEHIND):
            encoder.put(frame)
        with pytest.raises(pipeline.StuckError, match="Writing one frame took longer"):
            encoder.put(frame)
    released.set()


def test_few_frames_are_held_whatever_the_length(folder):
    """Decoded frames that are alive at once, counted."""
    alive = []
    most = []

    class Counted(np.ndarray):
        def __del__(self):
            alive.pop()

    class Source:
        def frame(self, index):
            alive.append(None)
            most.append(len(alive))
            return np.full((48, 64, 3), index % 256, np.uint8).view(Counted)

    gate = pipeline.Gate(never)
    with pipeline.Ahead(
        lambda: _entered(Source()), name="footage", length=500, width=64, height=48, gate=gate
    ) as ahead:
        for index in range(500):
            assert ahead.frame(index)[0, 0, 0] == index % 256
    assert max(most) <= pipeline.AHEAD + 3


def test_several_threads_may_ask_for_frames():
    class Source:
        def frame(self, index):
            time.sleep(0.001)
            return np.full((48, 64, 3), index, np.uint8)

    wrong = []

    def ask(order):
        wrong.extend(index for index in order if ahead.frame(index)[0, 0, 0] != index)

    gate = pipeline.Gate(never, 10)
    with pipeline.Ahead(lambda: _entered(Source()), name="footage", length=60, width=64, height=48, gate=gate) as ahead:
        orders = [range(60), range(59, -1, -1), [7] * 60, range(0, 60, 7)]
        threads = [threading.Thread(target=ask, args=(order,)) for order in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert wrong == []
