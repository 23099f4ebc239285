"""The buttons for models, and the part of the preferences that shows them. Background Blender asks nothing first."""

import sys
import types

import bpy
import model_workers
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the backend's stand-in is a script for a shell")

GETS = """
if method == "models.get":
    progress(50, 100, per_second=10.0, seconds_left=5.0)
    fail("The disk is full.", "disk") if params["ids"] == ["preview"] else answer(ids=params["ids"])
"""


@pytest.fixture
def models(recam, addon, folder, monkeypatch):
    with model_workers.bare_machine(recam, addon, folder, monkeypatch) as module:
        yield module


@pytest.fixture
def online():
    with model_workers.allowed_online():
        yield


@pytest.fixture
def fake(folder, monkeypatch, recam):
    return model_workers.standing_in(recam, folder, monkeypatch)


class Drawn:
    """A layout that notes what is drawn. ``under`` holds those within it; what is closed at first is open here."""

    def __init__(self, notes=None):
        self.__dict__["notes"] = [] if notes is None else notes

    def panel(self, _name, **_options):
        return self, self

    def prop(self, _owner, name, **_options):
        self.notes.append(("prop", name, {}))

    def operator(self, name, text=None, **_options):
        properties = types.SimpleNamespace()
        label = getattr(bpy.types, name.replace("recam.", "RECAM_OT_")).bl_label if text is None else text
        self.notes.append((name, label, properties.__dict__))
        return properties

    def progress(self, text="", factor=0.0):
        self.notes.append(("progress", text, {"factor": factor}))

    def __getattr__(self, name):
        def part(*_arguments, text=None, **_options):
            if name == "label":
                self.notes.append((name, text, {}))
            return self

        return part

    def __setattr__(self, name, value):
        pass


@pytest.fixture
def drawn(recam):
    """All that the preferences show of models: (what, text, properties)."""

    def drawn():
        system = types.SimpleNamespace(ui_scale=1.0)
        preferences = types.SimpleNamespace(system=system)
        context = types.SimpleNamespace(preferences=preferences, region=types.SimpleNamespace(width=900))
        layout = Drawn()
        recam("preferences_models").draw(layout, context)
        return layout.notes

    return drawn


def texts(notes, what="label"):
    return [text for name, text, _ in notes if name == what and text]


def offered(notes, operator):
    """The properties of each such button."""
    return [properties for name, _, properties in notes if name == operator]


# Get


def test_get_without_a_name_gets_what_the_network_needs_and_nothing_of_another_licence(models, fake, online, recam):
    worker = fake(GETS.replace("preview", "none"))
    assert bpy.ops.recam.models_get() == {"FINISHED"}
    ids = [each["ids"][0] for each in worker.asked("models.get")]
    assert ids == ["recammaster", "vae", "umt5", "preview"]
    ended = recam("tasks").ended("models get")
    assert ended.kind == "done"
    assert "Wan 2.1's VAE" in ended.text


def test_what_is_non_commercial_comes_by_its_name_alone(models, fake, online):
    worker = fake(GETS)
    bpy.ops.recam.models_get(ids="lora-causvid, vae")
    assert [each["ids"] for each in worker.asked("models.get")] == [["lora-causvid"], ["vae"]]


def test_a_download_that_fails_says_why(models, fake, online, recam):
    fake(GETS)
    with pytest.raises(RuntimeError, match=r"The disk is full\."):
        bpy.ops.recam.models_get(ids="preview")
    assert recam("tasks").ended("models get").text == "The disk is full."
    assert models.waiting == []


def test_get_is_grey_where_blender_may_not_go_online_or_has_no_backend(models, fake, monkeypatch, recam):
    fake(GETS)
    assert not bpy.ops.recam.models_get.poll()
    with model_workers.allowed_online():
        assert bpy.ops.recam.models_get.poll()
        monkeypatch.setenv("RECAM_PYTHON", "/no/such/python")
        assert not bpy.ops.recam.models_get.poll()
        assert not bpy.ops.recam.models_search.poll()
    said = []
    operator = types.SimpleNamespace(poll_message_set=said.append)
    assert not recam("model_operators").RECAM_OT_models_get.poll.__func__(operator, bpy.context)
    assert "not allowed to go online" in said[0]


def test_a_button_that_names_nothing_means_nothing_of_the_last_one(recam):
    """Blender fills in what an operator was last told, unless a property says that it must not."""
    for each in recam("model_operators").CLASSES:
        told = [one for one in each.bl_rna.properties if one.identifier in ("id", "ids", "path", "filepath")]
        assert all(one.is_skip_save for one in told), each


def test_where_wheels_keep_set_up_offline_the_models_say_how_to_go_online(models, drawn, addon, folder):
    own = bpy.context.preferences.addons[addon.__name__].preferences
    own.wheels = str(folder)
    try:
        assert offered(drawn(), "recam.allow_online")
        with model_workers.allowed_online():
            assert not offered(drawn(), "recam.allow_online")
    finally:
        own.property_unset("wheels")


