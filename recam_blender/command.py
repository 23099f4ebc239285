"""``blender --command recam …``: the same work without a window, for one shot or a table of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import bpy

from ..backend import contract
from ..backend.contract import Progress
from . import batch, preferences, request, reshoot, runtime, telling, typed_request
from .blendfile import open_blend, scene_of
from .errors import BAD_INPUT, DONE, FAILED, ReCamError
from .planning import check
from .texts import tr

_DESCRIPTION = "Re-shoot footage in .blend files. The .blend files are read, never written."


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code: 0 all done, 1 something failed, 2 bad input."""
    parser = _parser()
    try:
        options = parser.parse_args(list(arguments))
    except SystemExit as end:  # argparse has said why; Blender would take the exception for its own end
        return DONE if end.code in (0, None) else BAD_INPUT
    try:
        code: int = options.run(options)
    except BadInputError as error:
        _say(str(error))
        return BAD_INPUT
    except ReCamError as error:
        _say(str(error))
        return FAILED
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    finally:
        runtime.stop_worker()
    return code


class BadInputError(ReCamError):
    """The command line asks for what cannot be, which shows before any work."""


def _render(options: argparse.Namespace) -> int:
    if options.save_as:
        _check_save_as(options.save_as, options.blend)
    asked = _opened(options)
    outcome = reshoot.reshoot_now(
        asked,
        python=options.backend_python,
        insert=bool(options.save_as),
        skip_existing=options.skip_existing,
        report=_bar,
    )
    _end_bar()
    for sentence in (*outcome.notes, *outcome.warnings):
        _say(sentence)
    for take in outcome.takes:
        print(take.path, flush=True)  # noqa: T201
    if options.save_as:
        _save_as(os.path.abspath(options.save_as))
    return DONE


def _export(options: argparse.Namespace) -> int:
    written = reshoot.export_job(_opened(options), os.path.abspath(options.job), report=_bar)
    _end_bar()
    for path in written:
        print(path, flush=True)  # noqa: T201
    return DONE


def _batch(options: argparse.Namespace) -> int:
    try:
        shots = batch.read_table(options.table)
    except ReCamError as error:
        raise BadInputError(str(error)) from error
    return batch.run(shots, python=options.backend_python, again=options.again, report=_bar)


def _opened(options: argparse.Namespace) -> request.Request:
    """The request of a command line, with its file open."""
    try:
        open_blend(os.path.abspath(options.blend))
    except ReCamError as error:
        raise BadInputError(str(error)) from error
    texts = {
        name: value
        for name in (*_REQUEST_OPTIONS, *_USE_OPTIONS, *_NETWORK_OPTIONS)
        if (value := getattr(options, name)) is not None
    }
    try:
        for name in request.PATHS:
            if texts.get(name):
                texts[name] = os.path.abspath(texts[name])
        if "scene" not in texts:
            texts["scene"] = scene_of(options.strip)
        asked = typed_request.from_texts(texts)
        check(asked)
        return asked
    except ReCamError as error:
        raise BadInputError(str(error)) from error


def _check_save_as(path: str, blend: str) -> None:
    """Nothing is overwritten, but for the very file that was opened, where it is named again."""
    if os.path.lexists(path) and not (os.path.exists(blend) and os.path.samefile(path, blend)):
        raise BadInputError(
            tr("There is a file at {path!r} already; choose another name for the .blend.").format(path=path)
        )
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise BadInputError(tr("There is no folder for {path!r}.").format(path=path))


def _save_as(path: str) -> None:
    try:
        # Relative paths are kept as they are meant, wherever the copy goes.
        bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)
    except RuntimeError as error:
        raise ReCamError(
            tr("The take is there, but {path!r} could not be saved ({error}).").format(
                path=path, error=str(error).strip()
            )
        ) from error


