"""Set-up from inside Blender, against a set-up process that behaves as it is told: what is asked, told and left."""

import os
import sys
import types
from pathlib import Path

import bpy
import pytest
import setups

# The fake


@pytest.fixture
def fake(recam, folder, monkeypatch):
    made = setups.FakeSetup(folder / "fake", recam.addon.backend.__version__)
    monkeypatch.setattr(recam("runtime"), "package_folder", lambda: str(made.folder))
    yield made
    recam("setup").end()
    recam("tasks").forget("setup")


@pytest.fixture(autouse=True)
def own(recam, folder, monkeypatch):
    with setups.first_start(recam, folder, monkeypatch) as own:
        yield own


@pytest.fixture
def run(recam):
    """Run a generator of setup.py to its end; its phases and what came of it."""

    def run(work):
        seen = []
        came = recam("tasks").drain(work, lambda progress: seen.append(progress))
        return seen, came

    return run


def refused(recam, what, *words, kind=None):
    with pytest.raises(recam("errors").ReCamError) as told:
        what()
    assert all(word in str(told.value) for word in words), told.value
    assert "Traceback" not in str(told.value)
    if kind is not None:
        assert told.value.kind == kind
    return str(told.value)


def test_an_installation_asks_for_what_is_wished_and_tells_where_it_stands(recam, fake, run, folder):
    told = {"phase": "downloading torch", "step": 250, "total": 1000, "unit": "bytes", "per_second": 125.0}
    fake.behaves(
        progress=[told, told | {"step": 1000, "seconds_left": 3.0}],
        answers={"install": setups.state(folder / "environment", engines=["reproject", "recammaster"])},
    )
    seen, came = run(recam("setup").install("recammaster", torch="cpu"))
    (asked,) = fake.asked("install")
    assert asked["wish"] == {
        "folder": str(folder / "environment"),
        "engine": "recammaster",
        "torch": "cpu",
        "wheels": "",
        "base": "",
        "check": False,
    }
    downloads = [each for each in seen if each.phase == "downloading torch"]
    assert [downloads[0].step, downloads[-1].step] == [250, 1000]
    assert recam("telling").phase(downloads[0]) == "Downloading torch 250 bytes of 1.0 kB at 125 bytes/s"
    assert came.kind == "ready"
    assert came.engines == ("reproject", "recammaster")


def test_blender_itself_installs_by_its_button_and_says_how_it_went(recam, fake, folder):
    fake.behaves(answers={"install": setups.state(folder / "environment", torch="2.13.0+cpu", device="CPU")})
    assert bpy.ops.recam.setup_install(engine="reproject") == {"FINISHED"}
    ended = recam("tasks").ended("setup")
    assert (ended.kind, ended.text) == ("done", "Ready: Reproject. Networks run on CPU.")


@pytest.mark.parametrize("kind", ["python", "network", "disk", "packages", "busy", "verify", "foreign", "other"])
def test_what_fails_is_told_in_its_own_words(recam, fake, kind):
    fake.behaves(fail=kind, message="There is no room: 3 GB are needed.\nThe last lines:\n  boo")
    setup = recam("setup")
    text = refused(recam, lambda: recam("tasks").drain(setup.install("reproject")), kind=kind)
    assert text == "There is no room: 3 GB are needed.\nThe last lines:\n  boo"
    with pytest.raises(RuntimeError, match="There is no room: 3 GB are needed"):
        bpy.ops.recam.setup_install(engine="reproject")
    ended = recam("tasks").ended("setup")
    assert (ended.kind, ended.text) == ("failed", text)
    assert recam("tasks").running("setup") is None


@pytest.mark.skipif(sys.platform == "win32", reason="a signal's name")
@pytest.mark.parametrize(("crash", "words"), [("kill", "SIGKILL"), ("3", "exit code 3")])
def test_a_set_up_that_dies_is_told_of_with_the_end_of_its_log(recam, fake, crash, words):
    fake.behaves(crash=crash, says="Boo, said pip é.")
    text = refused(recam, lambda: recam("tasks").drain(recam("setup").install("reproject")), words, kind="died")
    assert text.startswith("Set-up ")
    assert "Boo, said pip é." in text


