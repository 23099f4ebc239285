"""One job, from its files to its take: footage and depth are read, an engine draws, the take is written.

Reading, drawing and writing overlap, each on a thread of its own with a few frames between them, so that memory does
not grow with the clip. Whatever goes wrong on any of them ends the job with one sentence, and nothing that is not
whole is left under a final name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from . import __version__, engines, keeping, packages, pipeline, settling
from .contract import FORMATS, ContractError, Job, Output, Progress, Result, take_record
from .engines import Cancelled, EngineError, Image
from .media.errors import FootageError, WriteError
from .media.reader import open_footage
from .media.writer import keeps_alpha

__all__ = ["Cancelled", "ContractError", "RenderError", "render"]

_PREVIEW_SECONDS = 1.0  # between two pictures of an engine that gives none of its own
_PREVIEW_WIDTH = 480  # pixels of those, at most
_TELLING_SECONDS = 0.5  # from the first frame on, before the pace of the others tells anything


class RenderError(Exception):
    """A job that could not be finished, in one sentence.

    Attributes:
        kind: ``footage``, ``output``, ``memory``, ``stuck`` (a thread is lost: end the process), ``environment``,
            ``models`` or ``engine``.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def render(job: Job, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> Result:
    """Make the take of a job, and the record beside it.

    Args:
        job: what to make. Its output must not exist yet; its record may, as a claim on that output.
        report: called from this thread and by the engine, at least once a frame.
        cancelled: asked at every step and in every wait, from any thread.

    Raises:
        ContractError: the job cannot be done as it stands; nothing was written.
        Cancelled: `cancelled` said so; nothing is left behind but what its text, if it has one, says.
        RenderError: it could not be finished; nothing is left behind but what :mod:`.keeping` keeps.
    """
    started = time.monotonic()
    gate = pipeline.Gate(cancelled)
    with _restartable(job) as keeper:
        _check(job, gate)
        report(Progress(phase="reading", step=0, total=1))
        with contextlib.ExitStack() as stack:
            engine, take = _make_take(job, stack, report, gate, keeper)
        result = Result(
            path=take.path,
            mask=take.mask_path,
            frames=len(job),
            width=job.output.width,
            height=job.output.height,
            rate=job.output.rate,
            engine=job.settings.engine,
            depth=engine.depth_used,
            invented_mean=take.invented_mean,
            invented_most=take.invented_most,
            seconds=round(time.monotonic() - started, 3),
            notes=tuple(engine.notes),
            warnings=(*engine.warnings, *_losses(job.output, take)),
            backend=__version__,
        )
        _keep_record(job, result, cancelled)
    return result


# Making the take


def _make_take(
    job: Job,
    stack: contextlib.ExitStack,
    report: Callable[[Progress], None],
    gate: pipeline.Gate,
    keeper: keeping.Parts,
) -> tuple[engines.Engine, pipeline.Taken]:
    lacking = packages.lacking(job.settings.engine)
    if lacking:
        names = ", ".join(lacking)
        raise RenderError(
            f"The backend's Python ({sys.executable}) lacks {names} for {job.settings.engine}.", "environment"
        )
    engine = _engine(job)
    pace = _Pace(len(job))
    previews = stack.enter_context(_Previews())

    def step(
        phase: str, done: int, total: int, /, *, seconds_left: float | None = None, preview: Image | None = None
    ) -> None:
        gate.check()
        if preview is not None:
            previews.keep(preview, of_engine=True)
        if seconds_left is None:
            seconds_left = pace.seconds_left()
        report(Progress(phase=phase, step=done, total=total, seconds_left=seconds_left, preview=previews.path))

    footage = stack.enter_context(_footage(job, gate))
    settled = settling.settle(
        job,
        lambda: open_footage(job.footage),
        lambda: stack.enter_context(_depth(job, gate)),
        stack,
        step,
        gate.check,
    )
    engine.notes += settled.notes
    engine.warnings += settled.warnings
    shot = engines.Shot(
        footage=settling.held(footage, settled),
        depth=settled.depth,
        source=settled.source,
        target=settled.target,
        subject_distance=job.subject_distance,
        settings=job.settings,
        width=job.output.width,
        height=job.output.height,
        source_known=settled.source_known,
        mask=job.output.mask,
        rate=float(job.output.rate),
        depth_words=settled.depth_words,
        confidence=settled.confidence,
        shows=job.footage.frames if settled.instants is None else None,
        keeper=keeper,
    )
    step("preparing", 0, 1)
    encoder = stack.enter_context(pipeline.Encoder(job.output, gate, whole_chroma=footage.whole_chroma))
    with _closing(engine.frames(shot, step)) as frames:
        for frame in frames:
            encoder.put(frame)
            previews.show(frame.image)
            pace.count()
            gate.check()
    if pace.done != pace.total:
        raise RenderError(f"The engine made {pace.done} frames where {pace.total} were asked for.", "engine")
    take = encoder.finish(lambda written: step("writing", written, pace.total))
    return engine, take


def _engine(job: Job) -> engines.Engine:
    engine = engines.create(job.settings)
    if not settling.uses_true_pixels(job):
        return engine
    from .truepixels import TruePixels

    return TruePixels(engine, job.settings, exact=job.use.kind == "outpaint" and job.use.keep)


def _footage(job: Job, gate: pipeline.Gate) -> pipeline.Ahead:
    size = {"length": len(job), "width": job.footage.width, "height": job.footage.height}
    return pipeline.Ahead(lambda: open_footage(job.footage), name="footage", gate=gate, **size)


def _depth(job: Job, gate: pipeline.Gate) -> pipeline.Ahead:
    from .media.depthmaps import open_depth

    width, height, depth = job.footage.width, job.footage.height, job.settings.depth
    return pipeline.Ahead(
        lambda: contextlib.nullcontext(open_depth(depth, width, height)),
        name="depth",
        gate=gate,
        length=len(job),
        width=width,
        height=height,
    )


class _Previews:
    """The latest preview as a picture in a folder of its own, which goes when the job ends."""

    def __init__(self) -> None:
        self.path = ""
        self._stack = contextlib.ExitStack()
        self._folder = ""
        self._of_engine = False
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def show(self, frame: Image) -> None:
        """The newest frame of the take, where the engine gives no preview: small, and once in a while."""
        if self._of_engine or time.monotonic() < self._due:
            return
        self.keep(_small(frame))
        self._due = time.monotonic() + _PREVIEW_SECONDS

    def keep(self, image: Image, *, of_engine: bool = False) -> None:
        """Replace what is shown, at once: who reads the file sees the one before or this one, never half of it."""
        self._of_engine = self._of_engine or of_engine
        with contextlib.suppress(OSError):  # no room, or on Windows somebody reads: no preview is worth a take
            self._write(image)

    def _write(self, image: Image) -> None:
        import cv2

        if not self._folder:
            self._folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="recam-"))
        done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not done:
            return
        part = os.path.join(self._folder, "preview.part")
        with open(part, "wb") as file:
            file.write(data.tobytes())
        path = os.path.join(self._folder, "preview.png")
        os.replace(part, path)
        self.path = path


