"""What the shell makes of its options: the job they describe, and the ones that it refuses."""

import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from jobs import STILL, still
from typed_jobs import job_of, published

from backend import contract, shell
from backend.contract import ContractError


def depth_maps(folder, count):
    """Depth of ``count`` frames, as many metres away as their numbers say."""
    folder.mkdir()
    for index in range(count):
        np.save(folder / f"{index}.npy", np.full((48, 64), 1 + index, np.float32))
    return folder


def test_own_format_with_as_many_poses_as_frames_is_used_as_it_is(clip, trajectory):
    told = []
    job = job_of("--footage", clip, "--trajectory", trajectory, "--output", "take.mp4", told=told)
    assert job.target == still(8)
    assert told == []
    assert job.output == contract.Output(path=os.path.abspath("take.mp4"), width=64, height=48, rate=Fraction(24))
    assert job.footage.frames == tuple(range(8))
    assert (job.lens, job.source) == (None, None)


def test_published_trajectory_is_stretched_over_the_clip_and_that_is_said(folder, clip):
    told = []
    job = job_of("--footage", clip, "--trajectory", published(folder), "--output", "take.mp4", told=told)
    # 81 poses, 0.80 m in all, over 8 frames; forward is z in OpenCV's axes.
    forward = [pose[2][3] for pose in job.target.poses]
    np.testing.assert_allclose(forward, np.linspace(0, 0.80, 8), atol=1e-9)
    assert told == ["the trajectory's 81 poses were stretched over the clip's 8 frames"]


def test_published_trajectory_of_the_clips_length_is_not_stretched(folder, clip):
    told = []
    job = job_of("--footage", clip, "--trajectory", published(folder, 8), "--output", "take.mp4", told=told)
    np.testing.assert_allclose([pose[2][3] for pose in job.target.poses], np.arange(8) / 100, atol=1e-9)
    assert told == []


@pytest.mark.parametrize(
    ("arguments", "focal"),
    [
        ([], 64 * 24 / 23.76),
        (["--lens", "50"], 64 * 50 / 36),
        (["--lens", "50", "--sensor", "25"], 128),
        (["--fov", "90"], 32),
    ],
)
def test_lens_of_a_trajectory_without_one(folder, clip, arguments, focal):
    job = job_of("--footage", clip, "--trajectory", published(folder, 8), "--output", "take.mp4", *arguments)
    first = job.target.intrinsics[0]
    assert (first.fx, first.fy, first.cx, first.cy) == pytest.approx((focal, focal, 32, 24))


def test_lens_beside_a_trajectory_with_its_own_is_the_footages(clip, trajectory):
    job = job_of("--footage", clip, "--trajectory", trajectory, "--output", "take.mp4", "--lens", "18")
    assert job.lens == contract.Intrinsics(fx=32, fy=32, cx=32, cy=24)
    assert job.target == still(8)


def test_source_trajectory(folder, clip, trajectory):
    job = job_of(
        "--footage", clip, "--trajectory", trajectory, "--source", published(folder, 8), "--output", "take.mp4"
    )
    assert job.source.poses[7][2][3] == pytest.approx(0.07)
    assert job.target.poses[7] == STILL


