"""Files of cameras as tests write them, and as they are found."""

TUM = ["0.0 1 2 3 0 0 0 1", "0.5 2 2 3 0 0 0 1", "1.0 3 2 3 0 0 0 1", "1.5 4 2 3 0 0 0 1"]
WHOLE = "\n".join(TUM) + "\n"
POSE = "1 0 0 {x} 0 1 0 0 0 0 1 0"
REALESTATE = [f"{index * 40000} 0.5 0.9 0.5 0.5 0 0 {POSE.format(x=-index)}" for index in range(4)]
CAMERAS = "1 PINHOLE 640 480 500 500 320 240\n"


def text(tmp_path, content, name="t.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def colmap(tmp_path, images, known=CAMERAS, suffix=".txt"):
    for name, content in (("cameras", known), ("images", images)):
        text(tmp_path, content, name + suffix)
    return tmp_path


def image(index, name, points="\n"):
    return f"{index} 1 0 0 0 {-index} 0 0 1 {name}\n{points}"
