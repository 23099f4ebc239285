"""A small edit to re-shoot: a numbered clip in the sequencer, a keyframed camera, and how to look at the takes."""

import json
from pathlib import Path

import bpy
import numpy as np
from timeline import HEIGHT, WIDTH, in_backend, new_scene, strips, write_movie

FRAMES = 12
START = 10


def pictures(count: int = FRAMES) -> list[np.ndarray]:
    """Soft waves that move: something a codec keeps, and that shows when a frame is out of order."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    return [
        np.stack(
            [
                128 + 90 * np.sin(2 * x + 0.3 * index) * np.cos(2 * y),
                128 + 90 * np.cos(3 * y - 0.2 * index),
                128 + 60 * np.sin(2 * (x + y)),
            ],
            axis=-1,
        )
        .round()
        .astype(np.uint8)
        for index in range(count)
    ]


def new_edit(python: str, folder: Path, name: str = "Edit", clip: str = "clip.mkv") -> bpy.types.Scene:
    """A scene whose sequencer shows the clip from START on, and whose camera dollies in and turns."""
    path = folder / clip
    if not path.exists():
        write_movie(python, path, pictures())
    scene = new_scene(name)
    strips(scene).new_movie("clip", str(path), 2, START)
    scene.sequence_editor.active_strip = strips(scene)[0]
    add_camera(scene, "Target", turn=0.05)
    return scene


def add_camera(scene: bpy.types.Scene, name: str, *, move: float = 0.0, turn: float = 0.0) -> bpy.types.Object:
    """A camera 3 m before the origin that moves sideways and turns by so much over the clip; the scene's own."""
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    scene.collection.objects.link(camera)
    scene.camera = camera
    for frame, share in ((START, 0.0), (START + FRAMES - 1, 1.0)):
        camera.location = (share * move, -3.0, 0.0)
        camera.rotation_euler = (np.pi / 2, 0.0, share * turn)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    return camera


def frames_of(python: str, path: str | Path) -> np.ndarray:
    """All frames of a movie as the backend's own reader gives them: (n, h, w, 3)."""
    out = Path(str(path) + ".npy")
    in_backend(
        python,
        """
        import av, numpy
        with av.open(sys.argv[1]) as movie:
            frames = [each.to_ndarray(format="rgb24") for each in movie.decode(video=0)]
        numpy.save(sys.argv[2], numpy.stack(frames))
        """,
        path,
        out,
    )
    frames = np.load(out)
    out.unlink()
    return frames


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def record_of(path: str | Path) -> dict:
    return json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))


def left_behind(folder: Path) -> list[str]:
    """What lies in a folder of takes that is no whole take: halves, claims, temporary files."""
    return [each.name for each in folder.iterdir() if not each.name.endswith((".mp4", ".json"))] + [
        each.name for each in folder.glob("*.json") if not each.with_suffix(".mp4").exists()
    ]
