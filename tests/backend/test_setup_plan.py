"""What set-up says beforehand: what it would do, with which Python, and what it costs."""

import os
import shutil
import sys
import time
import venv
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from backend.environment import builds, marker, sizes
from backend.environment import plan as planning
from backend.environment.builds import Gpu, Machine
from backend.environment.errors import SetupError
from backend.environment.marker import Marker
from backend.environment.messages import Wish
from backend.environment.plan import plan

HERE = "{}.{}.{}".format(*sys.version_info[:3])
LINUX = "linux-x86_64"
BARE = sizes.of_set_up(LINUX, bare=True, reproject=True, recammaster=False)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of a known kind, without a GPU."""
    monkeypatch.setattr(builds, "look", lambda: Machine(LINUX))
    monkeypatch.setattr(planning.builds, "platform_of", lambda system, processor: LINUX)


@pytest.fixture
def wish(folder):
    return Wish(folder=str(folder / "environment"), base=sys.executable)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "environment"
    venv.create(path, with_pip=False)
    return path


@pytest.fixture
def made(wish, empty):
    """An environment as its marker describes one that was made for engines, with so much of what is pinned."""

    def make(*engines, pins=None, build="", **other):
        folder = Path(wish.folder)
        shutil.copytree(empty, folder, symlinks=True)
        pins = marker.pins_of(engines[-1]) if pins is None else frozenset(pins)
        for each in pins:
            (marker.site_packages(folder)[0] / f"{each.replace('==', '-')}.dist-info").mkdir()
        told = {"engines": list(engines), "python_version": HERE}
        described = Marker(whole=True, ours=True, requirements=pins, build=build, told=told)
        marker.write(folder, replace(described, **other))
        return folder

    return make


def test_from_nothing(wish):
    began = time.monotonic()
    found = plan(wish)
    assert time.monotonic() - began < 2
    assert (found.action, found.python_version, found.torch, found.reason) == ("make", HERE, "", "")
    assert not os.path.lexists(wish.folder)
    assert (found.download, found.disk) == BARE
    assert found.free > 0


def test_a_folder_that_cannot_be_is_told(wish):
    with pytest.raises(SetupError, match=r"File name too long.*choose another folder"):
        plan(replace(wish, folder=f"{wish.folder}{'a' * 300}"))


def test_a_package_that_has_gone_is_to_be_added(wish, made):
    folder = made("reproject")
    assert plan(wish).action == "nothing"
    next(marker.site_packages(folder)[0].glob("numpy-*")).rmdir()
    found = plan(wish)
    assert found.action == "add"
    assert found.download > 0


def test_a_check_says_what_it_costs_at_most(wish, made):
    made("reproject")
    found = plan(replace(wish, check=True))
    assert (found.action, found.download) == ("check", BARE.download)


def test_with_torch_it_says_which_and_why(wish, monkeypatch):
    found = plan(replace(wish, engine="recammaster"))
    assert found.torch == "cpu"
    assert "No GPU" in found.reason
    monkeypatch.setattr(builds, "look", lambda: Machine(LINUX, (Gpu("RTX 4090", (8, 9), "580.65.06"),)))
    large = plan(replace(wish, engine="recammaster"))
    assert large.torch == "cu130"
    torch = sizes.TORCH[LINUX, "cu130"]
    assert large.download - found.download == torch.download - sizes.TORCH[LINUX, "cpu"].download
    assert large.disk - large.download > torch.disk


def test_what_cannot_be_done_is_told_before(wish, monkeypatch):
    monkeypatch.setattr(builds, "look", lambda: Machine(LINUX, (Gpu("RTX 4090", (8, 9), "470.1"),)))
    with pytest.raises(SetupError, match="update the driver"):
        plan(replace(wish, engine="recammaster"))
    assert plan(wish).action == "make"  # which needs no GPU
    with pytest.raises(SetupError, match="cannot be used"):
        plan(replace(wish, base="/nowhere/python3"))


def test_what_is_ready_stays(wish, made):
    folder = made("reproject")
    found = plan(wish)
    assert (found.action, found.python) == ("nothing", str(marker.interpreter(folder)))
    assert (found.download, found.disk, found.python_version) == (0, 0, HERE)


def test_what_a_whole_one_lacks_is_added(wish, made):
    made("reproject")
    found = plan(replace(wish, engine="recammaster"))
    assert (found.action, found.torch, found.python_version) == ("add", "cpu", HERE)
    assert found.download == sizes.RECAMMASTER[LINUX].download + sizes.TORCH[LINUX, "cpu"].download


def test_only_what_changed_is_counted(wish, made):
    """An upgrade of ReCam with another version of one small package does not load torch again."""
    pins = {each for each in marker.pins_of("recammaster") if not each.startswith("peft==")} | {"peft==0.1"}
    made("reproject", "recammaster", pins=pins, build="cpu")
    found = plan(replace(wish, engine="recammaster"))
    assert found.action == "add"
    assert found.download == sizes.RECAMMASTER[LINUX].download


def test_another_build_of_torch_counts_alone(wish, made):
    made("reproject", "recammaster", build="cpu")
    assert plan(replace(wish, engine="recammaster")).action == "nothing"
    found = plan(replace(wish, engine="recammaster", torch="cu126"))
    assert (found.action, found.torch) == ("add", "cu126")
    assert found.download == sizes.TORCH[LINUX, "cu126"].download


def test_what_is_half_made_is_made_anew(wish, made):
    made("reproject", whole=False)
    found = plan(wish)
    assert (found.action, (found.download, found.disk)) == ("repair", BARE)


def test_what_does_not_start_any_more_is_made_anew(wish, made):
    """The Python that it was made with is gone, as with an upgrade of Blender."""
    python = marker.interpreter(made("reproject"))
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert plan(wish).action == "repair"


def test_what_is_not_ours_is_refused(wish, folder):
    (folder / "environment").mkdir()
    assert plan(wish).action == "make"
    (folder / "environment" / "mine.txt").write_text("mine")
    with pytest.raises(SetupError) as caught:
        plan(wish)
    assert caught.value.kind == "foreign"


def test_a_folder_of_wheels_needs_no_download(wish, folder):
    (folder / f"torch-{builds.VERSION}+cu126-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    small = plan(replace(wish, wheels=str(folder)))
    assert (small.action, small.download) == ("make", 0)
    assert 0 < small.disk < BARE.disk


def test_free_room_is_that_of_the_disk_that_it_will_lie_on(wish, folder, monkeypatch):
    asked = []
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda place: asked.append(place) or usage(9, 4, 5))
    assert plan(replace(wish, folder=str(folder / "not" / "yet" / "there"))).free == 5
    assert asked == [folder]