@pytest.mark.parametrize("manners", ["obeys", "deaf"])
def test_cancelling_ends_the_process_whether_it_listens_or_not(recam, fake, monkeypatch, manners):
    setup = recam("setup")
    monkeypatch.setattr(setup, "_CLOSE_SECONDS", 0.3)
    fake.behaves(wait=manners)
    work = setup.install("reproject")
    setups.wait_for(lambda: next(work) and fake.place("waiting").exists())
    pid = fake.pid
    assert setups.is_running(pid)
    work.close()
    setups.wait_for(lambda: not setups.is_running(pid))
    assert fake.place("cancelled").exists() == (manners == "obeys")


def test_the_next_set_up_waits_for_the_end_of_the_one_before(recam, fake, folder, run):
    fake.behaves(wait="obeys")
    work = recam("setup").install("reproject")
    setups.wait_for(lambda: next(work) and fake.place("waiting").exists())
    first = fake.pid
    fake.behaves(answers={"plan": setups.PLAN})
    work.close()
    run(recam("setup").plan("reproject"))
    assert not setups.is_running(first)
    assert fake.pid != first


@pytest.mark.parametrize("is_there", [False, True])
def test_a_user_folder_that_may_not_be_written_to_is_named(recam, fake, folder, monkeypatch, is_there):
    (folder / "home").mkdir()
    if is_there:
        monkeypatch.setattr(recam("runtime").os, "access", lambda path, mode: False)
    else:
        (folder / "home" / "logs").write_text("a file in the folder's place")
    monkeypatch.setattr(recam("preferences"), "user_folder", lambda **_: str(folder / "home"))
    text = refused(recam, lambda: recam("tasks").drain(recam("setup").install("reproject")), "home", "written to")
    assert "cannot be started" not in text


def test_a_set_up_of_another_version_is_refused(recam, fake):
    fake.behaves(version="9.9.9", wait="obeys")
    refused(recam, lambda: recam("tasks").drain(recam("setup").install("reproject")), "restart Blender")


def test_an_answer_that_nobody_understands_is_told_of(recam, fake):
    fake.behaves(answers={"install": {"kind": "splendid", "folder": "/x"}})
    refused(recam, lambda: recam("tasks").drain(recam("setup").install("reproject")), "splendid", "restart Blender")


def test_nothing_of_ours_uses_the_environment_while_it_changes(recam, fake, folder, backend_python, run, monkeypatch):
    runtime = recam("runtime")
    fake.behaves(answers={"install": setups.state(folder), "remove": setups.state(folder, kind="missing")})
    for work in (recam("setup").install, lambda _: recam("setup").remove()):
        with monkeypatch.context() as real:
            real.setattr(runtime, "package_folder", lambda: str(Path(recam.addon.__file__).parent))
            pid = runtime.worker(backend_python).pid
        run(work("reproject"))
        assert not setups.is_running(pid)
    jobs = recam("jobs")
    jobs.add(recam("request").Request(scene="Scene", strip="clip"))
    try:
        refused(recam, lambda: run(recam("setup").install("reproject")), "take is being made")
        with pytest.raises(RuntimeError, match="A take is being made"):
            bpy.ops.recam.setup_install(engine="reproject")
    finally:
        jobs.clear()
    assert len(fake.asked("install")) == 1


# Online


def test_nothing_is_downloaded_where_blender_may_not_go_online(recam, fake, folder, run):
    bpy.context.preferences.system.use_online_access = False
    for work in (recam("setup").install("reproject"), recam("setup").repair()):
        refused(recam, lambda work=work: run(work), "start it with --online-mode")
    assert not fake.asked("install")
    assert bpy.ops.recam.allow_online() == {"FINISHED"}
    assert bpy.app.online_access
    fake.behaves(answers={"install": setups.state(folder)})
    run(recam("setup").install("reproject"))
    assert len(fake.asked("install")) == 1


