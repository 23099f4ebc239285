"""The contract: what it refuses, and in which words; JSON both ways; its schema."""

import copy
import json
import math
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest
from written_jobs import IDENTITY, LENS, changed, full, minimal

from backend import contract
from backend.contract import ContractError, Job

SCHEMA = Path(__file__).parents[2] / "docs" / "job.schema.json"


def posed(row, column, value):
    pose = copy.deepcopy(IDENTITY)
    pose[row][column] = value
    return pose


def refusal(data):
    with pytest.raises(ContractError) as caught:
        Job.from_json(data)
    return caught.value


# Both ways


@pytest.mark.parametrize("data", [minimal(), full()], ids=["minimal", "full"])
def test_json_round_trip_is_exact(data):
    job = Job.from_json(data)
    assert contract.loads(json.dumps(job.to_json())) == job
    assert contract.loads(json.dumps(job.to_json()).encode()) == job


def test_full_job_is_written_as_it_was_read():
    written = Job.from_json(full()).to_json()
    assert written == changed(full(), "output.rate", "25/1")


def test_rates_are_exact():
    assert Job.from_json(minimal()).output.rate == Fraction(24000, 1001)


def test_every_float_survives():
    for value in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, 2.0**53 + 2):
        job = Job.from_json(changed(minimal(), "target.poses.1.0.3", value))
        found = contract.loads(json.dumps(job.to_json())).target.poses[1][0][3]
        assert found == value
        assert math.copysign(1, found) == math.copysign(1, value)


def test_defaults_are_the_documented_ones():
    job = Job.from_json(minimal())
    assert (job.settings.engine, job.settings.depth.kind, job.output.format) == ("reproject", "plane", "h264")
    assert (job.source, job.lens, job.subject_distance, job.version, len(job)) == (None, None, 4.0, 1, 3)


def test_record_holds_a_job_that_can_be_read_again():
    job = Job.from_json(full())
    result = contract.Result(path="/t", frames=3, width=2, height=2, rate=Fraction(25), engine="reproject")
    record = json.loads(contract.take_record(job, result))
    assert contract.loads(json.dumps(record)) == job
    assert record["digest"] == job.digest()
    assert contract.Result.from_json(record["result"]) == result


@pytest.mark.parametrize("seconds", [None, 0, 12.5])
def test_progress_round_trip(seconds):
    progress = contract.Progress(phase="drawing", step=3, total=81, seconds_left=seconds)
    assert contract.Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


