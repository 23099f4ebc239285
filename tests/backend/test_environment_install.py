"""Set-up as Blender and a shell ask for it: made, added to, brought up to date, told; from wheels and from an index."""

import shutil
import sys
import threading
import time

import pytest
from package_index import Index, wheel
from tiny_environments import build

from backend import __version__, environment
from backend.contract import Progress
from backend.environment import MARKER, SetupError, making, marker, pip
from backend.environment.messages import State


def test_makes_one_in_earnest_and_tells_of_it(place):
    told = []
    made = place.install(report=told.append)

    assert made.kind == "ready"
    assert made.engines == ("reproject",)
    assert (made.recam, made.device, made.memory) == (__version__, "CPU", 1000)
    assert made.python == str(environment.interpreter(place.folder))
    assert made.python_version == ".".join(map(str, sys.version_info[:3]))
    assert "shot==1" in made.packages
    assert made.size > 10**6
    assert made.made.startswith("20")
    assert made.made.endswith("+00:00")
    assert environment.state(place.folder) == made == State.from_json(made.to_json())
    assert place.version_of() == "1"

    phases = list(dict.fromkeys(each.phase for each in told))
    in_order = ["Making the environment", "Looking for packages", "Installing packages", "Checking with a small take"]
    assert [each for each in phases if each in in_order] == in_order
    log = environment.log_of(place.folder).read_text(encoding="utf-8")
    assert "Successfully installed shot-1" in log
    assert sorted(each.name for each in place.environments.iterdir()) == [
        ".environment.recam.lock",
        "environment",
        "environment.recam.log",
    ]


def test_a_ready_one_is_left_as_it_is_and_nothing_is_told(ready):
    first = environment.state(ready.folder)
    before = (ready.folder / MARKER).stat().st_mtime_ns
    told = []
    assert ready.install(report=told.append) == first
    assert told == []
    assert (ready.folder / MARKER).stat().st_mtime_ns == before


def test_a_package_that_somebody_removed_is_brought_back(ready):
    for each in [*marker.site_packages(ready.folder)[0].glob("shot*")]:
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    assert ready.version_of() == ""
    assert ready.install().kind == "ready"
    assert ready.version_of() == "1"


def test_a_whole_one_that_works_no_more_is_found_out_by_a_check_and_made_anew(ready):
    """As when a virus scanner takes a library away: what is installed looks as before."""
    (module,) = marker.site_packages(ready.folder)[0].glob("shot.py")
    module.unlink()
    assert ready.install().kind == "ready"
    assert ready.version_of() == ""
    assert ready.install(check=True).kind == "ready"
    assert ready.version_of() == "1"


def test_one_that_failed_its_check_is_not_called_ready(ready):
    (module,) = marker.site_packages(ready.folder)[0].glob("shot.py")
    module.unlink()
    for each in ready.wheels.glob("shot-*"):
        each.unlink()
    with pytest.raises(SetupError, match="no shot==1 at all"):
        ready.install(check=True)
    assert environment.state(ready.folder).kind == "unfinished"


def test_a_check_tells_anew_what_it_was_seen_on_and_keeps_what_works(ready):
    """As after an update of the GPU's driver."""
    check = ready.root / "check.py"
    check.write_text(check.read_text().replace('"CPU"', '"GPU"'))
    kept = ready.folder / "lib" / "kept.txt"
    kept.write_text("here since it was made")
    assert ready.install().device == "CPU"
    assert ready.install(check=True).device == "GPU"
    assert kept.exists()


def test_adds_the_engine_with_torch_in_place_and_keeps_it(ready, monkeypatch):
    kept = ready.folder / "lib" / "kept.txt"
    kept.write_text("here since it was made")

    made = ready.install(engine="recammaster", torch="cpu")
    assert made.engines == ("reproject", "recammaster")
    assert made.torch == "1+cpu"
    assert kept.exists()

    # who asks for the lesser engine afterwards does not lose the other, also where its pins change
    assert ready.install() == made
    wheel(ready.wheels, "2", "version = '2'", "torch")
    ready.pin("recammaster", "torch==2")
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("cpu", version="2+"))
    assert environment.state(ready.folder).kind == "outdated"
    made = ready.install()
    assert (made.kind, made.engines, made.torch) == ("ready", ("reproject", "recammaster"), "2")


