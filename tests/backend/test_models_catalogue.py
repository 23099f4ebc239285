"""The list of models: whole, and honest about licences. What the files are in truth, no test here can know."""

import json
import re
from collections import Counter

import pytest

from backend.contract import ENGINES, Models
from backend.messages import ContractError
from backend.models import catalogue
from backend.models.catalogue import CATALOGUE, Entry, File
from backend.recammaster.identify import WHERE

FREE = ("Apache-2.0", "MIT", "BSD-3-Clause")


def names(whats):
    return sorted(each.what for each in whats)


def test_ids_are_told_apart_and_are_names_of_folders_everywhere():
    assert len({each.id for each in CATALOGUE}) == len(CATALOGUE)
    for each in CATALOGUE:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{2,29}", each.id)


def test_an_id_that_is_not_known_is_answered_with_those_that_are():
    assert catalogue.entry("vae").what == "vae"
    with pytest.raises(LookupError, match="'vea'") as caught:
        catalogue.entry("vea")
    for each in CATALOGUE:
        assert each.id in str(caught.value)


def test_files_do_not_meet_in_an_entry_s_folder():
    for each in CATALOGUE:
        assert each.files
        assert not [name for name, count in Counter(file.name.lower() for file in each.files).items() if count > 1]


@pytest.mark.parametrize("each", CATALOGUE, ids=lambda each: each.id)
def test_an_entry_is_whole(each):
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", each.repository)
    assert re.fullmatch(r"[0-9a-f]{40}", each.revision)
    assert each.is_pinned
    assert each.purpose.endswith(".")
    assert each.page == f"https://huggingface.co/{'datasets/' * (each.kind == 'dataset')}{each.repository}"
    for file in each.files:
        assert not file.path.startswith("/")
        assert ".." not in file.path.split("/")
        assert re.fullmatch(r"[\w./-]+", file.path)
        # A size is known or estimated, and a hash is not known without the size.
        assert (file.size is None) != (file.about is None)
        assert file.sha256 is None or (file.size is not None and re.fullmatch(r"[0-9a-f]{64}", file.sha256))


def test_one_content_has_one_hash():
    known = {}
    for each in CATALOGUE:
        for file in each.files:
            where = each.repository, each.revision, file.path
            assert known.setdefault(where, (file.size, file.sha256)) == (file.size, file.sha256)
    hashes = Counter(file[1] for file in known.values() if file[1])
    assert set(hashes.values()) == {1}


def test_what_is_chosen_by_itself_may_be_used_by_everybody():
    for each in CATALOGUE:
        if each.default:
            assert each.commercial is True
            assert each.licence in FREE
            assert each.what not in ("lora", "data")
        if each.commercial is not True:
            assert each.licence_note


def test_licences_that_forbid_commerce_say_so():
    for each in CATALOGUE:
        if "NC" in each.licence:
            assert each.commercial is False
    assert catalogue.entry("lora-causvid").commercial is False
    assert catalogue.entry("lora-self-forcing").commercial is None


def test_what_the_engines_need():
    assert catalogue.needed("reproject") == ()
    assert names(catalogue.needed("recammaster")) == ["text_encoder", "transformer", "vae"]
    assert set(catalogue.needed("recammaster")) < set(catalogue.default_set("recammaster"))
    assert Counter(names(catalogue.default_set("recammaster"))).most_common(1)[0][1] == 1
    for engine in ENGINES:
        assert all(each.default and each.engine == engine for each in catalogue.default_set(engine))
    assert catalogue.default_set("no such engine") == ()


def test_kinds_are_the_contract_s():
    fields = set(Models().to_json()) - {"folder", "embeddings"}
    assert set(catalogue.WHATS) - {"depth", "data"} == fields
    assert {each.what for each in CATALOGUE} == set(catalogue.WHATS)


def test_sizes():
    assert catalogue.entry("umt5-full").size == 11_361_920_418 + 4_548_313
    assert catalogue.entry("umt5-full").is_exact
    assert not catalogue.entry("recammaster").is_exact
    # 1,490,420,800 weights of two bytes, and their names.
    assert 2_980_841_600 < catalogue.entry("recammaster").size < 2_980_841_600 * 1.001
    # "About 333 GB", as its authors say.
    assert catalogue.entry("multicamvideo").size == pytest.approx(333e9, rel=0.002)


def test_the_quantised_encoder_comes_first():
    [encoder] = [each for each in catalogue.needed("recammaster") if each.what == "text_encoder"]
    others = [each for each in CATALOGUE if each.what == "text_encoder" and each != encoder]
    assert encoder.size < min(each.size for each in others)


def test_errors_elsewhere_name_the_same_files():
    for each in CATALOGUE:
        if each.what in ("transformer", "vae", "text_encoder", "lora"):
            assert any(file.name in WHERE[each.what] for file in each.files)


def test_it_is_told_as_json():
    for each in CATALOGUE:
        assert Entry.from_json(json.loads(json.dumps(each.to_json()))) == each


def test_what_is_no_entry_is_refused():
    with pytest.raises(ContractError, match="what"):
        Entry(id="x", title="X", purpose="X.", what="toy", repository="a/b", files=(), licence="MIT")
    with pytest.raises(ContractError, match="size"):
        File(path="x", size=-1)