def dialog(recam, ids):
    """What the question before a download shows."""
    operator = recam("model_operators").RECAM_OT_models_get
    layout = Drawn()
    asked = types.SimpleNamespace(ids=ids, layout=layout)
    asked._asked = lambda: operator._asked(asked)
    operator.draw(asked, bpy.context)
    return texts(layout.notes)


def test_the_question_names_sizes_licences_and_place(models, recam, folder, monkeypatch):
    monkeypatch.setattr(recam("models"), "free", lambda: 400_000_000_000)
    shown = dialog(recam, "vae lora-causvid")
    assert "Wan 2.1's VAE" in shown
    assert "254 MB" in shown
    assert any("CC-BY-NC-4.0" in each and "non-commercial use only" in each for each in shown)
    assert any("Not for commercial use; whether" in each for each in shown)
    assert f"To {folder / 'data' / 'models'}" in shown
    assert "345 MB in all, 400 GB free there" in shown
    assert not any("non-commercial" in each for each in dialog(recam, ""))


def test_the_question_says_where_there_is_no_room(models, recam, monkeypatch):
    monkeypatch.setattr(recam("models"), "free", lambda: 1_000_000)
    assert any("not enough" in each for each in dialog(recam, "vae"))


# Locate, search, remove

FINDS = """
if method == "models.identify":
    if params["path"].endswith(".safetensors"):
        vae = {"path": params["path"], "what": "vae", "words": "Wan 2.1's VAE", "where": "the folder", "size": 7}
        answer(**vae, found=[vae], notes=[])
    else:
        answer(path=params["path"], what="other", words="a file without tensors", where="", size=0, found=[], notes=[])
if method == "models.search":
    progress(1, 4)
    answer(found=FOUND, notes=["A remark."], searched=[])
"""


def test_locate_names_the_file_by_what_is_inside(models, fake, folder, addon, recam):
    fake(FINDS)
    path = folder / "whatever é.safetensors"
    path.write_bytes(b"weights")
    bpy.ops.recam.models_locate(filepath=str(path), id="vae")
    assert bpy.context.preferences.addons[addon.__name__].preferences.vae == str(path)
    assert "“VAE” is now" in recam("tasks").ended("models locate").text
    with pytest.raises(RuntimeError, match="not what was looked for"):
        bpy.ops.recam.models_locate(filepath=str(path), id="recammaster")
    with pytest.raises(RuntimeError, match="a file without tensors"):
        bpy.ops.recam.models_locate(filepath=str(folder / "recipe.txt"))


def test_a_search_shows_what_it_found_and_takes_it(models, fake, folder, drawn, recam):
    found = [
        {"path": str(folder / name), "what": what, "words": words, "where": "ComfyUI", "size": 2_000_000}
        for name, what, words in (("a.sft", "vae", "Wan 2.1's VAE"), ("b.sft", "transformer", "ReCamMaster's network"))
    ]
    for each in found:
        (folder / each["path"]).write_bytes(b"weights")
    fake(FINDS.replace("FOUND", repr(found)))
    bpy.ops.recam.models_search()
    shown = texts(drawn())
    assert "ComfyUI: Wan 2.1's VAE, 2.0 MB" in shown
    assert found[0]["path"] in shown
    assert "Found 2 models that can be used." in shown
    assert "A remark." in shown
    assert [each["path"] for each in offered(drawn(), "recam.models_take")] == [*(each["path"] for each in found), ""]
    bpy.ops.recam.models_take(path=found[0]["path"])
    assert [each["path"] for each in offered(drawn(), "recam.models_forget")] == ["", found[0]["path"]]
    bpy.ops.recam.models_take()
    assert models.missing("recammaster") == ("umt5",)
    assert not bpy.ops.recam.models_take.poll()
    bpy.ops.recam.models_forget(path=found[0]["path"])
    assert models.missing("recammaster") == ("vae", "umt5")


def test_none_of_what_was_found_is_kept_in_mind(models, fake, drawn, folder):
    fake(FINDS.replace("FOUND", "[{'path': '/somewhere', 'what': 'vae', 'words': 'a VAE', 'where': 'x', 'size': 1}]"))
    bpy.ops.recam.models_search()
    bpy.ops.recam.models_forget()
    assert offered(drawn(), "recam.models_take") == []
    assert not models.places()


@pytest.fixture
def vae_here(models, recam):
    """Wan's VAE as a download leaves it; its file."""
    library, entry = models.library(), recam.backend("models.catalogue").entry("vae")
    path = library.folder_of(entry) / entry.files[0].name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    library.record(entry, "main", path, "0" * 64)
    models.changed()
    return path