# What is refused, and where it is said to be


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        # NaN and infinity, which JSON as Python reads it can hold
        ("target.poses.1.0.3", math.nan, "target.poses[1]", "finite"),
        ("target.poses.1.2.2", math.inf, "target.poses[1]", "finite"),
        ("target.intrinsics.2.fx", math.nan, "target.intrinsics[2].fx", "finite"),
        ("target.intrinsics.2.cx", -math.inf, "target.intrinsics[2].cx", "finite"),
        ("subject_distance", math.nan, "subject_distance", "finite"),
        ("target.poses.0.0.3", 10**400, "target.poses[0][0][3]", "float"),
        # poses that are no camera
        ("target.poses.2", posed(0, 0, 1.01), "target.poses[2]", "rigid"),
        ("target.poses.2", [[2 * v for v in row[:3]] + [0] for row in IDENTITY[:3]] + [[0, 0, 0, 1]], None, "rigid"),
        ("target.poses.2", posed(0, 1, 0.01), "target.poses[2]", "rigid"),
        ("target.poses.2", posed(2, 2, -1.0), "target.poses[2]", "mirror"),
        ("target.poses.2", posed(3, 2, 1.0), "target.poses[2]", "last row"),
        ("target.poses.2", posed(3, 3, 2.0), "target.poses[2]", "last row"),
        ("target.poses.2", [[0.0] * 4] * 3 + [[0, 0, 0, 1]], "target.poses[2]", "rigid"),
        ("target.poses.2", IDENTITY[:3], "target.poses[2]", "4"),
        ("target.poses.2.1", [0, 1, 0], "target.poses[2][1]", "4"),
        # counts
        ("target.poses", [], "target.poses", "at least one"),
        ("target.poses", [IDENTITY] * 2, "target.intrinsics", "2, one per pose"),
        ("target.intrinsics", [LENS] * 4, "target.intrinsics", "3, one per pose"),
        ("footage.frames", [0, 1], "target.poses", "2, one per timeline frame"),
        ("footage.frames", [], "footage.frames", "at least one"),
        ("footage.files", [], "footage.files", "exactly one"),
        ("footage.files", ["/a.mp4", "/b.mp4"], "footage.files", "exactly one"),
        ("source", {"width": 8, "height": 8, "poses": [IDENTITY], "intrinsics": [LENS]}, "source.poses", "3, one per"),
        ("settings", {"depth": {"kind": "file", "files": ["/1.exr"]}}, "settings.depth.files", "3, one per"),
        ("settings", {"depth": {"kind": "scene"}}, "settings.depth.files", "one depth file"),
        ("settings", {"depth": {"kind": "plane", "files": ["/1.exr"]}}, "settings.depth.files", "none for a plane"),
        # engines, kinds, formats
        ("settings", {"engine": "magic"}, "settings.engine", "'reproject'"),
        ("settings", {"depth": {"kind": "guess"}}, "settings.depth.kind", "'plane'"),
        ("settings", {"depth": {"kind": "motion", "files": ["/1.exr"]}}, "settings.depth.files", "none for motion"),
        # where the source camera comes from, and what a take is for
        ("source_from", "guess", "source_from", "'still'"),
        ("known", {"x": 1.0, "y": 1.0, "distance": 2.0}, "known", "source_from is 'footage'"),
        ("use", {"kind": "guess"}, "use.kind", "'move'"),
        ("use", {"kind": "lock", "at": 3}, "use.at", "less than 3"),
        ("use", {"kind": "freeze", "at": 3}, "use.at", "less than 3"),
        ("use", {"kind": "stabilise", "by": "dolly"}, "use.by", "nothing for stabilise"),
        ("use", {"kind": "closer", "by": "pull"}, "use.by", "'zoom'"),
        ("use", {"kind": "outpaint", "factor": 1.0}, "use.factor", "more than 1"),
        ("use", {"kind": "closer", "region": {"x": 0.75, "width": 0.5}}, "use.region.width", "x + width <= 1"),
        ("footage.kind", "tape", "footage.kind", "'movie'"),
        ("output.format", "gif", "output.format", "'h264'"),
        ("output.path", "/take.mov", "output.path", ".mp4"),
        # fields that are unknown or not there
        ("fps", 24, "fps", "footage"),
        ("footage.fps", 24, "footage.fps", "frames"),
        ("target.intrinsics.0.skew", 0.0, "target.intrinsics[0].skew", "fx"),
        ("target", None, "target", "the camera to see it with"),
        ("target.intrinsics.1.fy", None, "target.intrinsics[1].fy", "focal length"),
        ("output.rate", None, "output.rate", "frames per second"),
        # versions
        ("version", 2, "version", "1"),
        ("version", 0, "version", "1"),
        ("version", "1", "version", "1"),
        ("version", True, "version", "whole number"),
        # wrong types
        ("output.width", True, "output.width", "whole number"),
        ("output.width", 832.0, "output.width", "whole number"),
        ("output.width", "832", "output.width", "whole number"),
        ("output.mask", 1, "output.mask", "bool"),
        ("subject_distance", True, "subject_distance", "number"),
        ("subject_distance", "4", "subject_distance", "number"),
        ("target.poses.0.0.0", True, "target.poses[0][0][0]", "number"),
        ("footage.frames.1", False, "footage.frames[1]", "whole number"),
        ("footage.frames", "012", "footage.frames", "a list"),
        ("footage.files", {"0": "/clip.mp4"}, "footage.files", "a list"),
        ("footage.files.0", 7, "footage.files[0]", "a text"),
        ("footage", [], "footage.footage", "an object"),
        # rates
        ("output.rate", 24, "output.rate", "24000/1001"),
        ("output.rate", "23.976", "output.rate", "24000/1001"),
        ("output.rate", "24/0", "output.rate", "24000/1001"),
        ("output.rate", "-24/1", "output.rate", "24000/1001"),
        ("output.rate", " 24", "output.rate", "24000/1001"),
        ("output.rate", "1e999999999", "output.rate", "24000/1001"),
        ("output.rate", "٢٤", "output.rate", "24000/1001"),
        ("output.rate", "0/1", "output.rate", "at least 1/1000"),
        ("output.rate", "1/1000000000000", "output.rate", "at least 1/1000"),
        ("output.rate", "9" * 100_000, "output.rate", "24000/1001"),
        ("output.rate", "1001/1", "output.rate", "at most 1000"),
        # 24 as close as 32 bits can no longer tell
        ("output.rate", "51539607553/2147483648", "output.rate", "a numerator and a denominator"),
        # limits
        ("output.width", 0, "output.width", "at least 1"),
        ("output.height", 16385, "output.height", "at most 16384"),
        ("target.intrinsics.0.fx", 0.0, "target.intrinsics[0].fx", "more than 0"),
        ("subject_distance", 0, "subject_distance", "more than 0"),
        ("settings", {"seed": -1}, "settings.seed", "at least 0"),
        ("settings", {"seed": 2**63}, "settings.seed", "at most"),
        ("footage.frames.2", -1, "footage.frames[2]", "0 or more"),
        ("footage.frames.2", 2**31, "footage.frames[2]", "at most"),
        ("footage.files.0", "/clip\0.mp4", "footage.files", "without"),
        ("output.path", "/take\0.mp4", "output.path", "without"),
    ],
)
def test_refuses(path, value, field, expected):
    error = refusal(changed(minimal(), path, value))
    if field is not None:
        assert error.field == field
    assert expected in error.expected
    assert str(error) == f"{error.field}: found {error.found}, expected {error.expected}"
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source_from": "footage", "known": {"frame": 3, "x": 1.0, "y": 1.0, "distance": 2.0}}, "known.frame"),
        ({"source_from": "footage", "known": {"x": 833.0, "y": 1.0, "distance": 2.0}}, "known"),
        ({"source_from": "footage", "source": minimal()["target"]}, "source_from"),
        ({"relative": True, "use": {"kind": "lock"}}, "relative"),
    ],
)
def test_refuses_what_does_not_go_together(changes, field):
    assert refusal(minimal() | changes).field == field


