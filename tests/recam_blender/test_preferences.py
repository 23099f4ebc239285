"""What the preferences and the panel show of set-up: for each state of the machine, its words and its one button."""

import types

import bpy
import pytest
import setups

OF_SETTINGS = ("recam.next_seed",)


@pytest.fixture(autouse=True)
def own(recam, folder, monkeypatch):
    recam("runtime").stop_worker()
    with setups.first_start(recam, folder, monkeypatch) as own:
        yield own
    recam("tasks").stop_all()
    recam("setup_operators").probed = None


@pytest.fixture
def preferences(recam, own):
    """What the preferences show."""

    def draw():
        layout = setups.Layout()
        shown = types.SimpleNamespace(layout=layout, bl_rna=own.bl_rna)
        recam("preferences_panel").RECAM_AP_preferences.draw(shown, context())
        return layout

    return draw


@pytest.fixture
def panel(recam):
    """What the sequencer's tab shows, for an engine."""

    def draw(engine):
        scene = bpy.context.scene
        scene.sequence_editor_create()
        scene.recam.engine = engine
        bpy.context.window.scene = scene
        if hasattr(bpy.context.workspace, "sequencer_scene"):
            bpy.context.workspace.sequencer_scene = scene
        layout = setups.Layout()
        recam("panel").RECAM_PT_main.draw(types.SimpleNamespace(layout=layout), context(scene))
        # Those in the rows of settings have nothing to do with what is missing.
        layout.drawn["operators"] = [each for each in layout.drawn["operators"] if each[0] not in OF_SETTINGS]
        return layout

    return draw


def context(scene=None):
    system = types.SimpleNamespace(ui_scale=1.0)
    return types.SimpleNamespace(
        scene=scene,
        preferences=types.SimpleNamespace(system=system),
        region=types.SimpleNamespace(width=2000),
    )


@pytest.fixture
def models_are_there(recam, monkeypatch):
    monkeypatch.setattr(recam("models"), "missing", lambda _engine: ())


@pytest.fixture
def environment(recam, folder):
    """Make an environment in the folder that the preferences name."""
    return lambda **how: setups.make_environment(recam, folder / "environment", **how)


# First use


def test_a_fresh_machine_is_offered_the_installation_in_place_of_the_big_button(panel):
    drawn = panel("reproject")
    assert "ReCam's backend is not installed." in drawn.text
    assert "recam.render" not in drawn.buttons
    assert drawn.options("recam.setup_install") == {"engine": "reproject"}
    assert panel("recammaster").options("recam.setup_install") == {"engine": "recammaster"}


@pytest.mark.parametrize(
    ("how", "button", "words"),
    [
        ({"whole": False}, ("recam.setup_repair", "Repair"), "not whole"),
        ({"pins": ["numpy==0.1"]}, ("recam.setup_repair", "Update"), "another version"),
        ({}, ("recam.setup_install", "Add ReCamMaster"), "ReCamMaster needs more packages"),
    ],
)
def test_what_is_missing_comes_with_the_one_button_that_helps(panel, environment, how, button, words):
    environment(**how)
    drawn = panel("recammaster")
    assert words in drawn.text
    shown = [(name, text) for name, text, _ in drawn.drawn["operators"]]
    assert shown == [button]


def test_nothing_is_in_the_way_once_all_is_there(panel, environment, models_are_there):
    environment(engines=["reproject", "recammaster"])
    for engine in ("reproject", "recammaster"):
        assert panel(engine).buttons == ["recam.render"]


def test_what_one_engine_lacks_does_not_concern_the_other(panel, environment):
    environment()
    assert panel("reproject").buttons == ["recam.render"]


def test_models_are_offered_above_the_button(recam, panel, environment, monkeypatch):
    environment(engines=["reproject", "recammaster"])
    entry = recam("models").rows()[0].entry
    monkeypatch.setattr(recam("models"), "missing", lambda _engine: (entry.id,))
    drawn = panel("recammaster")
    assert drawn.buttons == ["recam.models_get", "recam.render"]
    assert entry.title in drawn.text


def test_a_blender_that_may_not_go_online_is_told_how_to_allow_it(panel, preferences, own, folder):
    bpy.context.preferences.system.use_online_access = False
    assert panel("reproject").buttons == ["recam.allow_online"]
    shown = preferences()
    assert "not allowed to go online" in shown.text
    assert "recam.allow_online" in shown.buttons
    assert "recam.setup_install" not in shown.buttons
    own.wheels = str(folder)
    assert panel("reproject").buttons == ["recam.setup_install"]
    assert "recam.setup_install" in preferences().buttons


def test_a_folder_of_somebody_else_is_left_alone(panel, preferences, folder):
    (folder / "environment").mkdir()
    (folder / "environment" / "thesis.txt").touch()
    drawn = panel("reproject")
    assert drawn.buttons == []
    assert str(folder / "environment") in drawn.text
    assert not {"recam.setup_remove", "recam.setup_repair", "recam.setup_install"} & set(preferences().buttons)