def test_rate_resamples_the_clip(clip, trajectory):
    def frames(rate):
        job = job_of("--footage", clip, "--trajectory", trajectory, "--output", "take.mp4", "--rate", rate)
        assert job.output.rate == Fraction(rate)
        return job.footage.frames

    assert frames("12") == (0, 2, 4, 6)
    assert frames("48") == tuple(index // 2 for index in range(16))
    assert frames("24000/1001") == (0, 1, 2, 3, 4, 5, 6)


def test_size_and_format_and_mask(clip, trajectory):
    base = ["--footage", clip, "--trajectory", trajectory]
    job = job_of(*base, "--output", "x.mov", "--size", "128x96", "--mask")
    assert (job.output.width, job.output.height, job.output.format, job.output.mask) == (128, 96, "prores4444", True)
    assert job_of(*base, "--output", "pictures").output.format == "png"
    assert job_of(*base, "--output", "pictures", "--format", "exr").output.format == "exr"


def test_folder_of_pictures(folder, trajectory):
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in (10, 9, 8):
        with av.open(str(pictures / f"{number}.png"), "w", format="image2", options={"update": "1"}) as container:
            stream = container.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
            container.mux(stream.encode(av.VideoFrame(64, 48, "rgb24")))
    (pictures / "notes.txt").write_text("not a picture")
    base = ["--footage", pictures, "--trajectory", trajectory, "--output", "take.mp4"]
    job = job_of(*base, "--rate", "25")
    assert [os.path.basename(each) for each in job.footage.files] == ["8.png", "9.png", "10.png"]
    assert (job.footage.kind, job.footage.frames, job.output.rate) == ("images", (0, 1, 2), 25)
    with pytest.raises(ContractError, match="--rate: found nothing"):
        job_of(*base)


def test_depth_files(folder, clip, trajectory):
    maps = folder / "depth"
    maps.mkdir()
    for index in range(8):
        np.save(maps / f"{index}.npy", np.full((48, 64), 3, np.float32))
    base = ["--footage", clip, "--trajectory", trajectory, "--output", "take.mp4"]
    depth = job_of(*base, "--depth", maps, "--depth-scale", "2").settings.depth
    assert (depth.kind, depth.scale, len(depth.files)) == ("file", 2.0, 8)
    assert depth.files[7] == str(maps / "7.npy")
    with pytest.raises(ContractError, match="--depth: found no file"):
        job_of(*base, "--depth", folder / "nowhere")


def test_first_frames_are_those_of_the_whole_take(folder, clip):
    base = ["--footage", clip, "--trajectory", published(folder), "--source", published(folder)]
    whole = job_of(*base, "--output", "take.mp4")
    told = []
    job = job_of(*base, "--output", "take.mp4", "--frames", "3", told=told)
    # 81 poses, 0.80 m in all, over all of the clip's 8 frames.
    np.testing.assert_allclose([pose[2][3] for pose in job.target.poses], np.arange(3) * 0.80 / 7, atol=1e-9)
    assert (len(job), job.footage.frames) == (3, (0, 1, 2))
    assert job.target.intrinsics == whole.target.intrinsics[:3]
    assert job.source.poses == whole.source.poses[:3]
    assert told == ["the trajectory's 81 poses were stretched over the clip's 8 frames"] * 2


@pytest.mark.parametrize(
    ("files", "rate", "picked"),
    [
        (8, "24", "012"),
        (3, "24", "012"),  # of the frames shown alone
        (8, "12", "024"),  # one per frame of the clip
        (4, "12", "012"),  # one per frame of the whole take
    ],
)
def test_first_frames_keep_their_depth(folder, clip, trajectory, files, rate, picked):
    maps = depth_maps(folder / "depth", files)
    base = ["--footage", clip, "--trajectory", trajectory, "--output", "take.mp4"]
    job = job_of(*base, "--depth", maps, "--frames", "3", "--rate", rate)
    assert [os.path.basename(each) for each in job.settings.depth.files] == [f"{each}.npy" for each in picked]


# What is refused: exit code 2, one line, and nothing is made


@pytest.fixture
def refusal(folder, clip, trajectory, monkeypatch, capsys):
    """What the shell says to options beside a clip and a trajectory that are well."""
    monkeypatch.chdir(folder)

    def ask(*arguments):
        before = sorted(os.listdir(folder))
        base = ["--footage", "clip.mp4", "--trajectory", "still.json", "--output", "take.mp4"]
        assert shell.main(["render", *base, *map(str, arguments)]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert sorted(os.listdir(folder)) == before
        return said.err.removeprefix("recam: ").rstrip()

    return ask


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--source-camera", "cam03"], "--source-camera: found 'cam03' without --source, expected both or neither"),
        (["--depth-scale", "2"], "--depth-scale: found 2.0 without depth files, expected both or neither"),
        (
            ["--depth", "plane", "--depth-scale", "2"],
            "--depth-scale: found 2.0 without depth files, expected both or neither",
        ),
        (["--sensor", "25"], "--sensor: found 25.0 without --lens, expected both or neither"),
        (
            ["--true-pixels"],
            "--true-pixels: found it beside --engine reproject, whose pixels they are, expected one or the other",
        ),
        (["--relative"], "--relative: found it without --source or --solve, expected one of them, or neither"),
        (
            ["--relative", "--source", "still.json", "--use", "closer"],
            "--relative: found it beside --use closer, expected one or the other: that use makes the camera itself",
        ),
        *(
            (
                ["--source", "still.json", option, "50"],
                f"{option}: found 50.0, expected nothing: --source and --trajectory have lenses of their own",
            )
            for option in ("--lens", "--fov")
        ),
    ],
)
def test_option_that_would_change_nothing(refusal, arguments, line):
    assert refusal(*arguments) == line