def test_remove_shows_the_files_and_deletes_them(models, vae_here, recam, drawn):
    assert offered(drawn(), "recam.models_remove") == [{"id": "vae"}]
    layout = Drawn()
    recam("model_operators").RECAM_OT_models_remove.draw(types.SimpleNamespace(id="vae", layout=layout), bpy.context)
    assert texts(layout.notes) == [str(vae_here)]
    assert bpy.ops.recam.models_remove(id="vae") == {"FINISHED"}
    assert not vae_here.exists()
    assert recam("tasks").ended("models get").text == "Deleted 1 file."
    assert offered(drawn(), "recam.models_remove") == []


def test_what_is_being_downloaded_cannot_be_removed(models, vae_here):
    models.waiting.append("vae")
    with pytest.raises(RuntimeError, match="cancel that first"):
        bpy.ops.recam.models_remove(id="vae")
    assert vae_here.exists()


def test_nothing_is_installed_under_a_download(models, recam, folder):
    tasks, setup = recam("tasks"), recam("setup")
    tasks._running["models get"] = tasks.Task("models get", "Get models", iter(()), lambda _: None)
    try:
        for work in (setup.install("reproject", wheels=str(folder)), setup.remove()):
            with pytest.raises(recam("errors").ReCamError, match="“Get models” is under way"):
                tasks.drain(work)
    finally:
        del tasks._running["models get"]


# What is shown


def test_the_list_shows_what_each_is_and_what_can_be_done(models, drawn, recam):
    notes = drawn()
    shown = texts(notes)
    words = " ".join(shown)
    for entry in recam.backend("models.catalogue").CATALOGUE:
        assert entry.title in shown
        assert entry.purpose in words
    assert "Licence: CC-BY-NC-4.0: non-commercial use only." in shown
    assert "Licence: Apache-2.0." in words
    assert "Licence: Apache-2.0 (disputed): commercial use not clear." in words
    gets = [each["ids"] for each in offered(notes, "recam.models_get")]
    assert gets[:2] == ["", "recammaster"]
    assert len(gets) == len(recam.backend("models.catalogue").CATALOGUE) + 1
    assert "Get What ReCamMaster Needs (10.0 GB)" in texts(notes, "recam.models_get")
    located = [each["id"] for each in offered(notes, "recam.models_locate")]
    assert {"recammaster", "vae", ""} <= set(located)
    assert not {"depth", "multicamvideo"} & set(located)
    assert {"models", "transformer", "preview_decoder"} <= {name for what, name, _ in notes if what == "prop"}


def test_what_is_here_needs_no_button(models, vae_here, drawn):
    notes = drawn()
    assert "vae" not in [each["ids"] for each in offered(notes, "recam.models_get")]
    assert "here" in texts(notes)
    assert "Get What ReCamMaster Needs (9.7 GB)" in texts(notes, "recam.models_get")


def test_a_download_shows_its_bar_and_the_others_wait(models, drawn, recam):
    tasks, progress = recam("tasks"), recam.backend("contract").Progress
    models.waiting += ["vae", "umt5"]
    latest = progress(
        phase="downloading Wan 2.1's VAE",
        step=50_000_000,
        total=254_000_000,
        unit="bytes",
        per_second=2e6,
        seconds_left=102.0,
    )
    tasks._running["models get"] = tasks.Task("models get", "Get models", iter(()), lambda _: None, latest)
    try:
        notes = drawn()
        assert offered(notes, "recam.models_cancel") == [{"id": "vae"}, {"id": "umt5"}]
        assert offered(notes, "progress") == [{"factor": pytest.approx(50 / 254)}]
        assert texts(notes, "progress") == [
            "Downloading Wan 2.1's VAE 50 MB of 254 MB at 2.0 MB/s, 1 min 42 s left",
        ]
        bpy.ops.recam.models_cancel(id="umt5")
        assert models.waiting == ["vae"]
    finally:
        del tasks._running["models get"]


def test_what_a_farm_says_is_shown_as_such(models, drawn, monkeypatch, folder):
    monkeypatch.setenv("RECAM_MODELS", str(folder))
    assert any(str(folder) in each and "RECAM_MODELS" in each for each in texts(drawn()))


def test_drawing_starts_nothing_and_is_quick(models, drawn, monkeypatch):
    import subprocess
    import time

    monkeypatch.setattr(subprocess, "Popen", None)
    drawn()
    started = time.perf_counter()
    for _ in range(20):
        drawn()
    assert (time.perf_counter() - started) / 20 < 0.02


def test_the_panel_offers_the_models_where_only_they_are_lacking(models, fake, recam, online):
    fake(GETS)
    need = recam("needs").need("recammaster")
    assert need.button.operator == "recam.models_get"
    assert not need.of_backend
    assert recam("needs").need("reproject") is None