def test_refuses_a_picture_that_is_not_in_the_list():
    error = refusal(changed(full(), "footage.frames.2", 2))
    assert (error.field, error.found) == ("footage.frames[2]", "2")
    assert "less than 2" in error.expected


@pytest.mark.parametrize("data", [None, [], "job", 3, True])
def test_refuses_what_is_no_object(data):
    assert refusal(data).expected == "an object"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff\xfe", "{'a': 1}"])
def test_refuses_text_that_is_no_json(text):
    with pytest.raises(ContractError, match="not JSON"):
        contract.loads(text)


def test_a_newer_version_is_the_reason_even_where_fields_are_unknown():
    assert refusal(minimal() | {"version": 2, "lighting": {}}).field == "version"


def test_is_checked_when_made_in_python_too():
    with pytest.raises(ContractError, match="fx: found nan"):
        contract.Intrinsics(fx=math.nan, fy=1.0, cx=0.0, cy=0.0)
    with pytest.raises(ContractError, match="step: found -1"):
        contract.Progress(phase="", step=-1, total=0)


def test_slightly_impure_poses_are_accepted():
    """Blender's matrices are float32: off by some 1e-7."""
    assert len(Job.from_json(changed(minimal(), "target.poses.1", posed(0, 1, 3e-7)))) == 3


# The schema


@pytest.fixture(scope="module")
def validator():
    schema = contract.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("data", [minimal(), full()], ids=["minimal", "full"])
def test_schema_accepts_what_the_contract_accepts(data, validator):
    validator.validate(data)
    validator.validate(Job.from_json(data).to_json())


@pytest.mark.parametrize("name", ["Progress", "Result"])
def test_schema_describes_what_comes_back(name):
    message = {
        "Progress": contract.Progress(phase="p", step=1, total=2, seconds_left=None),
        "Result": contract.Result(path="/t", frames=3, width=2, height=2, rate=Fraction(25), engine="reproject"),
    }[name]
    schema = contract.json_schema() | {"$ref": f"#/$defs/{name}"}
    jsonschema.Draft202012Validator(schema).validate(message.to_json())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fps", 24),
        ("footage.fps", 24),
        ("target", None),
        ("output.rate", None),
        ("output.rate", 24),
        ("output.rate", "24/0"),
        ("output.rate", "23.976"),
        ("output.width", True),
        ("output.width", 0),
        ("output.height", 16385),
        ("subject_distance", 0),
        ("version", 2),
        ("settings", {"engine": "magic"}),
        ("footage.kind", "tape"),
        ("target.poses.2", IDENTITY[:3]),
        ("target.poses.2.1", [0, 1, 0]),
        ("lens", {"fx": 1.0}),
    ],
)
def test_schema_refuses_what_the_contract_refuses(path, value, validator):
    data = changed(minimal(), path, value)
    refusal(data)
    assert not validator.is_valid(data)


def test_schema_in_the_docs_is_up_to_date():
    """`make schema` writes it."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == contract.json_schema()


def test_schema_explains_every_field():
    for name, definition in contract.json_schema()["$defs"].items():
        assert definition["description"], name
        assert all(each["description"] for each in definition["properties"].values()), name
