"""Shots for the engine from pictures in memory."""

from raytraced import lens_for, trajectory

from backend import contract
from backend.engines import Shot
from backend.reproject import Reproject

WIDTH, HEIGHT = 416, 240
LENS = lens_for(WIDTH, HEIGHT)


class Clip:
    def __init__(self, *frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]

    def frame(self, index):
        return self.frames[index]


def make_shot(images, depths, source, target, *, size=None, lens=LENS, target_lens=None, distance=4.0, kind="scene"):
    height, width = images[0].shape[:2]
    settings = contract.EngineSettings()
    if depths is not None:
        settings = contract.EngineSettings(depth=contract.Depth(kind=kind, files=("in memory",)))
    return Shot(
        footage=Clip(*images),
        depth=None if depths is None else Clip(*depths),
        source=trajectory(source, lens, width, height),
        target=trajectory(target, target_lens or lens, width, height),
        subject_distance=distance,
        settings=settings,
        width=(size or (width, height))[0],
        height=(size or (width, height))[1],
    )


def take(shot, **options):
    engine = Reproject(shot.settings, **options)
    return engine, list(engine.frames(shot, lambda *_: None))


def take_one(image, depth, source, target, **options):
    force = options.pop("force_warp", False)
    depths = None if depth is None else [depth]
    return take(make_shot([image], depths, [source], [target], **options), force_warp=force)[1][0]
