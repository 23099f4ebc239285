"""The takes of a strip: whose they are, what is known of them, and what of them is seen."""

import json
import os
import shutil
import time

import bpy
import pytest
import shots
from timeline import strips


@pytest.fixture
def edit(backend_python, clip, folder):
    shutil.copy(clip, folder)
    return shots.new_edit(backend_python, folder)


@pytest.fixture
def listed(recam):
    return recam("take_list")


def add(recam, edit, folder, version, *, source="clip", camera="Target", channel_of=None, **told):
    """A take's strip with a record like those that reshoot.py keeps, but for its poses."""
    path = folder / f"{source}_{camera}_v{version:03d}.mkv"
    shutil.copy(folder / "clip.mkv", path)
    job = {"settings": {"engine": told.get("engine", "recammaster"), "seed": told.get("seed", version)}}
    job["origin"] = {"camera": camera}
    result = {"engine": told.get("engine", "recammaster"), "frames": shots.FRAMES, "seconds": told.get("seconds", 75.2)}
    result |= {"invented_mean": told.get("invented", 0.25), "mask": ""}
    take, _ = recam("sequencer").insert_take(
        edit,
        source,
        str(path),
        name=path.stem,
        start=shots.START,
        length=shots.FRAMES,
        metadata={"job": json.dumps(job), "result": json.dumps(result)},
    )
    return take.name


def names(listed, edit, footage):
    return [each.name for each in listed.list_takes(edit, strips(edit)[footage])]


def shown(edit, *takes):
    return [not strips(edit)[each].mute for each in takes]


def test_takes_are_told_the_newest_first(recam, listed, edit, folder):
    add(recam, edit, folder, 9, seed=4, seconds=12.0)
    add(recam, edit, folder, 10, engine="reproject")
    tenth, ninth = listed.takes(edit, strips(edit)["clip"])
    assert (tenth.version, tenth.told.engine, tenth.told.invented) == (10, "reproject", 0.25)
    assert (ninth.version, ninth.told.seed, ninth.told.seconds, ninth.told.frames) == (9, 4, 12.0, shots.FRAMES)
    assert (ninth.told.camera, ninth.told.invented, ninth.there, ninth.shown) == ("Target", None, True, True)
    assert os.path.samefile(ninth.path, folder / "clip_Target_v009.mkv")


def test_renamed_footage_keeps_its_takes_and_gets_the_next_one(recam, listed, edit, folder):
    first = add(recam, edit, folder, 1)
    strips(edit)["clip"].name = "hero"
    assert names(listed, edit, "hero") == [first]
    second = add(recam, edit, folder, 2, source="hero")
    assert names(listed, edit, "hero") == [first, second]
    assert recam("ties").footage_of(edit, strips(edit)[first]).name == "hero"
    # A strip that takes the old name later takes none of them.
    strips(edit).new_movie("clip", str(folder / "clip.mkv"), 20, shots.START)
    assert names(listed, edit, "hero") == [first, second]
    assert names(listed, edit, "clip") == []


def test_a_duplicate_of_footage_has_takes_of_its_own_only(recam, listed, edit, folder):
    first = add(recam, edit, folder, 1)
    copy = strips(edit).new_movie("clip.001", str(folder / "clip.mkv"), 10, shots.START)
    copy["recam"] = strips(edit)["clip"]["recam"].to_dict()  # as Blender duplicates
    assert names(listed, edit, "clip") == [first]
    assert names(listed, edit, "clip.001") == []
    second = add(recam, edit, folder, 2, source="clip.001")
    strips(edit)["clip"].name = "one"
    strips(edit)["clip.001"].name = "other"
    assert names(listed, edit, "one") == [first]
    assert names(listed, edit, "other") == [second]


def test_each_part_of_cut_footage_has_the_takes_over_it(recam, listed, edit, folder):
    left, middle = add(recam, edit, folder, 1), shots.START + 6
    for name, channel in (("clip", 2), (left, 3)):  # as Blender cuts: both halves keep the property
        half = strips(edit).new_movie(f"{name}.001", str(folder / "clip.mkv"), channel + 10, shots.START)
        half["recam"] = strips(edit)[name]["recam"].to_dict()
        recam("compat").set_span(half, middle, shots.START + shots.FRAMES)
        recam("compat").set_span(strips(edit)[name], shots.START, middle)
    assert names(listed, edit, "clip") == [left]
    assert names(listed, edit, "clip.001") == [f"{left}.001"]


