"""``python -m backend solve``: the camera that shot a clip, solved from the clip."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from .. import packages
from ..console import BAD_INPUT, FAILED, Interrupt, end, note
from ..contract import DEFAULT_SUBJECT_DISTANCE, ContractError

if TYPE_CHECKING:
    from ..solved import Solve
    from .solving import Wanted

_ABOUT = """\
Solve the camera that shot a clip, and write its trajectory to a new file in ReCam's own format, which render takes as
--source, and cameras converts to others'.

  python -m backend solve --footage CLIP.mp4 --output CAMERA.json
  python -m backend solve --footage CLIP.mp4 --lens 28 --sensor 23.5 --output CAMERA.json

Without --lens or --fov the focal length is found from the clip; what is known makes the rest surer. A clip knows no
metres: what its first frame shows is taken to be --subject-distance away. What was found is told on stderr.
"""


def add_solve(commands: Any) -> None:
    """Add ``solve`` to the shell's commands."""
    parser = commands.add_parser(
        "solve",
        help="solve the camera that shot a clip",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--footage", required=True, metavar="CLIP", help="a movie, or a folder of numbered pictures")
    parser.add_argument("--output", required=True, metavar="T.json", help="the trajectory; must be free")
    parser.add_argument("--lens", type=float, metavar="MM", help="focal length on the sensor, millimetres")
    parser.add_argument("--sensor", type=float, metavar="MM", help="its width (default: 36)")
    parser.add_argument("--fov", type=float, metavar="DEG", help="horizontal angle of view, instead of --lens")
    parser.add_argument("--rate", metavar="FPS", help="(default: the footage's; needed for pictures, which have none)")
    parser.add_argument(
        "--subject-distance",
        type=float,
        metavar="M",
        default=DEFAULT_SUBJECT_DISTANCE,
        help=f"metres to what the first frame shows (default: {DEFAULT_SUBJECT_DISTANCE})",
    )
    parser.add_argument("--debug", action="store_true", help="show a traceback where something fails")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    packages.check("reproject")
    from ..media.errors import FootageError
    from ..render import Cancelled, RenderError

    interrupted = Interrupt()
    try:
        wanted = _wanted(options)
        with interrupted:
            found = _solve(wanted, interrupted)
        _write(found, options.output)
    except FootageError as error:
        if options.debug:
            raise
        return end(str(error), BAD_INPUT)
    except Cancelled:
        return end("interrupted; nothing was left behind", 128 + interrupted.signal)
    except RenderError as error:
        if options.debug:
            raise
        return end(str(error), FAILED)
    for sentence in (found.words, *found.notes):
        note(sentence)
    sys.stdout.write(options.output + "\n")
    return 0


def _wanted(options: argparse.Namespace) -> Wanted:
    from .. import request
    from .solving import Wanted

    if options.sensor is not None and options.lens is None and options.fov is None:
        raise ContractError("--sensor", f"{options.sensor} without --lens", "both or neither")
    if not 0 < options.subject_distance < float("inf"):
        raise ContractError("--subject-distance", options.subject_distance, "more than 0 metres")
    if os.path.lexists(options.output):
        raise ContractError("--output", f"{options.output!r}, which exists", "a name that is still free")
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        raise ContractError("--output", f"no folder {folder!r}", "a folder that exists")
    filled = argparse.Namespace(**vars(options) | {"sensor": 36.0 if options.sensor is None else options.sensor})
    footage, rate, lens = request.filmed(filled)
    return Wanted(footage, lens, float(rate), options.subject_distance, None)


def _solve(wanted: Wanted, interrupted: Interrupt) -> Solve:
    from ..progressbar import ProgressBar
    from ..render import in_one_sentence
    from .solving import solve_files

    bar = ProgressBar(sys.stderr)
    try:
        with in_one_sentence():
            return solve_files(wanted, bar.show, interrupted.asked)
    finally:
        bar.clear()


def _write(found: Solve, path: str) -> None:
    from ..cameras.formats import recam
    from ..render import in_one_sentence

    try:
        with in_one_sentence():
            recam.write(path, found.trajectory)
    except FileExistsError:
        raise ContractError("--output", f"{path!r}, which exists", "a name that is still free") from None