def test_lens_beside_a_source_with_its_own_is_for_a_trajectory_without(folder, clip, trajectory):
    base = ["--footage", clip, "--trajectory", published(folder, 8), "--source", trajectory]
    job = job_of(*base, "--output", "take.mp4", "--lens", "18")
    assert job.target.intrinsics[0].fx == 32
    assert job.source == still(8)


@pytest.mark.parametrize("scale", ["0", "-1", "inf", "nan"])
def test_depth_scale_that_is_none(refusal, folder, scale):
    depth_maps(folder / "depth", 8)
    line = f"--depth-scale: found {float(scale)}, expected more than 0 metres"
    assert refusal("--depth", "depth", "--depth-scale", scale) == line


@pytest.mark.parametrize("value", ["inf", "nan", "0"])
def test_lens_that_is_none(refusal, value):
    assert refusal("--lens", value) == f"--lens: found {float(value)}, expected more than 0 mm"
    assert refusal("--lens", "50", "--sensor", value) == f"--sensor: found {float(value)}, expected more than 0 mm"


def test_depth_of_another_number_of_frames(refusal, folder):
    maps = str(depth_maps(folder / "depth", 3))
    assert refusal("--depth", "depth") == f"--depth: found 3 files in {maps!r}, expected 8, one per timeline frame"


def test_depth_that_is_none(refusal, folder):
    assert refusal("--depth", "clip.mp4") == (
        f"--depth: {str(folder / 'clip.mp4')!r} is no depth that can be read: give OpenEXR, 16-bit PNG or npy files."
    )
    (folder / "gray.png").write_bytes(cv2.imencode(".png", np.full((48, 64), 9, np.uint8))[1].tobytes())
    assert refusal("--depth", "gray.png") == (
        f"--depth: {str(folder / 'gray.png')!r} has 8 bits, too few for depth: save it with 16 bits."
    )


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", "no JSON", "{}"])
def test_trajectory_of_another_kind_is_told_of_both(refusal, folder, text):
    (folder / "other.json").write_text(text)
    said = refusal("--trajectory", "other.json")
    assert said.startswith("trajectory: found ")
    assert 'ReCam\'s own ({"recam_trajectory": 1, ...}) or a camera_extrinsics.json' in said


@pytest.mark.parametrize("name", ["x.mp4", "X.MOV", "x.mkv/"])
def test_folder_of_pictures_with_a_movies_name(refusal, name):
    said = refusal("--output", name, "--format", "png")
    assert said.startswith("output.path: found ")
    assert said.endswith("expected a folder's name for png, which is no movie")


def test_folder_that_takes_no_files_is_named(refusal, folder, monkeypatch):
    def refuse(path, flags, *mode):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    assert refusal() == (
        f"output.path: found folder {str(folder)!r}, which cannot be written to (Permission denied), "
        "expected one that can"
    )
