"""What can be typed in a shell of what a take is for, and of where camera and depth come from. Needs no packages."""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Iterator
from typing import Any

from . import use
from .console import option
from .contract import ESTIMATED, USES, WAYS, ContractError, Known, Region, Use

STRENGTHS = {"gentle": use.GENTLE, "firm": use.FIRM, "strong": use.STRONG}

_FIELDS = {
    "strength": ("stabilise",),
    "at": ("lock", "freeze"),
    "hold": ("closer", "freeze"),
    "ease": ("freeze",),
    "region": ("closer",),
    "by": tuple(WAYS),
    "factor": ("outpaint",),
    "no_keep": ("outpaint",),
}
"""Options, and the uses that heed them."""

DEPTHS = ("plane", *ESTIMATED)
"""What ``--depth`` may say beside a path."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options, each None where it was not given."""
    camera = parser.add_argument_group("where the camera of the footage comes from, without a job file")
    solve = "solve the camera that shot the footage from the footage itself, in place of --source"
    camera.add_argument("--solve", action="store_true", default=None, help=solve)
    known = "with --solve: the point at pixel X, Y of frame F is M metres away, which tells how large the scene is"
    camera.add_argument("--known", metavar="F,X,Y,M", help=known)
    relative = "add the trajectory's move, from its first pose on, to that of the camera that shot the footage"
    camera.add_argument("--relative", action="store_true", default=None, help=relative)
    true_pixels = "keep the footage's own pixels where --depth is trusted; the engine draws only the rest"
    camera.add_argument("--true-pixels", action="store_true", default=None, help=true_pixels)
    for_what = parser.add_argument_group("what the take is for, without a job file")
    kinds = "stabilise or lock the footage's own camera, go closer, outpaint (see more), or freeze an instant"
    for_what.add_argument("--use", choices=USES[1:], help=kinds)
    strength = "stabilise: gentle, firm or strong, or seconds: what is quicker is shake (default: firm, 1)"
    for_what.add_argument("--strength", metavar="S", help=strength)
    for_what.add_argument("--at", type=int, metavar="N", help="lock, freeze: the frame, from 0 (default: 0)")
    hold = "freeze: frames that it is held (default: half of the take, or what it leaves); closer: frames at the end"
    for_what.add_argument("--hold", type=int, metavar="N", help=hold)
    ease = f"freeze: frames of slowing down and of speeding up (default: {Use.ease})"
    for_what.add_argument("--ease", type=int, metavar="N", help=ease)
    region = "closer: left, top, width and height of what is to fill the frame, 0 to 1 (default: 0.25,0.25,0.5,0.5)"
    for_what.add_argument("--region", metavar="X,Y,W,H", help=region)
    by = "closer: dolly (default) or zoom; outpaint: pull (default) or frame"
    for_what.add_argument("--by", metavar="WAY", help=by)
    for_what.add_argument(
        "--factor", type=float, metavar="F", help=f"outpaint: times as wide (default: {Use.factor:g})"
    )
    no_keep = "outpaint: let the engine draw the inside too, where the footage is"
    for_what.add_argument("--no-keep", action="store_true", default=None, help=no_keep)


def use_of(options: argparse.Namespace, count: int) -> Use:
    """What the options say that a take of ``count`` frames is for. Raises ContractError that names the option."""
    kind = options.use or "move"
    for name, uses in _FIELDS.items():
        if getattr(options, name) is not None and kind not in uses:
            where = f"{getattr(options, name)!r} without --use {' or '.join(uses)}"
            raise ContractError(option(name), where, "both or neither")
    values: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("at", "hold", "ease", "by", "factor")
        if getattr(options, name) is not None
    }
    if options.strength is not None:
        values["strength"] = _strength(options.strength)
    if kind == "freeze" and options.hold is None:
        values["hold"] = max(1, min(count // 2, count - (options.at or 0) - Use.ease))
    with _naming_the_option():
        if options.region is not None:
            x, y, width, height = _numbers(options.region, "--region", 4, "four shares, like 0.25,0.25,0.5,0.5")
            with _within("region"):
                values["region"] = Region(x=x, y=y, width=width, height=height)
        return Use(kind=kind, keep=not options.no_keep, **values)


def known_of(options: argparse.Namespace) -> Known | None:
    """The point whose distance is known. Raises ContractError that names the option."""
    if options.known is None:
        return None
    if not options.solve:
        raise ContractError("--known", f"{options.known!r} without --solve", "both or neither")
    expected = "a frame, a point and metres, like 0,416,240,3.5"
    frame, x, y, distance = _numbers(options.known, "--known", 4, expected)
    if frame != int(frame):
        raise ContractError("--known", options.known, expected)
    try:
        return Known(frame=int(frame), x=x, y=y, distance=distance)
    except ContractError as error:
        raise ContractError("--known", f"{error.field} = {error.found}", error.expected) from None


def _strength(text: str) -> float:
    if text in STRENGTHS:
        return STRENGTHS[text]
    with contextlib.suppress(ValueError):
        return float(text)
    raise ContractError("--strength", text, ", ".join(STRENGTHS) + ", or seconds")


def _numbers(text: str, name: str, count: int, expected: str) -> list[float]:
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ContractError(name, text, expected)
    return numbers


@contextlib.contextmanager
def _within(name: str) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise error.within(name) from None


@contextlib.contextmanager
def _naming_the_option() -> Iterator[None]:
    """Say the option where the contract says the field that it fills."""
    try:
        yield
    except ContractError as error:
        name, _, part = error.field.partition(".")
        if name not in _FIELDS:
            raise
        found = f"{part} = {error.found}" if part else error.found
        raise ContractError(option(name), found, error.expected) from None
