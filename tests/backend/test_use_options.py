"""What a take is for, as typed in a shell: from options to the job."""

import argparse

import pytest

from backend import use_options
from backend.contract import ContractError, Known, Region, Use


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    use_options.add(parser)
    return parser.parse_args(arguments)


def use(*arguments, count=40):
    return use_options.use_of(parsed(*arguments), count)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", Use()),
        ("--use stabilise", Use(kind="stabilise", strength=1.0)),
        ("--use stabilise --strength gentle", Use(kind="stabilise", strength=0.3)),
        ("--use stabilise --strength strong", Use(kind="stabilise", strength=3.0)),
        ("--use stabilise --strength 0.75", Use(kind="stabilise", strength=0.75)),
        ("--use lock --at 7", Use(kind="lock", at=7)),
        ("--use closer", Use(kind="closer")),
        (
            "--use closer --by zoom --region 0.5,0.25,0.5,0.75 --hold 10",
            Use(kind="closer", by="zoom", hold=10, region=Region(x=0.5, y=0.25, width=0.5, height=0.75)),
        ),
        ("--use outpaint --factor 2 --by frame", Use(kind="outpaint", factor=2.0, by="frame")),
        ("--use outpaint --no-keep", Use(kind="outpaint", keep=False)),
        ("--use freeze --at 5", Use(kind="freeze", at=5, hold=20)),
        ("--use freeze --at 25", Use(kind="freeze", at=25, hold=3)),
        ("--use freeze --at 5 --hold 8 --ease 0", Use(kind="freeze", at=5, hold=8, ease=0)),
    ],
)
def test_options_say_what_a_take_is_for(typed, meant):
    assert use(*typed.split()) == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--strength 2", "--strength: found '2' without --use stabilise"),
        ("--use lock --strength 2", "--strength"),
        ("--use stabilise --at 3", "--at: found 3 without --use lock or freeze"),
        ("--use outpaint --region 0,0,1,1", "--region"),
        ("--use stabilise --strength hard", "--strength: found hard, expected gentle, firm, strong, or seconds"),
        ("--use stabilise --strength 0", "--strength: found 0.0, expected more than 0"),
        ("--use stabilise --strength nan", "--strength"),
        ("--use closer --by pull", "--by: found pull, expected one of 'dolly', 'zoom'"),
        ("--use closer --region 0,0,1", "--region: found 0,0,1, expected four shares"),
        ("--use closer --region 0.5,0,0.75,1", "--region: found width = "),
        ("--use closer --region 0,0,x,1", "--region"),
        ("--use outpaint --factor 1", "--factor: found 1.0, expected more than 1"),
        ("--use freeze --hold -1", "--hold: found -1, expected at least 0"),
        ("--use stabilise --no-keep", "--no-keep"),
    ],
)
def test_what_says_nothing_or_cannot_be_is_refused(typed, said):
    with pytest.raises(ContractError) as refused:
        use(*typed.split())
    assert str(refused.value).startswith(said)


def test_a_point_whose_distance_is_known():
    assert use_options.known_of(parsed("--solve", "--known", "3,416,240.5,2.5")) == Known(
        frame=3, x=416.0, y=240.5, distance=2.5
    )
    assert use_options.known_of(parsed("--solve")) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--known 0,1,1,2", "--known: found '0,1,1,2' without --solve"),
        ("--solve --known 0,1,1", "--known"),
        ("--solve --known 0.5,1,1,2", "--known"),
        ("--solve --known 0,1,1,0", "--known: found distance = "),
        ("--solve --known 0,1,1,inf", "--known"),
    ],
)
def test_a_point_that_tells_nothing_is_refused(typed, said):
    with pytest.raises(ContractError) as refused:
        use_options.known_of(parsed(*typed.split()))
    assert str(refused.value).startswith(said)
