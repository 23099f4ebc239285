"""Where takes go: names that every system takes, and numbers that nobody takes twice."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest


@pytest.fixture
def takes(recam):
    return recam("takes")


def test_folder(takes, folder: Path) -> None:
    blend = str(folder / "shot.blend")
    assert takes.folder_for(blend, "/user") == str(folder / "recam")
    assert takes.folder_for("", str(folder)) == str(folder / "takes")


# Names


@pytest.mark.parametrize(
    ("strip", "camera", "expected"),
    [
        ("Clip", "Camera", "Clip_Camera"),
        ("clip.001", "Camera.002", "clip.001_Camera.002"),
        ("it's é 日本", "🎥", "it's é 日本_🎥"),
        ("e\u0301", "x", "é_x"),
        ('a<b>c:d"e/f\\g|h?i*j', "{x}#%", "a_b_c_d_e_f_g_h_i_j__x___"),
        ("../../etc/passwd", "..", "_.._etc_passwd_camera"),
        ("line\nbreak\ttab\x00", "\u2028", "line_break_tab___"),
        (" . ", "", "strip_camera"),
        (" .hidden. ", " c. ", "hidden_c"),
        ("NUL.x", "Camera", "_NUL.x_Camera"),
        ("con", "Camera", "con_Camera"),
        ("com1.a", "b", "_com1.a_b"),
        ("\ud800", "b", "__b"),
    ],
)
def test_stems(takes, strip: str, camera: str, expected: str) -> None:
    assert takes.stem(strip, camera) == expected


@pytest.mark.parametrize("letter", ["a", "é", "日", "🎥", "e\u0301", "\u0301"])
def test_long_names(takes, letter: str, folder: Path) -> None:
    """Cut, still distinct, whole letters, and short enough for every file of a take, written here to see it."""
    one, two = takes.stem(letter * 400, letter * 400), takes.stem(letter * 400 + "2", letter * 400)
    assert one != two
    assert one == unicodedata.normalize("NFC", one)
    for name in (one, two):
        path = folder / f"{name}_v00001_mask.mp4"
        path.write_bytes(b"")
        assert len(path.name.encode()) <= 255


# Claims


def _record(folder: Path, name: str, *, digest: str, suffix: str = ".mp4", take: bool = True) -> None:
    result = {"path": f"/elsewhere/{name}{suffix}"}
    (folder / f"{name}.json").write_text(json.dumps({"recam": 1, "digest": digest, "result": result}))
    if take:
        (folder / f"{name}{suffix}").write_bytes(b"")


def test_claim(takes, folder: Path) -> None:
    place = folder / "new" / "recam"
    first = takes.claim(str(place), "clip_cam", ".mp4")
    assert (first.path, first.version) == (str(place / "clip_cam_v001.mp4"), 1)
    assert first.record == str(place / "clip_cam_v001.json")
    assert [path.name for path in place.iterdir()] == ["clip_cam_v001.json"]
    kept = json.loads((place / "clip_cam_v001.json").read_text(encoding="utf-8"))
    assert (kept["recam_claim"], kept["take"]) == (1, "clip_cam_v001.mp4")
    assert f":{os.getpid()}" in kept["by"]
    second = takes.claim(str(place), "clip_cam", "")
    assert second.path == str(place / "clip_cam_v002")


def test_claim_is_what_the_backend_looks_for(takes, recam, folder: Path) -> None:
    """The record that the backend writes has the name that was claimed."""
    contract = recam.backend("contract")
    for kind, suffix in contract.FORMATS.items():
        claim = takes.claim(str(folder), takes.stem("a.b é", "c"), suffix)
        output = contract.Output(path=claim.path, width=1, height=1, rate=contract.Fraction(24), format=kind)
        assert output.record == claim.record


@pytest.mark.parametrize(
    "name",
    ["clip_cam_v007.mp4", "clip_cam_v007.json", "clip_cam_v007", "clip_cam_v007_mask.mp4", "CLIP_cam_v007.txt"],
)
def test_numbers_only_go_up(takes, folder: Path, name: str) -> None:
    for other in ("clip_cam_v003.mp4", "clip_cam2_v090.mp4", "clip_cam_vx.mp4", "clip_v100.json", "clip_cam_v"):
        (folder / other).write_bytes(b"mine")
    (folder / name).write_bytes(b"mine")
    assert takes.claim(str(folder), "clip_cam", ".mp4").version == 8
    assert takes.claim(str(folder), "clip_cam", ".mp4").version == 9
    assert (folder / name).read_bytes() == b"mine"


def test_numbers_beyond_three_digits(takes, folder: Path) -> None:
    (folder / "c_v999.mp4").write_bytes(b"")
    assert takes.claim(str(folder), "c", ".mp4").path.endswith("c_v1000.mp4")
    assert takes.claim(str(folder), "c", ".mp4").path.endswith("c_v1001.mp4")


def test_decomposed_names_count(takes, folder: Path) -> None:
    """Some disks keep é as e and an accent."""
    (folder / "cafe\u0301_cam_v004.mp4").write_bytes(b"")
    assert takes.claim(str(folder), takes.stem("café", "cam"), ".mp4").version == 5


def test_release(takes, folder: Path) -> None:
    claim = takes.claim(str(folder), "c", ".mp4")
    takes.release(claim)
    assert list(folder.iterdir()) == []
    takes.release(claim)
    again = takes.claim(str(folder), "c", ".mp4")
    assert again.version == 1
    takes.release(claim)
    assert Path(again.record).exists()
    Path(again.record).write_text('{"recam": 1}')
    takes.release(again)
    assert Path(again.record).read_text() == '{"recam": 1}'


_CLAIM_50 = """
import importlib, sys, types
for name, path in (("addon", sys.argv[1]), ("addon.recam_blender", sys.argv[1] + "/recam_blender")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
takes = importlib.import_module("addon.recam_blender.takes")
sys.stdin.readline()
for _ in range(50):
    print(takes.claim(sys.argv[2], "clip_cam", ".mp4").version, flush=True)
assert "bpy" not in sys.modules
"""


def test_two_processes_never_share_a_number(recam, folder: Path) -> None:
    root = str(Path(recam.addon.__file__).parent)
    arguments = [sys.executable, "-c", _CLAIM_50, root, str(folder)]
    running = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    found = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(found) == list(range(1, 101))


def test_stale_listing_moves_on(takes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine takes numbers between our look and our claim."""
    for number in (1, 2, 3):
        (folder / f"c_v{number:03d}.json").write_text("{}")
    monkeypatch.setattr(takes, "_versions", lambda *_: iter(()))
    assert takes.claim(str(folder), "c", ".mp4").version == 4


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written(takes, folder: Path) -> None:
    folder.chmod(0o500)
    try:
        with pytest.raises(takes.TakeError, match="may not write there"):
            takes.claim(str(folder), "c", ".mp4")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("code", "reason"), [("EACCES", "may not write"), ("EROFS", "can only be read"), ("ENOSPC", "disk is full")]
)
def test_what_the_disk_says(takes, folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(getattr(takes.errno, code), "system's words")

    monkeypatch.setattr(takes.os, "fdopen" if code == "ENOSPC" else "open", refuse)
    with pytest.raises(takes.TakeError, match=reason) as caught:
        takes.claim(str(folder), "c", ".mp4")
    assert repr(str(folder)) in str(caught.value)
    assert list(folder.iterdir()) == []


def test_folder_that_is_a_file(takes, folder: Path) -> None:
    (folder / "recam").write_text("mine")
    for place in (folder / "recam", folder / "recam" / "deeper"):
        with pytest.raises(takes.TakeError, match="a file"):
            takes.claim(str(place), "c", ".mp4")


# Takes that are there


def test_existing_take(takes, folder: Path) -> None:
    assert takes.existing_take(str(folder / "none"), "c.1", "abc") is None
    _record(folder, "c.1_v001", digest="abc")
    _record(folder, "c.1_v002", digest="abc", suffix="")
    _record(folder, "c.1_v003", digest="other")
    _record(folder, "c.1_v004", digest="abc", take=False)
    found = takes.existing_take(str(folder), "c.1", "abc")
    assert (found.path, found.version, found.record["digest"]) == (str(folder / "c.1_v002"), 2, "abc")
    (folder / "c.1_v002").unlink()
    assert takes.existing_take(str(folder), "c.1", "abc").path == str(folder / "c.1_v001.mp4")
    assert takes.existing_take(str(folder), "c", "abc") is None
    assert takes.existing_take(str(folder), "c.1", "xyz") is None


def test_claims_and_rubbish_are_no_takes(takes, folder: Path) -> None:
    takes.claim(str(folder), "c", ".mp4")
    (folder / "c_v001.mp4").write_bytes(b"")
    rubbish = ["", "[]", "null", '{"digest": "abc"}', '{"digest": "abc", "result": {"path": 3}}', "[" * 100_000, "\x00"]
    for number, text in enumerate(rubbish, 2):
        (folder / f"c_v{number:03d}.json").write_text(text)
        (folder / f"c_v{number:03d}.mp4").write_bytes(b"")
    (folder / "c_v020.json").write_bytes(b"\xff\xfe")
    (folder / "c_v021.json").mkdir()
    assert takes.existing_take(str(folder), "c", "abc") is None