def test_takes_made_before_there_were_identities_are_found_by_name(recam, listed, edit, folder):
    take = strips(edit)[add(recam, edit, folder, 1)]
    take["recam"] = {"source": "clip", "job": "{}", "result": "{}"}
    del strips(edit)["clip"]["recam"]
    assert names(listed, edit, "clip") == [take.name]
    assert recam("request").chosen_footage(edit).name == "clip"


def test_footage_that_has_a_property_of_that_name_keeps_it(recam, listed, edit, folder):
    strips(edit)["clip"]["recam"] = "mine"
    take = add(recam, edit, folder, 1)
    assert strips(edit)["clip"]["recam"] == "mine"
    assert names(listed, edit, "clip") == [take]


@pytest.mark.parametrize(
    ("job", "result"),
    [
        ("", ""),
        ("[" * 100_000, "{"),
        ('{"settings": 5, "origin": []}', '{"frames": "many", "seconds": -1, "invented_mean": 1e999}'),
        ('{"settings": {"seed": 1' + "0" * 5000 + "}}", '{"engine": {"a": 1}, "frames": 1e40}'),
        ('{"settings": {"seed": true}}', '{"seconds": NaN, "mask": 7}'),
    ],
)
def test_what_makes_no_sense_in_a_strip_does_no_harm(recam, listed, edit, folder, job, result):
    take = strips(edit)[add(recam, edit, folder, 1)]
    take["recam"]["job"], take["recam"]["result"] = job, result
    (told,) = listed.takes(edit, strips(edit)["clip"])
    assert told.told == listed.Told()
    with pytest.raises(recam("errors").ReCamError, match="no record"):
        recam("take_record").job_of(take)


def test_a_record_is_parsed_once(recam, listed, edit, folder, monkeypatch):
    add(recam, edit, folder, 1)
    listed.takes(edit, strips(edit)["clip"])
    monkeypatch.setattr(listed, "_parsed", lambda *_: pytest.fail("parsed again"))
    assert listed.takes(edit, strips(edit)["clip"])[0].told.seed == 1


def test_the_disk_is_looked_at_now_and_then_only(recam, listed, edit, folder, monkeypatch):
    for version in range(1, 6):
        add(recam, edit, folder, version)
    listed.look_again()
    looks = []

    def slow(path):
        looks.append(path)
        time.sleep(0.02)
        return False

    monkeypatch.setattr(listed.os.path, "exists", slow)
    monkeypatch.setattr(listed, "_budget", [0.0, 0.0])
    for _ in range(20):
        found = listed.takes(edit, strips(edit)["clip"])
    assert len(looks) == 1
    assert [each.there for each in found] == [False, True, True, True, True]


def test_a_take_that_is_gone_is_told(recam, listed, edit, folder):
    add(recam, edit, folder, 1)
    os.remove(folder / "clip_Target_v001.mkv")
    listed.look_again()
    assert not listed.takes(edit, strips(edit)["clip"])[0].there


def test_compare_goes_between_what_was_shown_and_the_source(recam, listed, edit, folder):
    first, second, third = (add(recam, edit, folder, version) for version in (1, 2, 3))
    clip = strips(edit)["clip"]
    listed.show(strips(edit)[second], False)
    assert listed.compare(edit, clip) is False
    assert shown(edit, first, second, third) == [False, False, False]
    assert listed.compare(edit, clip) is True
    assert shown(edit, first, second, third) == [True, False, True]
    assert not clip.mute


def test_compare_shows_the_chosen_take_or_the_newest_where_none_was_shown(recam, listed, edit, folder):
    first, second = (add(recam, edit, folder, version) for version in (1, 2))
    for name in (first, second):
        listed.show(strips(edit)[name], False)
    listed.choose(edit, strips(edit)["clip"])
    listed.compare(edit, strips(edit)["clip"])
    assert shown(edit, first, second) == [False, True]
    listed.show(strips(edit)[second], False)
    listed.choose(edit, strips(edit)[first])
    listed.compare(edit, strips(edit)["clip"])
    assert shown(edit, first, second) == [True, False]


def test_nothing_to_compare(recam, listed, edit):
    with pytest.raises(recam("errors").ReCamError, match="has no takes"):
        listed.compare(edit, strips(edit)["clip"])


