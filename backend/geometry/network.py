"""Depth by a network: Depth Anything V2 through transformers, from a folder on this machine."""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..contract import Models
from ..engines import EngineError, FrameSource, Image
from ..models.library import Library, chosen_folder
from . import network_files
from .network_files import Checkpoint, NetworkError, Pictures
from .network_steady import Steady

Floats = npt.NDArray[np.float32]
Opened = Callable[[], AbstractContextManager[FrameSource]]

_FAR = 5.0  # times the subject's distance: where the far end of a shot without a sky is put
_SKY = 0.02  # of the near end's value: a far end below this is as far as can be, as a sky is
_NEAREST, _FARTHEST = 0.15, 100.0  # times the subject's distance
_MIDDLE = 0.3  # share of each side, in the middle, that the subject is looked for in
_STORED = 1.5e9  # bytes on disk that the estimates of a clip may take
_CONFIDENCE = 0.6  # of what a network says, away from steps in depth


MISSING = (
    "Depth by a network was chosen, and none can run here: that takes its weights (`python -m backend models get "
    "depth`, or ReCam's preferences in Blender) and what `python -m backend setup --engine recammaster` sets up; else "
    "choose another depth."
)
"""What is said where :func:`find` finds none."""


def find(models: Models) -> str | None:
    """The folder of the depth network that goes with a job's models; None where there is none, or it cannot run."""
    if network_files.lacking():
        return None
    found = network_files.find(Library(chosen_folder(models.folder or "")))
    return None if found is None else str(found)


