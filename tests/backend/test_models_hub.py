"""Downloads from a hub: what arrives, how it is told, and what is not kept as good."""

import hashlib
import os

import checkpoints
import pytest
from downloads import CONFIG, FILE, NAME, entry, get, other, parts, refused, serving
from downloads import weights as tiny_weights
from hub_server import COMMIT, Fault, git_hash

from backend.models.hub import HubError
from backend.models.library import Library

WEIGHTS = tiny_weights()


@pytest.fixture
def hub():
    with serving() as server:
        yield server


@pytest.fixture
def library(folder):
    return Library(folder / "models")


# What arrives


def test_all_files_arrive_and_are_recorded(hub, library):
    wanted = entry(config=True)
    network, config = get(hub, library, wanted)
    assert network == library.folder / "tiny" / FILE
    assert {each.headers["accept-encoding"] for each in hub.requests} == {"identity"}, "ranges are of the file itself"
    assert network.read_bytes() == WEIGHTS
    assert config.read_bytes() == CONFIG
    kept = library.kept(wanted)[FILE]
    assert (kept.size, kept.sha256) == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    assert library.status(wanted) == "ready"
    assert library.revision(wanted) == COMMIT
    assert not parts(library)


def test_what_is_there_is_not_asked_for_again(hub, library):
    get(hub, library)
    before = len(hub.requests)
    get(hub, library)
    assert len(hub.requests) == before


def test_the_newest_of_main_is_taken_and_pinned(hub, library):
    wanted = entry(revision="main", config=True)
    get(hub, library, wanted)
    assert all(f"/resolve/{COMMIT}/" in each.path for each in hub.requests_for("GET"))
    first, second = hub.requests_for("HEAD")
    assert ("/resolve/main/" in first.path, f"/resolve/{COMMIT}/" in second.path) == (True, True), "of one commit"
    hub.files[NAME] = other(WEIGHTS)
    get(hub, library, wanted)
    assert (library.folder / "tiny" / FILE).read_bytes() == hub.files[NAME]


def test_a_data_set_is_asked_for_as_one(hub, library):
    hub.files[f"datasets/{NAME}"] = hub.files.pop(NAME)
    get(hub, library, entry(kind="dataset", what="data"))
    assert library.status(entry()) == "ready"


def test_a_small_file_is_checked_by_git_s_hash(hub, library):
    hub.faults.append(Fault("GET", times=1))  # the network's
    hub.faults.append(Fault("GET", content=CONFIG.replace(b"test", b"tset")))
    with pytest.raises(HubError) as caught:
        get(hub, library, entry(config=True))
    assert caught.value.kind == "wrong"
    assert git_hash(CONFIG) in str(caught.value)
    assert library.status(entry(config=True)) == "partial"
    get(hub, library, entry(config=True))
    assert library.status(entry(config=True)) == "ready"


# How far it is


def test_bytes_speed_and_time_left_are_told(hub, library):
    hub.pause, hub.piece = 0.05, 1 << 16
    told = []
    get(hub, library, report=told.append)
    told = [each for each in told if each.phase == "Downloading A tiny network"]
    assert [each.step for each in told] == sorted(each.step for each in told)
    assert {each.total for each in told} == {len(WEIGHTS)}
    assert {each.unit for each in told} == {"bytes"}
    assert (told[0].step, told[-1].step) == (0, len(WEIGHTS))
    paced = [each for each in told if each.per_second]
    assert paced
    # 64 KiB every 0.05 s, or slower where the machine is busy.
    assert all(1e5 < each.per_second < 1.6e6 for each in paced)
    for each in paced:
        assert each.seconds_left == pytest.approx((each.total - each.step) / each.per_second)


# What is not kept


def test_a_content_with_another_hash_is_removed(hub, library):
    hub.faults.append(Fault("DATA", content=other(WEIGHTS)))
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert hashlib.sha256(WEIGHTS).hexdigest() in str(error)
    assert "was removed" in str(error)
    assert not parts(library)


def test_a_content_that_does_not_end_is_removed(hub, library):
    hub.piece = 1 << 20
    hub.faults.append(Fault("DATA", content=WEIGHTS + bytes(100_000_000)))
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert hub.sent < 50_000_000, "it is left where it is too long, but for what is on its way"
    assert not parts(library)