def test_another_build_of_torch_takes_the_place_of_the_first(place, quick, index, monkeypatch):
    assert place.install(wheels="", engine="recammaster", torch="cpu").torch == "1+cpu"
    assert place.install(wheels="", engine="recammaster").torch == "1+cpu"  # auto: what there is
    assert place.install(wheels="", engine="recammaster", torch="cu9").torch == "1+cu9"
    assert place.install(wheels="", engine="recammaster", torch="auto").torch == "1+cu9"
    # a build whose name is no part of its version, as on PyPI
    for each in place.wheels.glob("torch-1+*"):
        each.unlink()
    wheel(place.wheels, "1", "version = '1'", "torch")
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("mps", version="1+"))
    assert place.install(wheels="", engine="recammaster", torch="mps").torch == "1"


def test_another_build_than_the_one_asked_for_is_not_passed_off_as_it(place, quick, index, monkeypatch):
    """pip takes a 1+cpu for the 1 of PyPI that was wanted, where its settings name a place with that."""
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("cu130", version="1+"))
    (place.wheels / "torch-1+cu9-py3-none-any.whl").unlink()
    with pytest.raises(SetupError, match=r"cu130 was asked for, but .*torch==1\+cpu.*Take cpu") as caught:
        place.install(wheels="", engine="recammaster", torch="cu130")
    assert caught.value.kind == "packages"
    assert environment.state(place.folder).kind == "unfinished"
    assert place.install(wheels="", engine="recammaster").torch == "1+cpu"
    assert place.marker()["build"] == "cpu"


def test_what_the_check_has_to_say_is_kept_for_whoever_looks(place, quick):
    check = place.root / "check.py"
    check.write_text(check.read_text().replace('"notes": []', '"notes": ["Update the driver."]'))
    assert place.install().notes == ("Update the driver.",)
    assert environment.state(place.folder).notes == ("Update the driver.",)


def test_pins_of_a_newer_recam_are_brought_in_place(ready):
    kept = ready.folder / "lib" / "kept.txt"
    kept.write_text("here since it was made")
    ready.pin("backend", "shot==2")
    assert environment.state(ready.folder).kind == "outdated"
    made = ready.install()
    assert (made.kind, ready.version_of(), kept.exists()) == ("ready", "2", True)
    assert ready.marker()["requirements"] == ["shot==2"]


def test_a_pin_that_is_gone_is_not_asked_for_again(place, quick):
    """An older ReCam's may not fit what the newer one needs."""
    place.pin("backend", "shot==1", "torch==1")
    place.install()
    place.pin("backend", "shot==2")
    for each in place.wheels.glob("torch-*"):
        each.unlink()
    assert place.install().kind == "ready"


def test_what_somebody_put_into_one_is_still_theirs_after_an_addition(ready):
    (ready.folder / "film.mp4").write_text("mine")
    ready.pin("backend", "shot==2")
    assert ready.install().kind == "ready"
    with pytest.raises(SetupError, match=r"film\.mp4"):
        environment.remove(ready.folder)
    assert (ready.folder / "film.mp4").exists()


def test_an_upgrade_that_does_not_work_is_not_ready_and_the_next_begins_anew(ready):
    ready.pin("backend", "shot==3")
    with pytest.raises(SetupError, match=r"does not work.*libXi\.so\.6") as caught:
        ready.install()
    assert caught.value.kind == "verify"
    assert environment.state(ready.folder).kind == "unfinished"
    ready.pin("backend", "shot==2")
    assert ready.install().kind == "ready"
    assert ready.version_of() == "2"