def test_the_source_is_seen_where_takes_are_compared_with_it(recam, edit, folder):
    """Blender's own render is what says what is seen."""
    from timeline import render

    take = strips(edit)[add(recam, edit, folder, 1)]
    take.use_reverse_frames = True
    frame = shots.START + 2
    with_take = render(edit, frame)
    listed = recam("take_list")
    listed.compare(edit, strips(edit)["clip"])
    source = render(edit, frame)
    assert shots.psnr(source, shots.pictures()[2]) > 30
    assert shots.psnr(with_take, shots.pictures()[2]) < 25
    listed.compare(edit, strips(edit)["clip"])
    assert shots.psnr(render(edit, frame), with_take) > 60


def test_solo_and_as_before(recam, listed, edit, folder):
    first, second, third = (add(recam, edit, folder, version) for version in (1, 2, 3))
    take = strips(edit)
    listed.show(take[second], False)
    assert listed.solo(edit, take[second]) is True
    assert shown(edit, first, second, third) == [False, True, False]
    assert listed.is_solo(edit, take[second])
    # From one solo to another, what was before the first counts.
    listed.solo(edit, take[first])
    assert shown(edit, first, second, third) == [True, False, False]
    assert listed.solo(edit, take[first]) is False
    assert shown(edit, first, second, third) == [True, False, True]


def test_solo_leaves_the_takes_of_other_cuts(recam, listed, edit, folder):
    first, second = (add(recam, edit, folder, version) for version in (1, 2))
    compat = recam("compat")
    compat.set_span(strips(edit)[first], shots.START, shots.START + 4)
    compat.set_span(strips(edit)[second], shots.START + 4, shots.START + 8)
    listed.solo(edit, strips(edit)[first])
    assert shown(edit, first, second) == [True, True]


def test_the_chosen_row_is_the_active_strip(recam, listed, edit, folder):
    first, second = (add(recam, edit, folder, version) for version in (1, 2))
    every = [each.name for each in recam("compat").strips_all(edit)]
    assert edit.recam.take_index == every.index(second)
    edit.recam.take_index = every.index(first)
    assert edit.sequence_editor.active_strip.name == first
    assert [each.name for each in recam("compat").strips_all(edit) if each.select] == [first]
    edit.recam.take_index = 99
    assert edit.sequence_editor.active_strip.name == first


def test_the_list_shows_the_takes_of_the_footage_alone(recam, edit, folder):
    for version in (2, 11, 3):
        add(recam, edit, folder, version)
    other = strips(edit).new_movie("other", str(folder / "clip.mkv"), 20, shots.START)
    every = recam("compat").strips_all(edit)
    data, attribute = edit.sequence_editor, recam("compat").EVERY_STRIP
    assert [each.name for each in getattr(data, attribute)] == [each.name for each in every]

    class List:
        bitflag_filter_item = 1 << 30

    context = type("Context", (), {"scene": edit, "sequencer_scene": edit})
    show = recam("take_panel").RECAM_UL_takes.filter_items
    flags, order = show(List, context, data, attribute)
    rows = {order[at]: each.name for at, each in enumerate(every) if flags[at]}
    assert [rows[at] for at in sorted(rows)] == [f"clip_Target_v0{each}" for each in ("11", "03", "02")]
    assert sorted(order) == list(range(len(every)))
    edit.sequence_editor.active_strip = other
    assert not any(show(List, context, data, attribute)[0])


def test_a_long_list_is_quickly_told(recam, listed, edit, folder):
    """Ten takes among 200 strips: what a redraw asks for is there within a few milliseconds."""
    for version in range(1, 11):
        add(recam, edit, folder, version)
    for number in range(190):
        strips(edit).new_effect(f"colour {number}", "COLOR", 60, **_length(number))
    clip = strips(edit)["clip"]
    listed.takes(edit, clip)
    best = min(_timed(lambda: listed.takes(edit, clip)) for _ in range(20))
    assert best < 0.01, f"{best * 1000:.1f} ms"


def _length(number):
    start = 100 + 10 * number
    parameters = bpy.types.SequencesTopLevel.bl_rna if hasattr(bpy.types, "SequencesTopLevel") else None
    kind = parameters or bpy.types.StripsTopLevel.bl_rna
    if "length" in kind.functions["new_effect"].parameters:
        return {"frame_start": start, "length": 10}
    return {"frame_start": start, "frame_end": start + 10}


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