class NetworkDepth:
    """Depth of a clip's frames, estimated by a network, steady over time: see :class:`backend.engines.DepthSource`.

    All frames are estimated at once, in order, and kept on disk at the network's size; any frame is then cheap.

    Args:
        opened: opens the footage by timeline frame.
        length: timeline frames.
        width, height: of the footage, pixels.
        distance: metres to the subject: the median of the frames' middles is put there.
        weights: the folder with the network's config.json, model.safetensors and preprocessor_config.json.
        device: as a job names it: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        report: told of a phase, its steps done and their total.
        check: called at each step; may raise to stop.

    Attributes:
        metric: whether the network itself tells metres.
        words: a sentence on where the depth comes from.

    Raises:
        EngineError: there is no such network (kind ``models``), or it cannot run here.
    """

    def __init__(
        self,
        opened: Opened,
        length: int,
        *,
        width: int,
        height: int,
        distance: float,
        weights: str,
        device: str = "auto",
        report: Callable[[str, int, int], None] = lambda phase, step, total: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.width, self.height, self.length, self.distance = width, height, length, distance
        checkpoint = network_files.check(weights)
        self.metric = checkpoint.metric
        report("loading the depth network", 0, 1)
        estimate = _Estimate(checkpoint, device)
        self._store = _Store(length, *_fitting(length, *estimate.size(height, width)))
        steady = Steady(metric=self.metric)
        try:
            with contextlib.closing(estimate), opened() as footage:
                for index in range(length):
                    check()
                    report("estimating depth", index, length)
                    picture = _rgb(footage.frame(index))
                    values = estimate(picture)
                    gray = cv2.cvtColor(_eight_bits(picture), cv2.COLOR_RGB2GRAY)
                    self._store.put(index, steady.add(gray, values))
            report("estimating depth", length, length)
            self._scale, self._shift = self._placed()
        except BaseException:
            self.close()
            raise
        self.words = (
            f"Depth is estimated by the network in {checkpoint.folder.name!r} on {estimate.device_name}, and scaled so "
            f"that the subject is {distance:.3g} m away."
        )

    def frame(self, index: int, /) -> Floats:
        """Planar depth in metres, float32 (height, width), finite everywhere."""
        q = self._store.get(index) * np.float32(self._scale) + np.float32(self._shift)
        q = np.clip(q, 1 / (_FARTHEST * self.distance), 1 / (_NEAREST * self.distance))
        q = cv2.resize(q, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(1 / q, np.float32)

    def confidence(self, index: int, /) -> Floats:
        """How far depth can be trusted, 0 to 1, float32 (height, width): least where it steps."""
        q = self._store.get(index) * np.float32(self._scale) + np.float32(self._shift)
        q = np.maximum(q, 1 / (_FARTHEST * self.distance))
        step = cv2.dilate(q, np.ones((3, 3), np.uint8)) / cv2.erode(q, np.ones((3, 3), np.uint8)) - 1
        sure = _CONFIDENCE * np.exp(-step / 0.1)
        return np.asarray(cv2.resize(sure, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.float32)

    def close(self) -> None:
        """Free what is kept on disk."""
        self._store.close()

    def _placed(self) -> tuple[float, float]:
        """Scale and shift to inverse metres that put the subject at its distance."""
        middles, samples = [], []
        for index in _spread(self.length, 16):
            values = self._store.get(index)
            rows, columns = (int(side * (1 - _MIDDLE) / 2) for side in values.shape)
            middles.append(float(np.median(values[rows : values.shape[0] - rows, columns : values.shape[1] - columns])))
            samples.append(values[::4, ::4].ravel())
        every = np.concatenate(samples)
        far, near = (float(each) for each in np.percentile(every, (1, 99)))
        return _mapping(float(np.median(middles)), far, near, 1 / self.distance, self.metric)


def _mapping(middle: float, far: float, near: float, wanted: float, metric: bool) -> tuple[float, float]:
    """Scale and shift that bring ``middle`` to the inverse distance ``wanted``."""
    spread = near - far
    if middle <= 0 or spread <= 1e-4 * max(abs(near), 1e-9):
        # All is equally far, or the subject infinitely.
        return (wanted / middle, 0.0) if middle > 0 and metric else (0.0, wanted)
    if metric or far < _SKY * near:
        scale, shift = wanted / middle, 0.0
    else:
        # A subject at the far end itself would push all else into the camera.
        scale = wanted * (1 - 1 / _FAR) / max(middle - far, 0.15 * spread)
        shift = wanted - scale * middle
    return scale, shift


class _Estimate:
    """The network, ready to be asked."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        import torch

        from ..recammaster.device import choose

        self._pictures, self._metric = checkpoint.pictures, checkpoint.metric
        chosen = choose(device)
        self.device_name = chosen.name
        self._device = chosen.device
        self._torch = torch
        self._model: Any = _load(checkpoint, self._device)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what it says of pictures of a size."""
        return resized(height, width, self._pictures)

    def __call__(self, picture: Image) -> Floats:
        """Inverse depth of an RGB picture: nearer is more. In 1/metres where the network tells metres."""
        torch = self._torch
        try:
            with torch.inference_mode():
                pixels = prepared(picture, self._pictures, self._device)
                found = self._model(pixel_values=pixels).predicted_depth[0].float().cpu().numpy()
        except torch.OutOfMemoryError:
            raise EngineError(
                f"There is not enough memory on {self.device_name} for the depth network: choose the device cpu, or "
                "another depth.",
                "memory",
            ) from None
        if not np.isfinite(found).all():
            raise NetworkError(
                "The depth network gives values that are no numbers: its weights are damaged; remove and get it again."
            )
        height, width = self.size(picture.shape[0], picture.shape[1])
        if found.shape != (height, width):
            found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(1 / np.maximum(found, 1e-3) if self._metric else found, np.float32)

    def close(self) -> None:
        self._model = None
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()


def resized(height: int, width: int, pictures: Pictures) -> tuple[int, int]:
    """The size that a picture is given to the network at: as little resizing as can be, both sides a multiple."""
    down, across = pictures.height / height, pictures.width / width
    if pictures.keeps_aspect:
        down = across = across if abs(1 - across) < abs(1 - down) else down
    multiple = pictures.multiple
    sides = [max(round(side * scale / multiple), 1) * multiple for side, scale in ((height, down), (width, across))]
    return sides[0], sides[1]


def prepared(picture: Image, pictures: Pictures, device: Any = "cpu") -> Any:
    """A picture as the network wants it: a tensor (1, 3, h, w), resized as Pillow's bicubic filter does, normalised."""
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(np.ascontiguousarray(picture[..., :3].transpose(2, 0, 1)))[None]
    if picture.dtype != np.uint8:
        # torch rounds and clips between the two directions of eight bits alone, as Pillow does.
        pixels = pixels.float() * (255 / np.iinfo(picture.dtype).max)
    size = resized(picture.shape[0], picture.shape[1], pictures)
    if size != picture.shape[:2]:
        pixels = interpolate(pixels, size, mode="bicubic", align_corners=False, antialias=True)
    pixels = pixels.to(device, torch.float32).clamp(0, 255)
    mean, deviation = (torch.tensor(each, device=device)[:, None, None] for each in (pictures.mean, pictures.deviation))
    return (pixels / 255 - mean) / deviation


def _load(checkpoint: Checkpoint, device: Any) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForDepthEstimation

    problem: object = ""
    try:
        with _quiet():
            model, loaded = AutoModelForDepthEstimation.from_pretrained(
                str(checkpoint.folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
        wrong = [*loaded["missing_keys"], *loaded.get("mismatched_keys", ())]
        problem = f"{len(wrong)} of its weights are missing or of another shape" if wrong else ""
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        problem = str(error).strip().split("\n")[0][:200] or type(error).__name__
    if problem:
        raise NetworkError(
            f"The depth network in {str(checkpoint.folder)!r} cannot be loaded ({problem}): remove it and get it again."
        )
    return model.eval().to(device)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar, and its words on weights that are missing: those are told in an error."""
    from transformers.utils import logging as told

    logger, bar = logging.getLogger("transformers"), told.is_progress_bar_enabled()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    told.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bar:
            told.enable_progress_bar()


class _Store:
    """Estimates of a clip, on disk in sixteen bits."""

    def __init__(self, length: int, height: int, width: int) -> None:
        self._file = tempfile.TemporaryFile(prefix="recam-depth-")  # noqa: SIM115 - open as long as this is
        self._shape = height, width
        self._ranges = np.zeros((length, 2), np.float32)
        self._bytes = 2 * height * width

    def put(self, index: int, values: Floats) -> None:
        values = cv2.resize(values, (self._shape[1], self._shape[0]), interpolation=cv2.INTER_AREA)
        low, high = float(values.min()), float(values.max())
        self._ranges[index] = low, high - low
        steps = np.rint((values - low) * (65535 / max(high - low, 1e-12))).astype(np.uint16)
        self._file.seek(index * self._bytes)
        self._file.write(steps.tobytes())

    def get(self, index: int) -> Floats:
        self._file.seek(index * self._bytes)
        steps = np.frombuffer(self._file.read(self._bytes), np.uint16).reshape(self._shape)
        low, extent = self._ranges[index]
        return np.asarray(low + steps.astype(np.float32) * (extent / 65535), np.float32)

    def close(self) -> None:
        self._file.close()


def _fitting(length: int, height: int, width: int) -> tuple[int, int]:
    """The size that so many frames of a size are kept at."""
    scale = min(1.0, math.sqrt(_STORED / (2 * height * width * length)))
    return max(round(height * scale), 16), max(round(width * scale), 16)


def _spread(length: int, most: int) -> list[int]:
    return [int(each) for each in np.unique(np.linspace(0, length - 1, min(most, length)).round())]


def _rgb(picture: Image) -> Image:
    return picture[..., :3]


def _eight_bits(picture: Image) -> Image:
    return picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