def test_an_unfinished_one_tells_what_it_was_to_be(ready, monkeypatch):
    """So that it can be made whole by who only finds it."""
    wanted = frozenset({"shot==1", "torch==1"})
    monkeypatch.setattr(making, "_finish", lambda *rest: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ready.install(engine="recammaster", torch="cpu")
    found = marker.read(ready.folder)
    assert (found.whole, found.requirements, found.build) == (False, wanted, "cpu")
    with pytest.raises(KeyboardInterrupt):  # now made anew
        ready.install(engine="recammaster", torch="cpu")
    found = marker.read(ready.folder)
    assert (found.whole, found.requirements, found.build) == (False, wanted, "cpu")


def test_one_without_its_python_is_unfinished_and_made_again(ready):
    """As where the system's Python was upgraded, or Blender was."""
    python = environment.interpreter(ready.folder)
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert environment.state(ready.folder).kind == "unfinished"
    assert ready.install().kind == "ready"


def test_one_of_a_python_that_no_longer_will_do_is_made_again(ready, monkeypatch):
    stray = ready.folder / "lib" / "stray.txt"
    stray.write_text("of the old Python")
    ready.pin("backend", "shot==2")
    fits = making.fits
    monkeypatch.setattr(making, "fits", lambda recipe: stray.exists() is False and fits(recipe))
    assert ready.install().kind == "ready"
    assert not stray.exists()


# From a folder of wheels


def test_with_wheels_nothing_goes_online(place, quick, index, monkeypatch, tmp_path):
    """Not even to where pip's own settings point."""
    settings = tmp_path / "pip" / "pip.conf"
    settings.parent.mkdir()
    settings.write_text(f"[global]\nindex-url = {index.url}\nfind-links = {index.url}shot/\n")
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
    assert place.install().kind == "ready"
    assert index.asked == []


def test_wheels_that_do_not_suffice_are_told_by_name(place, quick):
    (place.wheels / "shot-1-py3-none-any.whl").unlink()
    with pytest.raises(SetupError, match=r"there is no shot==1") as caught:
        place.install()
    assert caught.value.kind == "packages"
    assert "wheels" in str(caught.value)


def test_wheels_of_another_platform_do_not_count(place, quick):
    (place.wheels / "shot-1-py3-none-any.whl").rename(place.wheels / "shot-1-cp27-cp27m-win32.whl")
    with pytest.raises(SetupError, match="there is no shot==1"):
        place.install()


def test_nothing_is_built_from_source(place, quick):
    """What is no wheel would run its own code, and need compilers."""
    (place.wheels / "shot-1-py3-none-any.whl").unlink()
    (place.wheels / "shot-1.tar.gz").write_bytes(b"")
    with pytest.raises(SetupError, match="there is no shot==1"):
        place.install()


def test_no_folder_of_wheels_and_no_whole_path_are_told_at_once(place):
    with pytest.raises(SetupError, match="no folder of wheels"):
        place.install(wheels=str(place.root / "not there"))
    with pytest.raises(SetupError, match="whole path"):
        place.install(folder="environment")
    with pytest.raises(SetupError, match="whole path"):
        place.install(folder="/")
    assert not place.environments.exists()


# From an index


def test_what_lacks_is_downloaded_with_bytes_and_their_speed(place, quick, index, empty):
    if pip.version(empty) < pip.RAW:
        pytest.skip("the environment of these tests was made before set-up brought a newer pip: make it anew")
    wheel(place.wheels, "5", "version = 5", size=1_200_000)
    place.pin("backend", "shot==5")
    index.speed = 1_500_000
    told = []
    assert place.install(wheels="", report=told.append).kind == "ready"
    assert index.downloads() == ["shot-5-py3-none-any.whl"]
    bytes_told = [each for each in told if each.phase == "Downloading shot"]
    total = (place.wheels / "shot-5-py3-none-any.whl").stat().st_size
    assert bytes_told[-1].step == bytes_told[-1].total == total
    assert {each.unit for each in bytes_told} == {"bytes"}
    assert [each.step for each in bytes_told] == sorted(each.step for each in bytes_told)
    speeds = [each.per_second for each in bytes_told if each.per_second]
    assert speeds
    assert all(10**5 < each < 3 * 10**6 for each in speeds), speeds
    assert any(each.seconds_left for each in bytes_told)
    installing = [each for each in told if each.phase == "Installing packages"]
    assert all(isinstance(each, Progress) and each.total == 1 for each in installing)


def test_the_index_of_torch_is_asked_for_torch_alone(place, quick, index, monkeypatch, tmp_path):
    """It may be slow or out of reach, and what else it has is seldom the newest."""
    others = tmp_path / "of torch"
    others.mkdir()
    for name in ("torch-1+cpu-py3-none-any.whl", "torch-1+cu9-py3-none-any.whl"):
        (place.wheels / name).rename(others / name)
    wheel(others, "1", "version = 'not this one'")
    wheel(others, "1+cpu", "version = '1+cpu'", "torch", needs=["lens"])
    wheel(place.wheels, "1", "version = 1", "lens")
    with Index(others) as second:
        chosen = build("cpu", second.url)
        monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: chosen)
        assert place.install(wheels="", engine="recammaster").torch == "1+cpu"
        assert {each.strip("/") for each in second.asked if "simple" in each} == {"simple/torch"}
        assert place.version_of() == "1"
        assert place.version_of("lens") == "1"

        # what only that index has comes from there after all, as ROCm's libraries do
        environment.remove(place.folder)
        (place.wheels / "lens-1-py3-none-any.whl").rename(others / "lens-1-py3-none-any.whl")
        assert place.install(wheels="", engine="recammaster").torch == "1+cpu"
        assert place.version_of("lens") == "1"


