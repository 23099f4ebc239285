"""Single pictures from files: display-referred RGB(A), 8 or 16 bit, as stored."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .errors import FootageError
from .movie import Picture

# Exif's orientation is ignored, as Blender ignores it.
_AS_STORED = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION


_ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".exr", ".tif", ".tiff", ".bmp", ".webp", ".tga", ".jp2", ".hdr", ".dib")


def is_picture(path: str) -> bool:
    """Whether a file is a single picture, by its name."""
    return path.lower().endswith(_ENDINGS)


def read_picture(path: str) -> Picture:
    """The picture as (height, width, 3 or 4) RGB(A), uint8 or uint16, alpha straight.

    OpenEXR is read as display-referred: its values, clipped to 0..1, are those of the screen.

    Raises:
        FootageError: the file is not there, is no picture, or is damaged.
    """
    if path.lower().endswith(".exr"):
        return _from_float(_exr_rgba(path))
    stored = _decoded(path)
    if stored.ndim == 2:
        return np.repeat(stored[..., None], 3, axis=2)
    if stored.shape[2] == 2:
        return np.ascontiguousarray(stored[..., (0, 0, 0, 1)])
    order = cv2.COLOR_BGR2RGB if stored.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    picture: Picture = cv2.cvtColor(stored, order)
    return picture


def read_channels(path: str) -> dict[str, npt.NDArray[Any]]:
    """The channels of an OpenEXR file by name, each (height, width) float16, float32 or uint32.

    Those of a second part and on have the part's name before theirs.

    Raises:
        FootageError: as :func:`read_picture`.
    """
    import OpenEXR

    read_bytes(path, 4)  # tells what is wrong better than OpenEXR does
    try:
        with OpenEXR.File(path, separate_channels=True) as file:
            parts = range(len(file.parts))
            channels = {
                f"{file.parts[part].name()}.{name}" if part else name: channel.pixels
                for part in reversed(parts)
                for name, channel in file.channels(part).items()
            }
    except Exception as error:  # OpenEXR raises whatever its C++ side threw
        raise FootageError(f"{path!r} cannot be read as OpenEXR ({error}): is it damaged or cut off?") from error
    if not channels:  # it leaves out, with no more than a printed warning, parts that it cannot decode
        raise FootageError(f"{path!r} cannot be read as OpenEXR: is it damaged or cut off?")
    return channels


def read_bytes(path: str, most: int = -1) -> bytes:
    """The file, or its first bytes. Raises FootageError where it is not there or may not be read."""
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise FootageError(f"there is no file {path!r} any more: was it moved or renamed?") from None
    except OSError as error:
        raise FootageError(f"{path!r} cannot be read: {error.strerror}.") from error


def to_layout(picture: Picture, *, sixteen: bool, alpha: bool, path: str) -> Picture:
    """The picture in the depth and number of channels that the footage's first picture has.

    Raises:
        FootageError: this one has transparent parts and the first had no alpha.
    """
    if sixteen and picture.dtype == np.uint8:
        picture = picture.astype(np.uint16) * np.uint16(257)
    elif not sixteen and picture.dtype == np.uint16:
        picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
    top = np.iinfo(picture.dtype).max
    if alpha and picture.shape[2] == 3:
        opaque: Picture = np.full((*picture.shape[:2], 1), top, picture.dtype)
        picture = np.concatenate([picture, opaque], axis=2)
    elif not alpha and picture.shape[2] == 4:
        if (picture[..., 3] != top).any():
            raise FootageError(
                f"{path!r} has transparent parts, but the first picture of the footage has no alpha: "
                "save all of them with alpha."
            )
        picture = np.ascontiguousarray(picture[..., :3])
    return picture


def _decoded(path: str) -> Any:
    # Not cv2.imread: on Windows it cannot open names outside the local code page.
    data = np.frombuffer(read_bytes(path), np.uint8)
    stored = cv2.imdecode(data, _AS_STORED) if data.size else None
    if stored is None:
        raise FootageError(f"{path!r} is no picture that can be read: is it damaged or cut off?")
    if stored.dtype in (np.float32, np.float64):
        return np.rint(np.clip(np.nan_to_num(stored), 0, 1) * 65535).astype(np.uint16)
    if stored.dtype not in (np.uint8, np.uint16):
        raise FootageError(f"{path!r} stores {stored.dtype} values: save it with 8 or 16 bits a channel.")
    return stored


def _exr_rgba(path: str) -> npt.NDArray[np.float32]:
    """Straight RGB(A) of an OpenEXR file, whose colours are stored multiplied by alpha."""
    channels = read_channels(path)
    layer, colours = _colour_layer(channels)
    names = [layer + colour for colour in colours]
    if not set(names) <= set(channels):
        raise FootageError(f"{path!r} holds no colour, only {', '.join(channels)}: choose a file with R, G and B.")
    if f"{layer}A" in channels:
        names.append(f"{layer}A")
    planes = [channels[name].astype(np.float32) for name in names]
    if any(plane.shape != planes[0].shape for plane in planes):
        raise FootageError(f"{path!r} stores channels of different sizes: save it without chroma subsampling.")
    rgba = np.stack(planes, axis=-1)
    if rgba.shape[2] == 4:
        rgba[..., :3] /= np.where(rgba[..., 3:] > 0, rgba[..., 3:], 1)
    return rgba


def _colour_layer(channels: dict[str, Any]) -> tuple[str, str]:
    """The layer to look at ("" or "Name."), and the names of red, green and blue in it."""
    for colours in ("RGB", "YYY"):
        layers = [name[:-1] for name in channels if name.rpartition(".")[2] == colours[0]]
        if layers:
            # The nameless layer is the picture; where all have names, Blender's is called Combined.
            return min(layers, key=lambda layer: (layer != "", "Combined" not in layer)), colours
    return "", "RGB"


def _from_float(values: npt.NDArray[np.float32]) -> Picture:
    scaled: Picture = np.rint(np.clip(np.nan_to_num(values), 0, 1) * 65535).astype(np.uint16)
    return scaled