def test_a_folder_of_wheels_needs_no_network(recam, fake, folder, run, own):
    bpy.context.preferences.system.use_online_access = False
    (folder / "wheels é").mkdir()
    fake.behaves(answers={"install": setups.state(folder)})
    run(recam("setup").install("reproject", wheels=str(folder / "wheels é")))
    own.wheels = str(folder / "wheels é")
    run(recam("setup").repair())
    assert [each["wish"]["wheels"] for each in fake.asked("install")] == [str(folder / "wheels é")] * 2
    refused(
        recam, lambda: run(recam("setup").install("reproject", wheels="/no/such/wheels")), "'/no/such/wheels'", "wheels"
    )


def test_a_blender_that_was_started_offline_is_told_what_helps(recam, fake, run, monkeypatch):
    app = types.SimpleNamespace(online_access=False, online_access_override=True)
    monkeypatch.setattr(recam("runtime"), "bpy", types.SimpleNamespace(app=app, types=bpy.types))
    refused(recam, lambda: run(recam("setup").install("reproject")), "--offline-mode")
    assert recam("needs").offline().button is None


# What there is


def test_the_environment_lies_among_the_extensions_own_files(recam, own, folder, monkeypatch):
    own.property_unset("environment")
    home = bpy.utils.extension_path_user(recam.addon.__name__)
    assert recam("setup").folder() == Path(home) / "environment"
    monkeypatch.setattr(recam("environment").sys, "platform", "win32")
    assert recam("setup").folder() == Path(home) / "environment"
    monkeypatch.setenv("LOCALAPPDATA", str(folder))
    short = recam("setup").folder()
    assert short.parent == folder / "ReCam"
    assert len(short.name) == len("env-") + 8
    monkeypatch.undo()
    own.environment = str(folder / "elsewhere é")
    assert recam("setup").folder() == folder / "elsewhere é"