def test_a_newer_torch_is_chosen_for_the_machine_again(place, quick, index, monkeypatch):
    """A plain pin would bring another build than the one that was chosen."""
    place.install(wheels="", engine="recammaster")
    wheel(place.wheels, "2", "version = '2'", "torch")
    wheel(place.wheels, "2+cpu", "version = '2+cpu'", "torch")
    place.pin("recammaster", "torch==2")
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("cpu", version="2"))
    assert place.install(wheels="", engine="recammaster").torch == "2+cpu"


def test_what_is_not_there_in_the_end_is_not_noted(place, quick, index):
    """The build that is chosen here is of an older torch than the one that is pinned."""
    place.pin("recammaster", "torch==2")
    with pytest.raises(SetupError, match="torch==2 is not there"):
        place.install(wheels="", engine="recammaster")
    assert environment.state(place.folder).kind == "unfinished"


def test_pip_is_brought_first_where_it_is_older(place, quick, index, empty):
    """The pip that tells bytes: here the one that is there already, by another number."""
    wheel(place.wheels, "99", "version = 99", "pip_stand_in")
    place.pin("pip", "pip_stand_in==99")
    place.install(wheels="")
    assert index.downloads() == ["pip_stand_in-99-py3-none-any.whl", "shot-1-py3-none-any.whl"]
    place.install(wheels="")
    assert len(index.downloads()) == 2


def test_settings_that_put_packages_elsewhere_are_not_heeded(place, quick, index, monkeypatch, tmp_path):
    for name in ("TARGET", "PREFIX", "ROOT", "USER", "DRY_RUN", "REQUIREMENT", "NO_BINARY"):
        monkeypatch.setenv(f"PIP_{name}", str(tmp_path / "elsewhere"))
    assert place.install(wheels="").kind == "ready"
    assert place.version_of() == "1"
    assert not (tmp_path / "elsewhere").exists()


def test_passwords_in_addresses_are_not_written_down(place, quick, index, monkeypatch):
    url = index.url.replace("://", "://me:secret123@")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setattr(making, "_choose_build", lambda torch, wheels: build("cpu", url))
    index.password = "me:secret123"
    place.pin("backend", "shot==99")
    with pytest.raises(SetupError) as caught:
        place.install(wheels="", engine="recammaster")
    log = environment.log_of(place.folder).read_text(encoding="utf-8")
    assert "extra-index-url=http://****@127" in log
    assert "secret123" not in log + str(caught.value)
    place.pin("backend", "shot==1")
    assert place.install(wheels="").kind == "ready"


# Cancelled


@pytest.mark.parametrize("phase", ["Making the environment", "Downloading shot", "Checking with a small take"])
def test_cancelled_it_stops_at_once_and_goes_on_later(place, quick, index, phase):
    name = wheel(place.wheels, "5", "version = 5", size=1_200_000).name
    place.pin("backend", "shot==5")
    index.pause.add(name)
    asked, phases = threading.Event(), []

    def report(progress):
        phases.append(progress.phase)
        if progress.phase.startswith("Checking") or phase in ("Making the environment",):
            index.go.set()
        if progress.phase == phase:
            asked.set()

    if phase.startswith("Checking"):
        index.go.set()
    began = time.monotonic()
    with pytest.raises(SetupError) as caught:
        place.install(wheels="", report=report, cancelled=asked.is_set)
    assert caught.value.kind == "cancelled"
    assert time.monotonic() - began < 20
    assert phases[-1] == phase
    assert environment.state(place.folder).kind in ("unfinished", "missing")
    index.go.set()
    assert place.install(wheels="").kind == "ready"
