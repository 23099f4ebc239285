"""What Blender shows, rendered by Blender: the truth for the tests of footage and takes. Not through the add-on."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]

WIDTH, HEIGHT = 128, 64
_BITS = 8


def numbered(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture (height, width, 3) uint8 whose left half spells ``index`` in 8 bars, beside a coloured gradient.

    The bars spell one more, so that an empty picture is no picture's number.
    """
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255 // width, y * 255 // height, (x + y + 9 * index) % 256], axis=-1).astype(np.uint8)
    for bit in range(_BITS):
        image[bit * height // _BITS : (bit + 1) * height // _BITS, : width // 2] = 255 * (index + 1 >> bit & 1)
    return image


def number_in(image: np.ndarray) -> int | None:
    """The index in a picture of any size that a whole :func:`numbered` fills; None for a blend of two, -1 for black."""
    height, width = image.shape[:2]
    bars = image[:, width // 8 : width * 3 // 8].astype(float).mean(axis=(1, 2))
    levels = [bars[int((bit + 0.5) * height / _BITS)] / 255 for bit in range(_BITS)]
    if any(0.2 < level < 0.8 for level in levels):
        return None
    return sum(1 << bit for bit, level in enumerate(levels) if level > 0.5) - 1


def write_pictures(folder: Path, pictures: list[np.ndarray], stem: str = "é 日本 ") -> list[Path]:
    paths = []
    for index, picture in enumerate(pictures):
        paths.append(folder / f"{stem}{index:04d}.png")
        save(picture, paths[-1])
    return paths


def save(picture: np.ndarray, path: Path, kind: str = "PNG") -> None:
    """Through Blender's byte images, which store what they are given."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new("picture", width, height)
    try:
        pixels = np.ones((height, width, 4), np.float32)
        pixels[..., :3] = picture[::-1] / np.float32(255)
        image.pixels.foreach_set(pixels.ravel())
        image.file_format = kind
        image.save(filepath=str(path))
    finally:
        bpy.data.images.remove(image)


def load(path: str | Path) -> np.ndarray:
    """(height, width, 3) uint8 as the file has it."""
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return (pixels.reshape(height, width, 4)[::-1, :, :3] * 255).round().astype(np.uint8)
    finally:
        bpy.data.images.remove(image)


def render(scene: bpy.types.Scene, frame: int) -> np.ndarray:
    """What the scene's sequencer shows at a frame through its own settings, (height, width, 3) uint8."""
    folder = tempfile.mkdtemp()
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.compression = "PNG", "RGB", 0
    before = scene.frame_start, scene.frame_end, scene.render.filepath
    try:
        scene.frame_start = scene.frame_end = frame
        scene.render.filepath = f"{folder}/"
        bpy.ops.render.render(animation=True, scene=scene.name)
        return load(scene.render.frame_path(frame=frame))
    finally:
        scene.frame_start, scene.frame_end, scene.render.filepath = before
        shutil.rmtree(folder)


def numbers(scene: bpy.types.Scene, start: int, stop: int) -> list[int | None]:
    return [number_in(render(scene, frame)) for frame in range(start, stop)]


def new_scene(name: str = "Edit", width: int = WIDTH, height: int = HEIGHT, fps: int = 24) -> bpy.types.Scene:
    scene = bpy.data.scenes.new(name)
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.fps = fps
    scene.view_settings.view_transform = "Standard"
    scene.sequence_editor_create()
    return scene


def strips(owner: bpy.types.Scene | bpy.types.ID) -> bpy.types.bpy_prop_collection:
    owner = owner.sequence_editor if isinstance(owner, bpy.types.Scene) else owner
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def new_images(
    scene: bpy.types.Scene, paths: list[Path], start: int = 10, channel: int = 1, name: str = "clip"
) -> bpy.types.ID:
    strip = strips(scene).new_image(name, str(paths[0]), channel, start, fit_method="ORIGINAL")
    for path in paths[1:]:
        strip.elements.append(path.name)
    return strip


def new_effect(scene: bpy.types.Scene, kind: str, channel: int, start: int, stop: int, *inputs: bpy.types.ID) -> Any:
    """An effect strip; 5.0 renamed what this takes."""
    create = strips(scene).new_effect
    names = strips(scene).bl_rna.functions["new_effect"].parameters.keys()
    end = {"length": stop - start} if "length" in names else {"frame_end": stop}
    below = dict(zip(("input1", "input2") if "input1" in names else ("seq1", "seq2"), inputs, strict=False))
    return create(name=kind, type=kind, channel=channel, frame_start=start, **end, **below)


def span(strip: Any) -> tuple[int, int]:
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle
    return strip.frame_final_start, strip.frame_final_end


def new_movie(scene: bpy.types.Scene, path: Path, start: int = 10, channel: int = 1) -> Any:
    return strips(scene).new_movie(path.stem, str(path), channel, start, fit_method="ORIGINAL")


def effect_on(scene: bpy.types.Scene, kind: str, strip: Any, channel: int = 2) -> Any:
    return new_effect(scene, kind, channel, *span(strip), strip)


def new_cross(scene: bpy.types.Scene, first: Any, second: Any, channel: int) -> Any:
    """A cross-fade over the frames that the two share."""
    return new_effect(scene, "CROSS", channel, span(second)[0], span(first)[1], first, second)


def read_footage(
    recam: Callable[[str], ModuleType],
    scene: bpy.types.Scene,
    strip: bpy.types.ID,
    frames: tuple[int, int] | None = None,
    *,
    folder: str,
) -> Any:
    """The add-on's read_footage, run to its end."""
    return drained(recam("footage").read_footage(scene, strip, frames, folder=folder))


def drained(work: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def append_scene(file: str) -> bpy.types.Scene:
    """The scene of a .blend in tests/data, with a sequencer."""
    with bpy.data.libraries.load(str(ROOT / "tests" / "data" / file)) as (_, wanted):
        wanted.scenes = ["Edit"]
    return wanted.scenes[0]


def in_window(scene: bpy.types.Scene) -> bpy.types.Scene:
    bpy.context.window.scene = scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    return scene


@contextlib.contextmanager
def sequencer_area() -> Iterator[None]:
    """Where the sequencer's operators believe themselves to be clicked, though there is no window to see."""
    window = bpy.context.window
    area = window.screen.areas[0]
    before, area.type = area.type, "SEQUENCE_EDITOR"
    region = next(each for each in area.regions if each.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield
    area.type = before


def in_backend(python: str, source: str, *arguments: str | Path) -> str:
    """Run a few lines in the backend's environment, from the checkout's root; what they print."""
    program = "import sys; sys.path.insert(0, '.')\n" + textwrap.dedent(source)
    done = subprocess.run(
        [python, "-c", program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_small_files(recam: Any, source: str, *, error: str, arguments: list[str]) -> str:
    """Make ``work``, a generator, in a Blender of its own, and run it where no file can grow over 5000 bytes.

    The installed add-on is the package ``extension`` there; sys.argv[2:] are the arguments. Returns what the error of
    this class says; any other end fails.
    """
    start = """
        import bpy, importlib, importlib.util, os, resource, signal, sys
        bpy.ops.wm.read_homefile(use_empty=True)
        spec = importlib.util.spec_from_file_location(
            "extension", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]]
        )
        sys.modules["extension"] = importlib.util.module_from_spec(spec)
    """
    end = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            for _ in work:
                pass
        except Exception as raised:
            name, words = type(raised).__name__, str(raised)
        else:
            name = words = "nothing"
        sys.stderr.write("@@" + name + "@@" + words)
        sys.stderr.flush()
        os._exit(0)
    """
    package = str(Path(recam.addon.__file__).parent)
    program = "\n".join(map(textwrap.dedent, (start, source, end)))
    done = subprocess.run(
        [sys.executable, "-c", program, package, *arguments], capture_output=True, text=True, check=False
    )
    _, name, words = done.stderr.rsplit("@@", 2) if done.stderr.count("@@") > 1 else ("", done.stderr, "")
    assert name == error, f"{name} {words}"
    return words


def write_clips(python: str, folder: Path, count: int, rates: tuple[str, ...]) -> dict[str, Path]:
    """By their rates, movies whose frames spell their numbers."""
    pictures = [numbered(index) for index in range(count)]
    return {rate: write_movie(python, folder / f"it's {rate.replace('/', '-')}.mkv", pictures, rate) for rate in rates}


def write_movie(python: str, path: Path, pictures: list[np.ndarray], rate: str = "24", **options: object) -> Path:
    """A movie of these pictures, lossless RGB unless the options of tests/backend/clips.py say otherwise."""
    if not options:
        options = {"codec": "ffv1", "pix_fmt": "bgr0"}
    folder = Path(tempfile.mkdtemp())
    np.save(folder / "pictures.npy", np.stack(pictures))
    in_backend(
        python,
        """
        import json
        from fractions import Fraction
        import numpy as np
        sys.path.insert(0, "tests/backend")
        from clips import make_clip
        make_clip(sys.argv[2], np.load(sys.argv[1]), rate=Fraction(sys.argv[3]), **json.loads(sys.argv[4]))
        """,
        folder / "pictures.npy",
        path,
        rate,
        json.dumps(options),
    )
    shutil.rmtree(folder)
    return path