def test_the_state_is_told_without_a_process_and_read_anew_only_when_it_changes(recam, folder, monkeypatch):
    marker = recam.backend("environment.marker")
    looks = []
    look = marker.state
    monkeypatch.setattr(marker, "state", lambda place: looks.append(place) or look(place))

    def never(*_arguments, **_options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.Popen", never)
    state = recam("setup").state
    assert state().kind == "missing"
    setups.make_environment(recam, folder / "environment", device="CPU")
    assert (state().kind, state().engines, state().device) == ("ready", ("reproject",), "CPU")
    seen = len(looks)
    for _ in range(50):
        state()
    assert len(looks) == seen
    setups.make_environment(recam, folder / "environment", whole=False)
    assert state().kind == "unfinished"
    setups.make_environment(recam, folder / "environment", pins=["numpy==0.1"])
    assert state().kind == "outdated"


def test_a_python_that_has_gone_is_noticed_though_the_marker_stays(recam, folder, monkeypatch):
    setups.make_environment(recam, folder / "environment")
    assert recam("setup").state().kind == "ready"
    setups.interpreter(folder / "environment").unlink()
    monkeypatch.setattr(recam("environment"), "_KEPT_SECONDS", 0.0)
    assert recam("setup").state().kind == "unfinished"


def test_the_backends_python_is_the_users_own_and_else_the_environments(recam, own, folder, monkeypatch):
    python = recam("environment").backend_python
    refused(recam, python, "Install", "Preferences > Add-ons > ReCam", "RECAM_PYTHON")
    place = folder / "environment"
    setups.make_environment(recam, place, whole=False)
    refused(recam, python, "Repair")
    setups.make_environment(recam, place, pins=["numpy==0.1"])
    refused(recam, python, "Update")
    setups.make_environment(recam, place)
    assert python() == str(setups.interpreter(place))
    own.environment = str(folder)  # which holds other things
    recam("environment").changed()
    refused(recam, python, str(folder), "did not make")
    for name in ("preferred", "variable", "given"):
        (folder / name).touch()
    own.python = str(folder / "preferred")
    assert python() == str(folder / "preferred")
    monkeypatch.setenv("RECAM_PYTHON", str(folder / "variable"))
    assert python() == str(folder / "variable")
    assert python(str(folder / "given")) == str(folder / "given")
    refused(recam, lambda: python("/no/such/python"), "'/no/such/python'")


def test_a_repair_is_for_what_the_environment_was_begun_for(recam, fake, folder, run):
    assert recam("setup").wanted() == ("reproject", "auto")
    fake.behaves(answers={"install": setups.state(folder)})
    for engines, build in ((["reproject"], ""), (["reproject", "recammaster"], "cu126")):
        setups.make_environment(recam, folder / "environment", engines=engines, whole=False, build=build)
        run(recam("setup").repair())
    wishes = [each["wish"] for each in fake.asked("install")]
    assert [(each["engine"], each["torch"]) for each in wishes] == [("reproject", "auto"), ("recammaster", "cu126")]
    assert all(each["check"] for each in wishes)


# The user's own Python


def test_a_python_of_the_users_own_is_asked_and_used(recam, fake, own, folder):
    path = folder / "my python"
    path.touch()
    fake.behaves(answers={"probe": setups.PROBE | {"python": str(path)}})
    assert bpy.ops.recam.setup_use_python(filepath=str(path), engine="reproject") == {"FINISHED"}
    assert fake.asked("probe") == [{"python": str(path), "engine": "reproject"}]
    assert own.python == str(path)
    assert "3.12.1" in recam("tasks").ended("setup").text
    assert bpy.ops.recam.setup_own_environment() == {"FINISHED"}
    assert own.python == ""


def test_a_python_that_can_do_nothing_is_not_used_but_told_what_it_lacks(recam, fake, own, folder):
    path = folder / "my python"
    path.touch()
    lacking = {"engines": [], "missing": ["numpy==2.4.6", "av==17.1.0"], "command": "python -m pip install …"}
    fake.behaves(answers={"probe": setups.PROBE | {"python": str(path)} | lacking})
    bpy.ops.recam.setup_use_python(filepath=str(path), engine="reproject")
    assert own.python == ""
    assert "numpy==2.4.6, av==17.1.0" in recam("tasks").ended("setup").text
    assert recam("setup_operators").probed.command == "python -m pip install …"
    with pytest.raises(RuntimeError, match="There is no file"):
        bpy.ops.recam.setup_use_python(filepath="/no/such/python")


def test_set_up_runs_on_blenders_python_and_never_on_blender(recam, monkeypatch):
    setup = recam("setup")
    assert os.path.basename(setup._interpreter()).startswith("python")
    for name in ("executable", "_base_executable"):
        monkeypatch.setattr(sys, name, "/opt/blender/blender")
    assert os.path.basename(setup._interpreter()).startswith("python")
    assert os.path.isfile(setup._interpreter())
    for name in ("base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, "/no/such/prefix")
    refused(recam, setup._interpreter, "Use My Own Python")


# Versions


def test_a_worker_of_another_version_is_refused(recam, fake, monkeypatch):
    with pytest.raises(recam("errors").ReCamError, match="upgraded while Blender ran: restart Blender"):
        recam("runtime").check_version({"version": "0.0.1"})
    recam("runtime").check_version({"version": recam.addon.backend.__version__})


def test_manifest_asks_for_the_network(recam):
    import tomllib

    manifest = tomllib.loads((Path(recam.addon.__file__).parent / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["permissions"]["network"]
    assert all(len(each) <= 64 and each[-1] != "." for each in manifest["permissions"].values())


def test_a_backend_that_lacks_an_engine_names_the_button(recam, own, folder, monkeypatch):
    greeting = {"version": recam.addon.backend.__version__, "engines": ["reproject"]}
    worker = types.SimpleNamespace(leaving=False, greeting=greeting, poll=list)
    monkeypatch.setattr(recam("runtime"), "worker", lambda _python: worker)

    def begin(engine):
        recam("tasks").drain(recam("reshoot")._worker("", engine))

    begin("reproject")
    refused(recam, lambda: begin("recammaster"), "recammaster", "press Add ReCamMaster")
    own.python = str(folder / "mine")
    refused(recam, lambda: begin("recammaster"), repr(str(folder / "mine")), "Use My Own Python")
    worker.greeting = greeting | {"version": "9.9.9"}
    refused(recam, lambda: begin("reproject"), "restart Blender")
