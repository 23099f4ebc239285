"""The commands of ``python -m backend``: what they accept and do. How they speak and end is in console.py."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from . import __version__, contract, generation_options, packages, use_options
from .cameras_command import add_cameras
from .console import BAD_INPUT, FAILED, INTERRUPTED, Interrupt, end, note
from .contract import ContractError, Job
from .environment import SetupError, hold
from .environment.command import add_setup
from .geometry.command import add_solve
from .models.command import add_models
from .recammaster.commands import add_convert
from .recammaster.embedding_command import add_embed


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A name that is no UTF-8 comes out as it went in.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except ContractError as error:
        if options.debug:
            raise
        return end(str(error), BAD_INPUT)
    except packages.Lacking as error:
        return end(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return end("interrupted", INTERRUPTED)


# Commands


def _serve(options: argparse.Namespace) -> int:
    from .serve import serve

    serve(options.log)
    return 0


def _schema(_options: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(contract.json_schema(), indent=2) + "\n")
    return 0


def _render(options: argparse.Namespace) -> int:
    packages.check(options.engine or "reproject")
    from . import request
    from .media.errors import FootageError

    try:
        job = request.from_job_file(options) if options.job else request.from_clip(options, tell=note)
    except FootageError as error:
        if options.debug:
            raise
        return end(str(error), BAD_INPUT)
    packages.check(job.settings.engine)
    try:
        hold(sys.prefix)
    except SetupError as error:
        return end(str(error), FAILED)
    return _make(job, debug=options.debug)


def _make(job: Job, *, debug: bool) -> int:
    from .progressbar import ProgressBar
    from .render import Cancelled, RenderError, render

    bar = ProgressBar(sys.stderr)
    interrupted = Interrupt()
    try:
        with interrupted:
            result = render(job, bar.show, interrupted.asked)
    except Cancelled as left:
        said = f"the take was interrupted. {left}" if str(left) else "interrupted; nothing was left behind"
        return end(said, 128 + interrupted.signal)
    except RenderError as error:
        if debug:
            raise
        return end(str(error), FAILED)
    finally:
        bar.clear()
    for sentence in (*result.notes, *result.warnings):
        note(sentence)
    if result.depth:
        note(f"depth: {result.depth}")
    sys.stdout.write(result.path + "\n")
    return 0


# Arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.exit(end(f"{message} (see {self.prog} --help)", BAD_INPUT))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m backend", description="ReCam: re-shoot a clip from a keyframed camera.")
    parser.add_argument("--version", action="version", version=f"recam {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_render(commands)
    add_cameras(commands)
    add_solve(commands)
    add_embed(commands)
    add_convert(commands)
    add_setup(commands)
    add_models(commands)
    serve = commands.add_parser("serve", help="take jobs on stdin (JSON-RPC 2.0, one message a line)")
    serve.add_argument("--log", metavar="FILE", help="write stderr there")
    serve.set_defaults(run=_serve, debug=False)
    schema = commands.add_parser("schema", help="print the JSON Schema of a job")
    schema.set_defaults(run=_schema, debug=False)
    return parser


_RENDER = """\
Make a take, either of a job file or of a clip and a trajectory.

A trajectory whose length differs from the clip's is stretched over it: its first pose meets the clip's first frame,
its last the last, and what lies between is interpolated. This is said on stderr. --frames cuts the take after that:
it is the beginning of the take that the whole clip would give.

A trajectory is any file of cameras that `cameras` reads. Where it has times, it is brought to the take's rate by them;
where it has no scale, one unit is a metre. One without a lens (the published one, TUM's) is given that of the published
data, 24 mm on a sensor 23.76 mm wide, or what --lens or --fov say. Where a trajectory has its own, --lens and --fov
speak of the footage's lens only.

--engine recammaster needs weights, which --models or RECAM_MODELS tell the folder of, and a large GPU or much time:
see docs/recammaster.md.
"""


def _add_render(commands: Any) -> None:
    parser = commands.add_parser(
        "render", help="make a take", description=_RENDER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", nargs="?", metavar="JOB.json", help="a job, or the record that lies beside a take")
    parser.add_argument("--output", metavar="OUT", help="the take: .mp4, .mov, .mkv, or a folder's name; must be free")
    parser.add_argument("--debug", action="store_true", help="show a traceback where something fails")
    # Each of these is None where it was not given: beside a job file it is refused (request.from_job_file).
    clip = parser.add_argument_group("without a job file")
    clip.add_argument("--footage", metavar="CLIP", help="a movie, a picture, or a folder of numbered pictures")
    trajectory = "the target camera: any of the files that `cameras` reads; not with a --use that makes it itself"
    clip.add_argument("--trajectory", metavar="T.json", help=trajectory)
    which = "which camera, where the file has several (default: cam05 of a camera_extrinsics.json, else the first)"
    clip.add_argument("--camera", metavar="NAME", help=which)
    clip.add_argument("--source", metavar="S.json", help="the trajectory of the camera that shot the footage")
    clip.add_argument("--source-camera", metavar="NAME", help="as --camera, for --source")
    clip.add_argument("--engine", choices=contract.ENGINES, help="(default: reproject)")
    clip.add_argument("--seed", type=int, help="for engines that draw random numbers (default: 0)")
    depth = f"a depth file, a folder of them, or {', '.join(use_options.DEPTHS)} (default: plane; with --solve: auto)"
    clip.add_argument("--depth", metavar="PATH", help=depth)
    scale = "metres per unit of those files; for 16-bit PNG, metres at white (default: 1)"
    clip.add_argument("--depth-scale", type=float, metavar="M", help=scale)
    distance = f"metres from camera to subject (default: {contract.DEFAULT_SUBJECT_DISTANCE})"
    clip.add_argument("--subject-distance", type=float, metavar="M", help=distance)
    clip.add_argument("--lens", type=float, metavar="MM", help="focal length on the sensor, millimetres")
    clip.add_argument("--sensor", type=float, metavar="MM", help="its width (default: 36)")
    clip.add_argument("--fov", type=float, metavar="DEG", help="horizontal angle of view, instead of --lens")
    clip.add_argument("--size", metavar="WxH", help="of the take (default: the footage's)")
    rate = "of the take, like 24 or 24000/1001 (default: the footage's; needed for pictures, which have none)"
    clip.add_argument("--rate", metavar="FPS", help=rate)
    clip.add_argument("--frames", type=int, metavar="N", help="only the first N frames of the take")
    clip.add_argument("--format", choices=tuple(contract.FORMATS), help="(default: by the ending of OUT; folder: png)")
    clip.add_argument("--mask", action="store_true", default=None, help="also store which pixels were invented")
    use_options.add(parser)
    generation_options.add(parser)
    parser.set_defaults(run=_render)