@pytest.mark.parametrize("content", [WEIGHTS + bytes(1000), WEIGHTS + b"!"])
def test_where_nobody_names_a_hash_the_length_is_still_checked(hub, library, content):
    hub.faults.append(Fault("HEAD", headers={"X-Linked-Etag": '"a mirror\'s own"'}))
    hub.faults.append(Fault("DATA", content=content))
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert f"expected {len(WEIGHTS)}" in str(error)
    assert not parts(library)


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"size": 17}])
def test_another_file_than_the_catalogue_s_is_not_downloaded(hub, library, known):
    error = refused(hub, library, entry(**known))
    assert error.kind == "wrong"
    assert str(known.get("sha256", known.get("size"))) in str(error)
    assert not hub.requests_for("DATA")


def test_the_catalogue_s_hash_counts_where_the_hub_names_none(hub, library):
    hub.faults.append(Fault("HEAD", headers={"X-Linked-Etag": '"a mirror\'s own"'}))
    hub.faults.append(Fault("DATA", content=other(WEIGHTS)))
    error = refused(hub, library, entry(sha256=hashlib.sha256(WEIGHTS).hexdigest()))
    assert error.kind == "wrong"


def test_another_kind_of_model_is_removed(hub, library, tmp_path):
    path = checkpoints.write(tmp_path / "vae.safetensors", checkpoints.vae())
    hub.files[NAME] = path.read_bytes()
    error = refused(hub, library)
    assert error.kind == "wrong"
    assert "Wan 2.1's VAE" in str(error)
    assert "ReCamMaster's network was expected" in str(error)
    assert not parts(library)


def test_what_the_catalogue_s_own_hash_proves_is_kept(hub, library, tmp_path):
    hub.files[NAME] = checkpoints.write(tmp_path / "vae.safetensors", checkpoints.vae()).read_bytes()
    wanted = entry(sha256=hashlib.sha256(hub.files[NAME]).hexdigest())
    get(hub, library, wanted)
    assert library.status(wanted) == "ready"


def test_a_web_page_is_no_model(hub, library):
    hub.files[NAME] = b"<!DOCTYPE html><p>Please log in</p>" * 200
    error = refused(hub, library)
    assert "a web page" in str(error)


# What is not ReCam's


def test_a_file_in_the_way_is_left_as_it_is(hub, library):
    path = library.folder / "tiny" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(HubError) as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"
    assert str(path) in str(caught.value).replace("\\\\", "\\").replace("\\'", "'")
    assert path.read_bytes() == b"mine"
    assert not hub.requests_for("DATA")


def test_a_file_in_the_folder_s_place_is_told(hub, library):
    library.folder.mkdir()
    (library.folder / "tiny").write_bytes(b"mine")
    with pytest.raises(HubError, match="is in the way: it is a file") as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"


def test_one_that_was_changed_since_is_left_too(hub, library):
    wanted = entry(config=True)
    weights, config = get(hub, library, wanted)
    config.unlink()
    weights.write_bytes(other(WEIGHTS))
    with pytest.raises(HubError, match="was changed since"):
        get(hub, library, wanted)
    assert weights.read_bytes() == other(WEIGHTS)


def test_the_right_file_that_lies_there_is_taken_over(hub, library):
    path = library.folder / "tiny" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(WEIGHTS)
    get(hub, library)
    assert not hub.requests_for("DATA")
    assert library.status(entry()) == "ready"


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_nothing_is_written_through_a_link(hub, library, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    library.folder.mkdir()
    (library.folder / "tiny").symlink_to(elsewhere)
    with pytest.raises(HubError) as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"
    assert not list(elsewhere.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("name", [FILE, f"{FILE}.{hashlib.sha256(WEIGHTS).hexdigest()[:16]}.recam-part"])
def test_nor_through_one_in_a_file_s_place(hub, library, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_bytes(b"of somebody")
    link = library.folder / "tiny" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with pytest.raises(HubError, match="is in the way") as caught:
        get(hub, library)
    assert caught.value.kind == "foreign"
    assert victim.read_bytes() == b"of somebody"
    assert link.is_symlink()
