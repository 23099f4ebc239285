"""Files of cameras in the shell: described, converted, and rendered from."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typed_jobs import job_of, published

from backend import cameras, cameras_command, shell
from backend.cameras import formats
from backend.contract import ContractError

EXTRINSICS = Path(__file__).parents[1] / "data" / "camera_extrinsics.json"
NAMES = {"colmap": "model", "colmap-bin": "model.bin.d", "tum": "t.tum", "re10k": "t.txt"}


def known(frames=9, size=(832, 480)):
    lenses = np.linspace((800, 800, size[0] / 2, size[1] / 2), (900, 900, size[0] / 2, size[1] / 2), frames)
    return cameras.from_arrays(cameras.preset("arc_left", frames), lenses, *size)


def written(kind, folder, trajectory=None, rate=Fraction(24)):
    path = folder / NAMES.get(kind, f"{kind}.json")
    formats.write(path, trajectory or known(), kind, rate=rate)
    return path


@pytest.fixture
def typed(capsys):
    """What is typed after ``cameras``: the exit code, stdout and stderr."""

    def typed(*arguments):
        code = shell.main(["cameras", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


@pytest.mark.parametrize("kind", list(formats.KINDS))
def test_described(typed, kind, tmp_path):
    code, out, err = typed(written(kind, tmp_path))
    assert code == 0
    assert formats.KINDS[kind].label in out
    assert "9 frames" in out
    assert ("24 a second" in out) == ("time" in formats.KINDS[kind].holds)
    assert ("° across" in out) == ("lens" in formats.KINDS[kind].holds)
    assert err.count("recam: ") == len(err.splitlines()) > 0


def test_described_with_all_its_cameras(typed):
    _, out, err = typed(EXTRINSICS)
    assert [line.split(":")[0].strip() for line in out.splitlines()[1:11]] == [
        f"cam{each:02d}" for each in range(1, 11)
    ]
    assert "up is likely +Z" in out
    assert err.count("no lens") == 1


@pytest.mark.parametrize("source", list(formats.KINDS))
@pytest.mark.parametrize("target", list(formats.KINDS))
def test_converted(typed, source, target, tmp_path):
    path = written(source, tmp_path)
    out = tmp_path / "out" / NAMES.get(target, f"{target}.json")
    out.parent.mkdir()
    code, said, err = typed(path, out, "--to", target)
    assert (code, said) == (0, f"{out}\n"), err
    found = formats.read(out, width=832, height=480)
    np.testing.assert_allclose(cameras.arrays(found.trajectory)[0], cameras.arrays(known())[0], atol=1e-9)
    assert ("is lost" in err) == (not found.has_lens)
    if {"time"} <= formats.KINDS[source].holds & formats.KINDS[target].holds:
        assert found.rate == pytest.approx(24, rel=1e-5)  # RealEstate10K counts microseconds


def test_converted_by_its_name(typed, tmp_path):
    path = written("recam", tmp_path)
    for name, kind in (
        ("a.json", "recam"),
        ("b.TUM", "tum"),
        ("transforms.json", "nerfstudio"),
        ("camera_extrinsics.json", "published"),
        ("model", "colmap"),
    ):
        assert typed(path, tmp_path / name)[0] == 0
        assert formats.detect(tmp_path / name) == kind
    code, _, err = typed(path, tmp_path / "t.txt")
    assert code == 2
    assert "--to" in err


def test_all_cameras_at_a_scale_upright_and_at_a_rate(typed, tmp_path):
    out = tmp_path / "all.json"
    assert typed(EXTRINSICS, out, "--to", "published", "--camera", "all")[0] == 0
    assert formats.cameras(out) == formats.cameras(EXTRINSICS)
    path = written("tum", tmp_path)
    out = tmp_path / "o.json"
    assert typed(path, out, "--scale", "2", "--up=-Y", "--rate", "48", "--lens", "50", "--size", "640x480")[0] == 0
    found = formats.read(out).trajectory
    assert len(found) == 17
    assert (found.width, found.height) == (640, 480)
    assert found.intrinsics[0].fx == pytest.approx(50 / 36 * 640)
    place = np.array(known().poses[-1])[:3, 3]
    np.testing.assert_allclose(np.array(found.poses[-1])[:3, 3], (2 * place[0], 2 * place[2], -2 * place[1]), atol=1e-9)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(25, 2)])
@pytest.mark.parametrize("kind", ["re10k", "tum"])
def test_the_rate_that_is_written_is_exact_again(rate, kind, tmp_path):
    found = formats.read(written(kind, tmp_path, known(200), rate)).rate
    assert cameras_command._exact(found) == rate


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.json"], "not there"),
        (["t.json", "t.json"], "OUT: found 't.json', which exists"),
        (["t.json", "u.json", "--to", "fbx"], "--to: found fbx, expected one of recam"),
        (["t.json", "u.json", "--from", "fbx"], "kind: found fbx"),
        (["t.json", "u.json", "--camera", "cam05"], "camera: found cam05, expected nothing"),
        (["t.json", "u.json", "--size", "x"], "--size"),
        (["t.json", "u.json", "--rate", "0"], "--rate"),
        (["t.json", "u.json", "--lens", "0"], "more than 0 mm"),
        (["t.json", "u.json", "--scale", "0"], "scale: found 0.0"),
        (["t.json", "u.json", "--up", "up"], "--up: found up"),
        (["t.json", "no/u.json"], "no/u.json"),
        (["t.json", "--to", "tum"], "--to: found 'tum' without OUT"),
        (["t.json", "--camera", "cam05"], "--camera: found 'cam05' without OUT"),
        (["p.json", "u.tum", "--camera", "all"], "10 cameras"),
    ],
)
def test_refused(typed, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formats.write("t.json", known(), "recam")
    Path("p.json").write_bytes(EXTRINSICS.read_bytes())
    before = sorted(tmp_path.iterdir())
    code, out, err = typed(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_as_long_as_names_may_be(typed, tmp_path):
    long = tmp_path / ("日" * 83 + ".json")
    assert typed(written("recam", tmp_path), long)[0] == 0
    assert len(formats.read(long).trajectory) == 9


def test_the_formats_are_listed(capsys):
    with pytest.raises(SystemExit):
        shell.main(["cameras", "--help"])
    listed = capsys.readouterr().out
    for kind in formats.KINDS:
        assert f"  {kind} " in listed


def test_numpy_alone_is_needed(tmp_path):
    """Blender's own Python can do it."""
    path = written("tum", tmp_path)
    code = (
        "import sys\n"
        "for each in ('cv2', 'av', 'numba', 'OpenEXR', 'torch', 'pycolmap'): sys.modules[each] = None\n"
        f"from backend.shell import main; sys.exit(main(['cameras', {str(path)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=Path(__file__).parents[2], timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# Takes


@pytest.mark.parametrize("kind", [each for each in formats.KINDS if each != "published"])
def test_takes_from_all_of_them(kind, folder, clip):
    """The clip: 8 frames of 64 x 48 at 24."""
    wanted = known(8, (64, 48))
    path = written(kind, folder, wanted)
    told = []
    job = job_of("--footage", clip, "--trajectory", path, "--output", folder / "o.mp4", told=told)
    np.testing.assert_allclose(cameras.arrays(job.target)[0], cameras.arrays(wanted)[0], atol=1e-9)
    if "lens" in formats.KINDS[kind].holds:
        np.testing.assert_allclose(cameras.arrays(job.target)[1], cameras.arrays(wanted)[1], atol=1e-6)
    assert ("how long a unit is" in " ".join(told)) == ("scale" not in formats.KINDS[kind].holds)


def test_times_are_brought_to_the_takes_rate(folder, clip):
    path = written("tum", folder, known(15, (64, 48)), Fraction(48))
    told = []
    job = job_of("--footage", clip, "--trajectory", path, "--output", folder / "o.mp4", told=told)
    np.testing.assert_allclose(cameras.arrays(job.target)[0], cameras.arrays(known(15, (64, 48)))[0][::2], atol=1e-9)
    assert any("brought to 24" in each for each in told)
    assert not any("stretched" in each for each in told)


def test_lens_is_for_files_without_one(folder, clip):
    path = written("tum", folder, known(8, (64, 48)))
    job = job_of("--footage", clip, "--trajectory", path, "--output", folder / "o.mp4", "--lens", "36")
    assert job.target.intrinsics[0].fx == pytest.approx(64)
    source = written("recam", folder, known(8, (64, 48)))
    other = written("nerfstudio", folder, known(8, (64, 48)))
    both = ["--footage", clip, "--trajectory", other, "--source", source, "--output", folder / "o.mp4"]
    assert job_of(*both).source is not None
    with pytest.raises(ContractError, match="--lens"):
        job_of(*both, "--lens", "36")


def test_two_cameras_of_one_published_file_stand_where_it_says(folder, clip):
    """Here cam02 starts 2 m behind cam01 and to its right; each alone would start at the same place."""
    data = {
        f"frame{index}": {
            "cam01": f"[1 0 0 0] [0 1 0 0] [0 0 1 0] [{100 + index} 0 0 1] ",
            "cam02": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [-100 50 0 1] ",
        }
        for index in range(8)
    }
    path = folder / "e.json"
    path.write_text(json.dumps(data))
    arguments = ["--footage", clip, "--trajectory", path, "--camera", "cam02", "--output", folder / "o.mp4"]
    job = job_of(*arguments, "--source", path, "--source-camera", "cam01")
    np.testing.assert_allclose(np.array(job.source.poses)[:, :3, 3], [(0, 0, index / 100) for index in range(8)])
    np.testing.assert_allclose(np.array(job.target.poses)[:, :3, 3], [(0.5, 0, -2)] * 8)
    alone = job_of(*arguments)
    np.testing.assert_allclose(np.array(alone.target.poses)[:, :3, 3], 0, atol=1e-12)
    other = job_of(*arguments, "--source", published(folder))
    np.testing.assert_allclose(np.array(other.target.poses)[0], np.eye(4), atol=1e-12)
