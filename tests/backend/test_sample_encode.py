"""What packs the sample's pictures into its clips."""

import av
import cv2
import numpy as np
import pytest

from samples import encode


def test_clip_is_made_and_never_overwritten(tmp_path, capsys):
    pictures, clip = tmp_path / "pictures é", tmp_path / "clips" / "out 日本.mp4"
    pictures.mkdir()
    for index in range(3):
        gray = cv2.imencode(".png", np.full((16, 32, 3), 60 * index, np.uint8))[1]
        (pictures / f"{index:04d}.png").write_bytes(gray.tobytes())
    encode.main([str(pictures), str(clip), "--rate", "25"])
    with av.open(str(clip)) as made:
        assert [made.streams.video[0].frames, made.streams.video[0].average_rate] == [3, 25]
    before = clip.read_bytes()
    with pytest.raises(SystemExit) as end:
        encode.main([str(pictures), str(clip), "--crf", "40"])
    assert end.value.code == 2
    assert "exists, and nothing is overwritten" in capsys.readouterr().err
    assert clip.read_bytes() == before
