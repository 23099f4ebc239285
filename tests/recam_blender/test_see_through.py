"""See through footage: at every frame the camera's background shows what the sequencer shows, as Blender renders it."""

from pathlib import Path
from typing import Any

import bpy
import pytest
import timeline

COUNT, START = 14, 10


@pytest.fixture(scope="module")
def clips(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return timeline.write_clips(backend_python, tmp_path_factory.mktemp('clips "é" 日本'), COUNT, ("24", "30"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures é 日本")
    return timeline.write_pictures(folder, [timeline.numbered(index) for index in range(COUNT)])


@pytest.fixture
def edit() -> bpy.types.Scene:
    scene = timeline.in_window(timeline.new_scene())
    add_camera(scene, "Target")
    return scene


def add_camera(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def new_strip(scene: bpy.types.Scene, kind: str, clips: dict[str, Path], pictures: list[Path]) -> Any:
    if kind == "movie":
        strip = timeline.new_movie(scene, clips["24"], START)
    else:
        strip = timeline.new_images(scene, pictures, START)
    scene.sequence_editor.active_strip = strip
    return strip


def press(name: str = "see_through") -> set[str]:
    return getattr(bpy.ops.recam, name)()


def background_at(camera: bpy.types.Object, scene: bpy.types.Scene, frame: int) -> int:
    """Which of its pictures, from 0, the camera's first background has at a frame; its drivers counted."""
    scene.frame_set(frame)
    data = camera.evaluated_get(scene.view_layers[0].depsgraph).data
    return frame_of(data.background_images[0].image_user, frame) - (camera_source(camera) == "MOVIE")


def camera_source(camera: bpy.types.Object) -> str:
    return camera.data.background_images[0].image.source


def frame_of(user: Any, now: int) -> int:
    """What Blender makes of it (BKE_image_user_frame_get): the test below has Blender say so itself."""
    return min(max(now - user.frame_start + 1, 0), user.frame_duration) + user.frame_offset


@pytest.mark.parametrize("kind", ["movie", "images"])
def test_an_image_user_shows_the_frame_that_these_tests_reckon_with(
    clips: dict[str, Path], pictures: list[Path], kind: str
) -> None:
    """A plane before a camera has the image, by the values that a background would have; Cycles renders it."""
    scene = timeline.new_scene("World", 64, 32)
    camera = add_camera(scene, "Camera")
    camera.data.type, camera.data.ortho_scale, camera.location.z = "ORTHO", 2.0, 1.0
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata([(-1, -0.5, 0), (1, -0.5, 0), (1, 0.5, 0), (-1, 0.5, 0)], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new().data.foreach_set("uv", [0, 0, 1, 0, 1, 1, 0, 1])
    plane = bpy.data.objects.new("plane", mesh)
    scene.collection.objects.link(plane)
    material = bpy.data.materials.new("picture")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    texture, glow = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeEmission")
    links.new(texture.outputs["Color"], glow.inputs["Color"])
    links.new(glow.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs[0])
    mesh.materials.append(material)
    texture.interpolation = "Closest"
    texture.image = bpy.data.images.load(str(clips["24"] if kind == "movie" else pictures[0]))
    texture.image.source = "MOVIE" if kind == "movie" else "SEQUENCE"
    user = texture.image_user
    user.frame_start, user.frame_duration, user.use_auto_refresh = 12, 8, True
    scene.render.engine, scene.cycles.samples, scene.cycles.filter_width = "CYCLES", 1, 0.01
    scene.render.use_sequencer = False
    # The last two: the first picture, and the last that there is.
    for frame, offset in ((12, 0), (15, 2), (19, 0), (19, -3), (12, -(kind == "images")), (19, 5)):
        user.frame_offset = offset
        expected = frame_of(user, frame) - (kind == "movie")
        assert timeline.number_in(timeline.render(scene, frame)) == expected, (frame, offset)


TIMINGS: dict[str, dict[str, float]] = {
    "plain": {},
    "trim": {"frame_offset_start": 4, "frame_offset_end": 3},
    "cut file and trim": {"animation_offset_start": 3, "animation_offset_end": 2, "frame_offset_start": 2},
    "reverse": {"use_reverse_frames": True, "frame_offset_start": 2},
    "hold": {"frame_offset_start": -3, "frame_offset_end": -2},
    "strobe": {"strobe": 3},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("kind", ["movie", "images"])
@pytest.mark.usefixtures("addon")
def test_the_background_shows_what_the_sequencer_shows(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], kind: str, timing: str
) -> None:
    strip = new_strip(edit, kind, clips, pictures)
    for name, value in TIMINGS[timing].items():
        setattr(strip, name, value)
    assert press() == {"FINISHED"}
    start, stop = timeline.span(strip)
    seen = [background_at(edit.camera, edit, frame) for frame in range(start, stop)]
    assert seen == timeline.numbers(edit, start, stop)
    animation = edit.camera.data.animation_data
    evenly = seen == list(range(seen[0], seen[0] + len(seen)))
    assert (animation is None or not len(animation.drivers)) == evenly
    assert animation is None or animation.action is None


@pytest.mark.usefixtures("addon")
@pytest.mark.parametrize("way", ["speed effect", "another rate", "retimed"])
def test_strips_that_are_played_at_another_speed(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], way: str
) -> None:
    if way == "another rate":
        # Adjusted by 4.5: only an operator does that, which crashes without a window.
        edit = timeline.in_window(timeline.append_scene("strips.blend"))
        strip = timeline.strips(edit)["30"]
        strip.filepath = str(clips["30"])
        for each in timeline.strips(edit):
            each.mute = each != strip
        edit.sequence_editor.active_strip = strip
        add_camera(edit, "Target")
    else:
        strip = new_strip(edit, "movie", clips, pictures)
    if way == "speed effect":
        speed = timeline.effect_on(edit, "SPEED", strip)
        speed.speed_control, speed.speed_factor, speed.use_frame_interpolate = "MULTIPLY", 1.7, False
    if way == "retimed":
        strip.select = True
        with timeline.sequencer_area():
            bpy.ops.sequencer.retiming_key_add(timeline_frame=START + 5)
            strip.retiming_keys[-1].timeline_frame = START + 8
    assert press() == {"FINISHED"}
    start, stop = timeline.span(strip)
    seen = [background_at(edit.camera, edit, frame) for frame in range(start, stop)]
    if way == "another rate":
        # The strip says to be longer than this clip is: Blender shows its last picture then.
        seen = [min(each, COUNT - 1) for each in seen]
    assert seen == timeline.numbers(edit, start, stop)
    assert seen != list(range(len(seen)))


@pytest.mark.usefixtures("addon")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_camera_in_another_scene_with_a_time_of_its_own(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    strip = new_strip(edit, "movie", clips, pictures)
    strip.frame_offset_start = 3
    world = bpy.data.scenes.new("World")
    camera = add_camera(world, "Elsewhere")
    edit.render.fps, edit.render.fps_base = 24, 1.001
    edit.recam.camera_scene, edit.recam.camera = world, camera
    edit.recam.use_camera_frame, edit.recam.camera_frame = True, 101.0
    world.render.resolution_x, world.render.resolution_y, world.render.fps = 1920, 1080, 25
    assert press() == {"FINISHED"}
    start, stop = timeline.span(strip)
    seen = [background_at(camera, world, 101 + index) for index in range(stop - start)]
    assert seen == timeline.numbers(edit, start, stop)
    assert seen[0] == 3
    # Shape and rate of the footage; the edit is left as it is.
    assert (world.render.resolution_x, world.render.resolution_y) == (timeline.WIDTH, timeline.HEIGHT)
    assert (world.render.fps, round(world.render.fps_base, 6)) == (24, 1.001)
    assert edit.camera.data.background_images[:] == []


@pytest.mark.usefixtures("addon")
def test_cuts_by_markers_give_each_camera_its_background(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    new_strip(edit, "movie", clips, pictures)
    first, second = edit.camera, add_camera(edit, "Second")
    for frame, camera in ((1, first), (START + 5, second)):
        edit.timeline_markers.new("cut", frame=frame).camera = camera
    assert press() == {"FINISHED"}
    assert background_at(first, edit, START + 2) == 2
    assert background_at(second, edit, START + 7) == 7
    assert press("see_through_stop") == {"FINISHED"}
    assert not [each for camera in (first, second) for each in camera.data.background_images]


# What is changed, and what is not


@pytest.mark.parametrize(
    ("size", "pixel", "expected"),
    [
        ((1920, 960), (1.0, 1.0), (1920, 960)),
        ((1920, 1080), (1.0, 1.0), (128, 64)),
        ((1920, 960), (2.0, 1.0), (128, 64)),
        ((960, 960), (2.0, 1.0), (128, 64)),
        ((1000, 501), (1.0, 1.0), (1000, 501)),
    ],
)
@pytest.mark.usefixtures("addon")
def test_the_scene_gets_the_footages_shape_only_where_it_has_another(
    edit: bpy.types.Scene,
    clips: dict[str, Path],
    pictures: list[Path],
    size: tuple[int, int],
    pixel: tuple[float, float],
    expected: tuple[int, int],
) -> None:
    new_strip(edit, "movie", clips, pictures)
    render = edit.render
    render.resolution_x, render.resolution_y = size
    render.pixel_aspect_x, render.pixel_aspect_y = pixel
    assert press() == {"FINISHED"}
    assert (render.resolution_x, render.resolution_y) == expected
    assert render.pixel_aspect_x == render.pixel_aspect_y


@pytest.mark.usefixtures("addon")
def test_an_edit_that_shows_the_footage_larger_is_cut_to_what_it_shows(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    """To fit: 128 x 64 in 640 x 480 is shown at 640 x 320. A frame of 128 x 64 would show a fifth of it."""
    strip = new_strip(edit, "movie", clips, pictures)
    edit.render.resolution_x, edit.render.resolution_y = 640, 480
    strip.transform.scale_x = strip.transform.scale_y = 5.0
    assert press() == {"FINISHED"}
    assert (edit.render.resolution_x, edit.render.resolution_y) == (640, 320)


@pytest.mark.usefixtures("addon")
def test_a_second_press_takes_the_first_ones_place_and_leaves_others_alone(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    data = edit.camera.data
    theirs = data.background_images.new()
    theirs.image, theirs.alpha, theirs.frame_method = bpy.data.images.new("storyboard", 8, 8), 0.3, "CROP"
    theirs.image_user.frame_offset = 7
    data.show_background_images = False

    def of_the_user() -> tuple[Any, ...]:
        (found,) = (each for each in data.background_images if each.image.name == "storyboard")
        return found.alpha, found.frame_method, found.image_user.frame_offset, found.show_background_image

    before, images = of_the_user(), len(bpy.data.images)
    strip = new_strip(edit, "movie", clips, pictures)
    strip.use_reverse_frames = True
    for _ in range(3):
        assert press() == {"FINISHED"}
    assert len(data.background_images) == 2
    assert len(bpy.data.images) == images + 1
    assert len(data.animation_data.drivers) == 1
    assert data.show_background_images
    strip.use_reverse_frames = False
    assert press() == {"FINISHED"}
    assert not len(data.animation_data.drivers)
    assert of_the_user() == before

    assert press("see_through_stop") == {"FINISHED"}
    assert [each.image.name for each in data.background_images] == ["storyboard"]
    assert not data.show_background_images
    assert (of_the_user(), len(bpy.data.images)) == (before, images)
    assert not bpy.ops.recam.see_through_stop.poll()


@pytest.mark.usefixtures("addon")
def test_a_driver_of_the_users_stays(edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]) -> None:
    data = edit.camera.data
    data.driver_add("lens").driver.expression = "35 + frame"
    strip = new_strip(edit, "movie", clips, pictures)
    strip.use_reverse_frames = True
    assert press() == {"FINISHED"}
    assert len(data.animation_data.drivers) == 2
    assert press("see_through_stop") == {"FINISHED"}
    assert [each.data_path for each in data.animation_data.drivers] == ["lens"]


@pytest.mark.usefixtures("addon")
def test_a_copy_of_a_camera_keeps_its_own_background(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    new_strip(edit, "movie", clips, pictures)
    assert press() == {"FINISHED"}
    copy = edit.camera.copy()
    copy.data = edit.camera.data.copy()
    edit.collection.objects.link(copy)
    other = timeline.new_images(edit, pictures, START, channel=2, name="pictures")
    edit.sequence_editor.active_strip, edit.recam.camera = other, copy
    assert press() == {"FINISHED"}
    assert camera_source(edit.camera) == "MOVIE"
    assert camera_source(copy) == "SEQUENCE"
    assert press("see_through_stop") == {"FINISHED"}
    assert not len(bpy.data.images)


@pytest.mark.usefixtures("addon")
def test_it_looks_as_in_the_sequencer(edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]) -> None:
    """Whatever the scene's view: as the strip is read, and not through the view."""
    strip = new_strip(edit, "movie", clips, pictures)
    assert press() == {"FINISHED"}
    (background,) = edit.camera.data.background_images
    assert background.image.colorspace_settings.name == strip.colorspace_settings.name
    assert not background.image.use_view_as_render
    assert (background.source, background.alpha, background.display_depth) == ("IMAGE", 1.0, "BACK")


@pytest.mark.usefixtures("addon")
def test_a_single_picture(edit: bpy.types.Scene, pictures: list[Path]) -> None:
    strip = timeline.new_images(edit, pictures[3:4], START)
    strip.frame_final_duration = 20
    edit.sequence_editor.active_strip = strip
    assert press() == {"FINISHED"}
    (background,) = edit.camera.data.background_images
    assert (background.image.source, Path(background.image.filepath)) == ("FILE", pictures[3])


# What cannot be shown


@pytest.mark.usefixtures("addon")
def test_changed_pictures_are_refused_with_a_way_out(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path]
) -> None:
    strip = new_strip(edit, "movie", clips, pictures)
    strip.crop.min_x = 5
    with pytest.raises(RuntimeError, match=r"is cropped: no file holds .* Render the strip to a movie"):
        press()
    assert not len(edit.camera.data.background_images)


@pytest.mark.usefixtures("addon")
def test_pictures_that_are_no_sequence_are_refused(edit: bpy.types.Scene, folder: Path) -> None:
    one, other = (timeline.write_pictures(folder, [timeline.numbered(3)], stem=stem)[0] for stem in ("cat ", "dog "))
    edit.sequence_editor.active_strip = timeline.new_images(edit, [one, other], START)
    with pytest.raises(RuntimeError, match=r"not named as one sequence .* shot_0001\.png"):
        press()


@pytest.mark.usefixtures("addon")
def test_without_footage_the_button_is_grey(edit: bpy.types.Scene) -> None:
    assert not bpy.ops.recam.see_through.poll()


@pytest.mark.usefixtures("addon")
def test_a_camera_of_a_linked_file_is_refused(
    edit: bpy.types.Scene, clips: dict[str, Path], pictures: list[Path], folder: Path
) -> None:
    new_strip(edit, "movie", clips, pictures)
    library = folder / "cameras.blend"
    bpy.data.libraries.write(str(library), {edit.camera.data})
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.cameras = ["Target"]
    edit.camera.data = wanted.cameras[0]
    with pytest.raises(RuntimeError, match="belongs to a linked file"):
        press()
