"""Tasks in the background: taken forward by one timer where Blender has a window, and at once where it has none."""

import sys
import types

import bpy
import pytest
import setups


class Timers:
    """Blender's, which never fire in background: here they do when a test says so."""

    def __init__(self):
        self.registered = {}

    def register(self, function, *, first_interval=0.0, persistent=False):
        self.registered[function] = persistent

    def unregister(self, function):
        del self.registered[function]

    def is_registered(self, function):
        return function in self.registered

    def tick(self):
        for function in list(self.registered):
            if function() is None:
                self.registered.pop(function, None)


class Screen:
    """One window with one area of each kind, which count how often they are asked to be drawn anew."""

    def __init__(self):
        self.drawn = {"PREFERENCES": 0, "SEQUENCE_EDITOR": 0, "VIEW_3D": 0}
        areas = [types.SimpleNamespace(type=name, tag_redraw=lambda name=name: self.count(name)) for name in self.drawn]
        window = types.SimpleNamespace(screen=types.SimpleNamespace(areas=areas))
        self.window_managers = [types.SimpleNamespace(windows=[window])]

    def count(self, name):
        self.drawn[name] += 1


@pytest.fixture
def tasks(recam):
    tasks = recam("tasks")
    yield tasks
    tasks.stop_all()


@pytest.fixture
def window(tasks, monkeypatch):
    """As in a Blender with a window: the timers, and the screen."""
    timers, screen = Timers(), Screen()
    app = types.SimpleNamespace(background=False, timers=timers)
    monkeypatch.setattr(tasks, "bpy", types.SimpleNamespace(app=app, data=screen))
    return types.SimpleNamespace(timers=timers, screen=screen)


@pytest.fixture
def step(recam):
    def step(phase="working", done=0, total=0, *, idle=True):
        progress = recam.backend("contract").Progress(phase=phase, step=done, total=total)
        return recam("planning").Step(progress, idle=idle)

    return step


def counting(step, number, ended, came="all"):
    """Work of so many steps that wait; says in ``ended`` that it was closed."""
    try:
        for done in range(number):
            yield step(done=done, total=number)
        return came
    finally:
        ended.append(came)


def test_a_task_goes_on_by_the_timer_and_tells_how_it_ended(tasks, window, step):
    came = []
    tasks.start("a", "Setting up", counting(step, 3, []), lambda each: came.append(each) or "It is there.")
    assert tasks.running("a").title == "Setting up"
    for done in range(3):
        window.timers.tick()
        assert (tasks.running("a").words, tasks.running("a").share) == (f"Working {done}/3", done / 3)
    window.timers.tick()
    assert tasks.running("a") is None
    assert came == ["all"]
    assert (tasks.ended("a").text, tasks.ended("a").kind) == ("It is there.", "done")
    assert not window.timers.registered


def test_there_is_one_of_a_key_and_several_of_several(tasks, window, step, recam):
    tasks.start("a", "One", counting(step, 5, []), lambda _: None)
    tasks.start("b", "Two", counting(step, 5, []), lambda _: None)
    with pytest.raises(recam("errors").ReCamError, match="One is under way already"):
        tasks.start("a", "Three", counting(step, 5, []), lambda _: None)
    window.timers.tick()
    assert [(each.key, each.progress.phase) for each in tasks.every()] == [("a", "working"), ("b", "working")]
    assert len(window.timers.registered) == 1


def test_another_file_ends_no_task(tasks, window, step, recam):
    """The timer outlives the file, and what a file's opening forgets is the take's alone."""
    tasks.start("a", "One", counting(step, 5, []), lambda _: None)
    assert list(window.timers.registered.values()) == [True]
    bpy.ops.wm.read_homefile(use_empty=True)
    window.timers.tick()
    assert tasks.running("a").progress.total == 5


def test_a_cancelled_task_is_closed_and_nobody_is_told_that_it_finished(tasks, window, step):
    closed, came = [], []
    tasks.start("a", "Setting up", counting(step, 50, closed), came.append)
    window.timers.tick()
    tasks.cancel("a")
    assert tasks.running("a").words == "Cancelling"
    window.timers.tick()
    assert (closed, came) == (["all"], [])
    assert (tasks.running("a"), tasks.ended("a").kind) == (None, "cancelled")
    tasks.cancel("a")  # nothing, and no harm


