"""Jobs as they are typed in a shell."""

import json

from backend import request, shell


def published(folder, frames=81, camera="cam05"):
    """A camera that goes one centimetre forward a frame, in the published file's axes and centimetres."""
    data = {
        f"frame{index}": {camera: f"[1 0 0 0] [0 1 0 0] [0 0 1 0] [{3390 + index} 1380 240 1] "}
        for index in range(frames)
    }
    path = folder / "camera_extrinsics.json"
    path.write_text(json.dumps(data))
    return path


def options(*arguments):
    return shell._parser().parse_args(["render", *map(str, arguments)])


def job_of(*arguments, told=None):
    return request.from_clip(options(*arguments), (told if told is not None else []).append)
