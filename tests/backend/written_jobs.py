"""Jobs as JSON, as whoever writes one by hand would write it."""

import json

IDENTITY = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
LENS = {"fx": 800.0, "fy": 800.0, "cx": 416.0, "cy": 240.0}


def minimal():
    """The least that is a job, as whoever writes one by hand would write it."""
    return {
        "footage": {"kind": "movie", "files": ["/clip.mp4"], "frames": [0, 1, 1], "width": 832, "height": 480},
        "target": {"width": 832, "height": 480, "poses": [IDENTITY] * 3, "intrinsics": [LENS] * 3},
        "output": {"path": "/take.mp4", "width": 832, "height": 480, "rate": "24000/1001"},
    }


def full():
    """A job that uses every field."""
    return minimal() | {
        "footage": {
            "kind": "images",
            "files": ['/it\'s "a" é/日本 0001.png', "/2.png"],
            "frames": [1, 0, 0],
            "width": 831,
            "height": 479,
            "identity": "strip:sha",
        },
        "source": minimal()["target"] | {"width": 831},
        "lens": LENS,
        "subject_distance": 3,
        "source_from": "still",
        "relative": True,
        "known": None,
        "use": {
            "kind": "freeze",
            "strength": 0.5,
            "at": 2,
            "hold": 1,
            "ease": 0,
            "lead": 1,
            "tail": 1,
            "region": {"x": 0.5, "y": 0.0, "width": 0.5, "height": 1.0},
            "by": "",
            "factor": 2.0,
            "keep": False,
        },
        "settings": {
            "engine": "reproject",
            "seed": 2**63 - 1,
            "depth": {"kind": "file", "files": ["/1.exr", "/2.exr", "/3.exr"], "scale": 10.0, "identity": "scene"},
            "generation": {
                "prompt": "Ein Hund läuft.\n走る犬",
                "negative_prompt": "",
                "quality": "draft",
                "steps": 8,
                "guidance": 1.5,
                "frames": 49,
                "overlap": 9,
                "width": 480,
                "height": 832,
                "fit": "pad",
                "focus_x": 0.25,
                "focus_y": 0.75,
                "cache": "sea",
                "device": "cuda:1",
                "plan": "streamed",
                "compile": True,
                "models": {
                    "folder": "/models é",
                    "transformer": "/step20000.ckpt",
                    "vae": "/vae",
                    "text_encoder": "/umt5",
                    "tokenizer": "/spiece.model",
                    "embeddings": "/pack.safetensors",
                    "lora": "/lora.safetensors",
                    "preview": "/taew2_1.pth",
                },
            },
            "true_pixels": True,
        },
        "output": {
            "path": "/folder",
            "width": 16384,
            "height": 1,
            "rate": "25",
            "format": "png",
            "mask": True,
        },
        "origin": {
            "blend": "/shot.blend",
            "scene": "Scène",
            "strip": "日本.001",
            "frame_start": -7,
            "camera": "Cam",
            "camera_scene": "Set",
            "camera_frame": 12.5,
            "source_camera": "Src",
        },
        "version": 1,
    }


def changed(job, path, value):
    """A copy with the value at a dotted path replaced, added, or (None) taken away."""
    result = json.loads(json.dumps(job))  # not deepcopy, which would keep the three poses one object
    *parents, last = path.split(".")
    place = result
    for each in parents:
        place = place[int(each) if each.isdigit() else each]
    key = int(last) if last.isdigit() else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return result