def test_what_fails_is_told_and_others_go_on(tasks, window, step, recam, capfd):
    def fails(error):
        yield step()
        raise error

    tasks.start("a", "One", fails(recam("errors").ReCamError("There is no network.")), lambda _: None)
    tasks.start("b", "Two", fails(ZeroDivisionError("by nought")), lambda _: None)
    tasks.start("c", "Three", counting(step, 9, []), lambda _: None)
    for _ in range(4):
        window.timers.tick()
    assert (tasks.ended("a").kind, tasks.ended("a").text) == ("failed", "There is no network.")
    assert tasks.ended("b").kind == "failed"
    assert "by nought" in tasks.ended("b").text
    assert "Traceback" in capfd.readouterr().err  # a defect, which somebody will want to find
    assert tasks.running("c").progress.step == 3


def test_who_is_told_of_the_end_may_begin_the_next(tasks, window, step):
    def again(_):
        tasks.start("a", "Two", counting(step, 9, []), lambda _: None)

    tasks.start("a", "One", counting(step, 1, []), again)
    for _ in range(3):
        window.timers.tick()
    assert tasks.running("a").title == "Two"
    assert tasks.ended("a") is None


def test_a_message_of_its_own_is_kept(tasks, window, step):
    tasks.start("a", "One", counting(step, 0, []), lambda _: tasks.tell("a", "Mine.", "failed"))
    window.timers.tick()
    assert (tasks.ended("a").text, tasks.ended("a").kind) == ("Mine.", "failed")
    tasks.forget("a")
    assert tasks.ended("a") is None


def test_areas_are_drawn_anew_only_when_something_changed(tasks, window, step):
    def work():
        for _ in range(20):
            yield step("downloading", 1, 2)
        yield step("downloading", 2, 2)

    tasks.start("a", "One", work(), lambda _: None)
    window.timers.tick()
    before = dict(window.screen.drawn)
    for _ in range(19):
        window.timers.tick()
    assert window.screen.drawn == before
    window.timers.tick()
    assert window.screen.drawn["PREFERENCES"] == before["PREFERENCES"] + 1
    assert window.screen.drawn["SEQUENCE_EDITOR"] == before["SEQUENCE_EDITOR"] + 1
    assert window.screen.drawn["VIEW_3D"] == 0


def test_steps_that_do_not_wait_are_taken_together_but_never_for_long(tasks, window, step):
    taken = []

    def work():
        while True:
            taken.append(1)
            yield step(idle=False)

    tasks.start("a", "One", work(), lambda _: None)
    window.timers.tick()
    assert len(taken) > 10


def test_background_blender_is_done_when_it_returns(tasks, step, recam):
    assert bpy.app.background
    came = []
    tasks.start("a", "One", counting(step, 3, []), lambda each: came.append(each) or "There.")
    assert came == ["all"]
    assert tasks.ended("a").text == "There."

    def fails():
        yield step()
        raise recam("errors").ReCamError("No.")

    with pytest.raises(recam("errors").ReCamError, match=r"^No\.$"):
        tasks.start("a", "One", fails(), lambda _: None)
    assert (tasks.ended("a").kind, tasks.running("a")) == ("failed", None)


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes as POSIX does")
def test_switching_the_add_on_off_ends_an_installation(addon, recam, tasks, window, folder, monkeypatch):
    """As an upgrade does, in a Blender with a window."""
    fake = setups.FakeSetup(folder / "fake", addon.backend.__version__)
    fake.behaves(wait="obeys")
    monkeypatch.setattr(recam("runtime"), "package_folder", lambda: str(fake.folder))
    (folder / "wheels").mkdir()
    work = recam("setup").install("reproject", wheels=str(folder / "wheels"))
    tasks.start("setup", "Setting up", work, lambda _: None)
    setups.wait_for(lambda: window.timers.tick() or fake.place("waiting").exists())
    assert setups.is_running(fake.pid)
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    try:
        assert not setups.is_running(fake.pid)
        assert not window.timers.registered
        assert tasks.every() == []
    finally:
        bpy.ops.preferences.addon_enable(module=addon.__name__)