def test_who_has_a_python_of_his_own_sees_none_of_that(recam, panel, preferences, own, folder, monkeypatch):
    (folder / "python").touch()
    for name in ("variable", "preferences"):
        if name == "variable":
            monkeypatch.setenv("RECAM_PYTHON", str(folder / "python"))
        else:
            monkeypatch.delenv("RECAM_PYTHON")
            own.python = str(folder / "python")
        assert panel("reproject").buttons == ["recam.render"]
        assert str(folder / "python") in preferences().text
        assert ("recam.setup_own_environment" in preferences().buttons) == (name == "preferences")


def test_a_python_of_ones_own_that_has_gone_or_lacks_something_is_told_of(recam, panel, own, folder, monkeypatch):
    own.python = str(folder / "gone")
    drawn = panel("reproject")
    assert (drawn.buttons, "There is no Python at" in drawn.text) == (["recam.setup_use_python"], True)
    assert "Use ReCam's Environment" in drawn.text.replace("\n", " ")
    monkeypatch.setenv("RECAM_PYTHON", str(folder / "gone too"))
    drawn = panel("reproject")
    assert (drawn.buttons, "RECAM_PYTHON" in drawn.text) == ([], True)
    (folder / "gone too").touch()
    monkeypatch.setattr(recam("runtime"), "known_engines", lambda _python: ("reproject",))
    drawn = panel("recammaster")
    assert drawn.buttons == ["recam.setup_use_python"]
    assert drawn.options("recam.setup_use_python") == {"engine": "recammaster"}
    assert panel("reproject").buttons == ["recam.render"]


# While it works, and after


@pytest.fixture
def under_way(recam):
    """A task of set-up, as far as it is."""

    def begin(**progress):
        tasks = recam("tasks")
        told = recam.backend("contract").Progress(**({"phase": "x", "step": 0, "total": 0} | progress))
        tasks._running["setup"] = tasks.Task("setup", "Setting up Reproject", iter(()), print, told)

    yield begin
    recam("tasks")._running.clear()


def test_progress_has_speed_time_left_and_a_way_out(panel, preferences, under_way):
    under_way(
        phase="downloading torch",
        step=200_000_000,
        total=800_000_000,
        unit="bytes",
        per_second=12_000_000.0,
        seconds_left=50.0,
    )
    for drawn in (panel("reproject"), preferences()):
        assert "0.25 25% Downloading torch 200 MB of 800 MB at 12 MB/s, 50 s left" in drawn.text
        assert "recam.setup_cancel" in drawn.buttons
        assert "recam.setup_install" not in drawn.buttons


def test_a_failure_is_told_with_its_log(recam, panel, preferences):
    text = "The download broke off: check the network and try again.\nThe last lines were:\n  ERROR: reset"
    recam("tasks").tell("setup", text, "failed")
    for drawn in (panel("reproject"), preferences()):
        assert "The download broke off: check the network and try again." in drawn.text
        assert "recam.open_log" in drawn.buttons
        assert "recam.setup_install" in drawn.buttons
    assert preferences().options("recam.copy") == {"text": text}
    assert "ERROR: reset" in preferences().text
    assert "ERROR: reset" not in panel("reproject").text


def test_the_preferences_tell_what_there_is(preferences, environment, folder):
    environment(
        engines=["reproject", "recammaster"],
        torch="2.13.0+cu130",
        device="NVIDIA GeForce RTX 4090",
        memory=25_757_220_864,
        size=7_300_000_000,
        notes=["Update the driver."],
    )
    drawn = preferences()
    told = (
        "Reproject, ReCamMaster",
        "3.11.7",
        "2.13.0+cu130",
        "NVIDIA GeForce RTX 4090 (26 GB)",
        "7.3 GB",
        "Update the driver.",
    )
    assert all(each in drawn.text for each in (*told, str(folder / "environment")))
    assert {"recam.setup_repair", "recam.setup_remove", "recam.setup_use_python", "recam.open_log"} <= set(
        drawn.buttons
    )
    assert "recam.setup_install" not in drawn.buttons


def test_everything_that_is_kept_can_be_set(preferences, own):
    kept = {each.identifier for each in own.bl_rna.properties if not each.is_readonly} - {"bl_idname"}
    assert {"python", "environment", "wheels", "models", "device", "transformer", "vae"} <= kept
    assert kept <= set(preferences().drawn["properties"])


def test_the_command_that_helps_the_users_python_can_be_copied(recam, preferences):
    probe = recam.backend("environment.messages").Probe
    recam("setup_operators").probed = probe(
        python="/opt/p", python_version="3.12.1", missing=("av==17.1.0",), command="/opt/p -m pip install av==17.1.0"
    )
    drawn = preferences()
    assert drawn.options("recam.copy") == {"text": "/opt/p -m pip install av==17.1.0"}