def _small(frame: Image) -> Image:
    """A frame as a preview: RGB, uint8, not wide; what is transparent on black."""
    import cv2

    height, width = frame.shape[:2]
    if width > _PREVIEW_WIDTH:
        size = (_PREVIEW_WIDTH, max(1, round(height * _PREVIEW_WIDTH / width)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    if frame.shape[2] == 4:
        frame = (frame[..., :3] * (frame[..., 3:] / np.float32(255))).astype(np.uint8)
    return frame


class _Pace:
    """How fast frames come, and so when the last one will.

    The first frame is left out of the mean: it waits for the decoder, and for what is compiled on first use.
    """

    def __init__(self, total: int) -> None:
        self.done = 0
        self.total = total
        self._first = 0.0

    def count(self) -> None:
        self.done += 1
        if self.done == 1:
            self._first = time.monotonic()

    def seconds_left(self) -> float | None:
        elapsed = time.monotonic() - self._first
        if self.done == self.total:
            return 0.0
        if self.done < 2 or elapsed < _TELLING_SECONDS:
            return None
        return round(elapsed / (self.done - 1) * (self.total - self.done), 1)


@contextlib.contextmanager
def _closing(frames: Any) -> Iterator[Any]:
    try:
        yield frames
    finally:
        # An engine's generator lets go of its threads and buffers now, not when a traceback is collected.
        if hasattr(frames, "close"):
            frames.close()


def _losses(output: Output, take: pipeline.Taken) -> list[str]:
    """What the take's format does not keep of what the engine made."""
    if not take.alpha_dropped:
        return []
    keeping = ", ".join(name for name in FORMATS if keeps_alpha(name))
    return [f"The footage is transparent in places, which {output.format} does not keep; these formats do: {keeping}."]


# Checks before any work


def _check(job: Job, gate: pipeline.Gate) -> None:
    job.check_files(gate.check)
    folder = os.path.dirname(os.path.abspath(job.output.path))
    if not os.path.isdir(folder):
        raise ContractError("output.path", f"no folder {folder!r}", "a folder that exists")
    _read_claim(job.output)
    probe_path = os.path.join(folder, f".recam-{os.getpid()}-{time.monotonic_ns()}")
    try:
        os.close(os.open(probe_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(probe_path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        found = f"folder {folder!r}, which cannot be written to ({reason})"
        raise ContractError("output.path", found, "one that can") from None


# The record


def _read_claim(output: Output) -> bool:
    """Whether the record's name is claimed for this output. Raises ContractError where something else has it."""
    path = output.record
    try:
        with open(path, encoding="utf-8") as file:
            data = json.loads(file.read(65536))
    except FileNotFoundError:
        return False
    except OSError as error:
        name = os.path.basename(path)
        raise ContractError("output.path", f"{name!r} for its record ({error.strerror})", "another name") from None
    except ValueError:
        data = None
    take = os.path.basename(os.path.normpath(output.path))
    if isinstance(data, dict) and data.get("recam_claim") == 1 and data.get("take") == take:
        return True
    raise ContractError("output.path", f"{path!r}, which exists beside it", "a name whose record is still free")


def _keep_record(job: Job, result: Result, cancelled: Callable[[], bool]) -> None:
    """Write the record, or take the take away again: one is never there without the other.

    But for a process killed in the instant between them (`kill -9`, a power cut): its take is whole and has no record,
    at most the claim on it. Whoever looks for takes goes by records, and so finds none; the name stays taken.
    """
    try:
        if cancelled():
            raise Cancelled
        _write_record(job.output, take_record(job, result))
    except BaseException:
        pipeline.remove(result.path, result.mask)
        raise


def _write_record(output: Output, text: str) -> None:
    part = f"{os.path.join(os.path.dirname(output.record), '.recam-')}{os.getpid()}-{time.monotonic_ns()}.json.part"
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if _read_claim(output):
            os.replace(part, output.record)
        else:
            _rename_to_free(part, output.record)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _rename_to_free(part: str, final: str) -> None:
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: claim the name, then move over the claim
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(part, final)


# Errors


@contextlib.contextmanager
def _restartable(job: Job) -> Iterator[keeping.Parts]:
    """Where the job lays by what takes it long. Where it fails, the sentence that it ends with says so."""
    beside = os.path.dirname(os.path.abspath(job.output.path))
    with keeping.parts(beside, job.digest()) as kept:
        try:
            with in_one_sentence():
                yield kept
        except RenderError as error:
            if not kept.words:
                raise
            raise RenderError(f"{error} {kept.words}", error.kind) from error


@contextlib.contextmanager
def in_one_sentence() -> Iterator[None]:
    """Whatever goes wrong within comes out as Cancelled, ContractError or RenderError."""
    try:
        yield
    except (Cancelled, ContractError, RenderError):
        raise
    except EngineError as error:
        raise RenderError(str(error), error.kind) from error
    except FootageError as error:
        raise RenderError(str(error), "footage") from error
    except WriteError as error:
        raise RenderError(error.strerror or str(error), "output") from error
    except pipeline.StuckError as error:
        raise RenderError(str(error), "stuck") from error
    except MemoryError as error:
        raise RenderError("There is not enough memory for frames of this size.", "memory") from error
    except OSError as error:
        raise RenderError(_about_files(error), "output") from error
    except ImportError as error:
        text = f"The backend's Python ({sys.executable}) lacks what it needs: {error}."
        raise RenderError(text, "environment") from error
    except Exception as error:
        raise RenderError(f"The engine failed: {type(error).__name__}: {error}.", "engine") from error


def _about_files(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The disk is full: the take could not be written."
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{error.filename!r} could not be used: {reason}." if error.filename else f"A file failed: {reason}."