# The fields of a request that have an option of their own, with what --help says of them.
_REQUEST_OPTIONS = {
    "strip": "the footage's strip",
    "camera": "the target camera (default: the scene's, with its cuts)",
    "scene": "the scene whose sequencer has the strip (default: the only one)",
    "source_camera": "the camera that shot the footage (default: static, where the target starts)",
    "camera_scene": "the scene that the cameras move in",
    "camera_frame": "the frame of that scene that meets the strip's first",
    "lens": "the footage's focal length in mm, where there is no source camera",
    "subject_distance": f"metres (default {contract.DEFAULT_SUBJECT_DISTANCE:g})",
    "engine": f"one of {', '.join(contract.ENGINES)} (default {request.Request.engine})",
    "seed": "a whole number",
    "depth": "one of " + ", ".join(request.DEPTH_CHOICES),
    "depth_path": "file or folder of depth: EXR, 16-bit PNG, npy",
    "depth_scale": "metres per unit of the depth files; for 16-bit PNG, metres at white",
    "format": "one of " + ", ".join(contract.FORMATS),
    "mask": "yes: also store which pixels were invented",
    "width": "of the take (default: the footage's)",
    "height": "of the take",
    "folder": "where the take goes (default: recam beside the .blend; export-job: beside the job)",
}
_USE_OPTIONS = {
    "source_from": "footage: solve the camera that shot it from what it shows (default: still)",
    "relative": "yes: add the camera's move to that of the camera that shot the footage",
    "known_frame": "a timeline frame in which a point's distance is known, for a camera that is solved",
    "known_x": "of that point, pixels of the footage from its left edge",
    "known_y": "likewise from its top edge",
    "known_distance": "metres",
    "use": f"one of {', '.join(contract.USES)} (default {request.Request.use})",
    "use_strength": f"stabilise: seconds; what is quicker is shake (default {contract.Use.strength:g})",
    "use_at": "lock, freeze: the timeline frame that is held",
    "use_hold": "freeze: for how many frames; closer: frames at the part at the end",
    "use_ease": f"freeze: frames of slowing down and of speeding up (default {contract.Use.ease})",
    "use_region_x": "closer: left edge of the part, as a share of the footage's width",
    "use_region_y": "likewise its top edge",
    "use_region_width": "likewise its width",
    "use_region_height": "likewise its height",
    "use_by": "closer: dolly or zoom; outpaint: pull or frame",
    "use_factor": f"outpaint: how many times as wide as the footage (default {contract.Use.factor:g})",
    "use_keep": "outpaint: no: the footage is not kept pixel for pixel",
}
_NETWORK_OPTIONS = {
    "prompt": "what the footage shows",
    "negative_prompt": "what to keep away from (default: the published words)",
    "quality": f"one of {', '.join(contract.QUALITIES)} (default {contract.Generation.quality})",
    "steps": "how many (default: the quality's)",
    "guidance": "how strongly the prompt pulls (default: the quality's)",
    "network_frames": f"that the network makes at once, 4k + 1 (default {contract.Generation.frames})",
    "network_width": f"that it draws, a multiple of 16 (default {contract.Generation.width})",
    "network_height": f"likewise (default {contract.Generation.height})",
    "fit": f"one of {', '.join(contract.FITS)}: footage of another shape",
    "overlap": "frames that windows of a long strip share; 0: none, the strip is thinned out",
    "focus_x": "the middle of what a crop must keep, as a share of the footage's width",
    "focus_y": "likewise of its height",
    "true_pixels": "yes: keep the footage's own pixels where depth is trusted",
    "cache": "one of " + ", ".join(contract.CACHES),
    "device": "auto, cpu, mps, cuda:0 and so on (default: the preferences')",
    "plan": f"one of {', '.join(contract.PLANS)}: how memory is used",
    "compile": "yes: compile the network first",
    "models": f"the folder of model files (default: {preferences.MODELS_VARIABLE}, else the preferences')",
    **dict.fromkeys(preferences.MODEL_FILES, "a model file that lies elsewhere"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender --command recam", description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    render = commands.add_parser("render", help="make a take of one strip")
    render.add_argument("--save-as", metavar="FILE", help="put the take into the sequencer and save a .blend here")
    render.add_argument("--skip-existing", action="store_true", help="do nothing where a take of the same job exists")
    render.set_defaults(run=_render)

    export = commands.add_parser("export-job", help="write the job of one strip, for python -m backend render")
    export.add_argument("--job", metavar="FILE", required=True, help="the JSON file to write")
    export.set_defaults(run=_export)

    for one in (render, export):
        one.add_argument("blend", help="the .blend file")
        network = one.add_argument_group("for the engine " + ", ".join(request.GENERATES))
        use = one.add_argument_group("what the take is for, and the footage's own camera")
        for group, options in ((one, _REQUEST_OPTIONS), (use, _USE_OPTIONS), (network, _NETWORK_OPTIONS)):
            for name, text in options.items():
                flags = ["--" + name.replace("_", "-")] + (["--out"] if name == "folder" else [])
                group.add_argument(*flags, dest=name, help=text, required=name == "strip")

    table = commands.add_parser("batch", help="make the takes of a table of shots", description=batch.__doc__)
    table.add_argument("table", help="the CSV file")
    table.add_argument("--again", action="store_true", help="make a new take even where one of the same job exists")
    table.set_defaults(run=_batch)

    for one in (render, table):
        one.add_argument("--backend-python", default="", metavar="FILE", help="the backend's interpreter")
    return parser


def _bar(progress: Progress) -> None:
    """A line on stderr that overwrites itself; Blender keeps stdout for its own remarks."""
    if not sys.stderr.isatty():
        return
    share = telling.share(progress)
    words = f"{telling.phase(progress):<28.28} [{'#' * round(30 * share):<30}] {100 * share:3.0f} %"
    sys.stderr.write(f"\r{words} {telling.time_left(progress)}\x1b[K")
    sys.stderr.flush()


def _end_bar() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def _say(text: str) -> None:
    sys.stderr.write(f"recam: {text}\n")
    sys.stderr.flush()