def test_drawing_starts_no_process_and_waits_for_nothing(panel, preferences, environment, monkeypatch):
    environment()

    def never(*_arguments, **_options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.Popen", never)
    for _ in range(3):
        panel("recammaster")
        preferences()


# What stands on the buttons that are grey


def test_every_button_of_set_up_says_why_it_is_grey(recam, under_way, monkeypatch):
    said = []
    operators = recam("setup_operators")
    under_way()
    for each in operators.CLASSES:
        monkeypatch.setattr(each, "poll_message_set", said.append, raising=False)
    for name in ("install", "repair", "remove", "use_python"):
        assert not getattr(operators, f"RECAM_OT_setup_{name}").poll(bpy.context)
        assert said.pop() == "ReCam is being set up"
    recam("tasks")._running.clear()
    assert not operators.RECAM_OT_setup_cancel.poll(bpy.context)
    assert said.pop() == "Nothing is being set up"
    assert not operators.RECAM_OT_allow_online.poll(bpy.context)
    assert "already" in said.pop()


def test_every_operator_has_a_tooltip_and_no_place_in_the_search(recam):
    for each in recam("setup_operators").CLASSES:
        assert "INTERNAL" in each.bl_options
        assert each.__doc__
        assert not each.__doc__.endswith(".")


# The dialog


@pytest.fixture
def dialog(recam, monkeypatch):
    """What the dialog shows before an installation that would take this much."""

    def draw(engine, **changes):
        operators = recam("setup_operators")
        plan = recam.backend("environment.messages").Plan.from_json(setups.PLAN | changes)
        monkeypatch.setattr(operators, "_plans", {(engine, "auto", ""): plan})
        layout = setups.Layout()
        shown = types.SimpleNamespace(layout=layout, engine=engine, wheels="", _asked=lambda: (engine, "auto", ""))
        operators.RECAM_OT_setup_install.draw(shown, bpy.context)
        return layout

    return draw


def test_the_dialog_tells_what_it_takes_before_anything_is_begun(dialog, folder):
    shown = dialog("reproject")
    room = "about 431 MB while it is unpacked, of 55 GB free"
    told = ("about 108 MB", room, str(folder / "environment"), "3.11.7 (/usr/bin/python3.11)")
    assert all(each.replace(" ", "") in shown.text.replace(" ", "") for each in told)
    assert shown.drawn["properties"] == ["wheels"]
    reason = "NVIDIA GeForce RTX 4090 with driver 580.95 runs it, and nothing newer does."
    shown = dialog("recammaster", torch="cu130", reason=reason)
    assert "cu130" in shown.text
    assert reason in shown.text
    assert shown.drawn["properties"] == ["torch", "wheels"]


def test_the_dialog_of_a_repair_says_that_it_may_cost_nothing(dialog):
    assert "about 108 MB, only if it does not work" in dialog("reproject", action="check").text
    assert "only if" not in dialog("reproject", action="repair").text


def test_the_dialog_warns_where_there_is_no_room(dialog):
    assert "not enough room" in dialog("reproject", free=431_000_000 - 1).text
    assert "not enough room" not in dialog("reproject", free=431_000_000).text


def test_what_is_ready_already_needs_no_dialog(recam, environment):
    environment()
    plan = recam.backend("environment.messages").Plan.from_json(setups.PLAN | {"action": "nothing"})
    assert recam("setup_operators")._ask(("reproject", "auto", ""), plan, None) == "Ready: Reproject."


def test_a_plan_that_takes_too_long_is_not_waited_for_in_the_dialog(recam, folder, monkeypatch):
    fake = setups.FakeSetup(folder / "fake", recam.addon.backend.__version__)
    fake.behaves(wait="obeys")
    operators = recam("setup_operators")
    monkeypatch.setattr(recam("runtime"), "package_folder", lambda: str(fake.folder))
    monkeypatch.setattr(operators, "_LONGEST_WAIT", 0.3)
    monkeypatch.setattr(operators, "_plans", {})
    cursors = []
    window = types.SimpleNamespace(cursor_set=cursors.append)
    dialog = types.SimpleNamespace(_asked=lambda: ("reproject", "auto", ""))
    assert operators.RECAM_OT_setup_install.check(dialog, types.SimpleNamespace(window=window))
    assert (operators._plans, cursors) == ({}, ["WAIT", "DEFAULT"])
    fake.behaves(answers={"plan": setups.PLAN})
    operators.RECAM_OT_setup_install.check(dialog, types.SimpleNamespace(window=window))
    assert operators._plans["reproject", "auto", ""].download == 108_000_000
    recam("setup").end()
