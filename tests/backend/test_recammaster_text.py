"""Prompts to embeddings: as published, no more often than needed, and with nothing of the encoder left in memory."""

import dataclasses
import shutil
from types import SimpleNamespace

import checkpoints
import prompts
import pytest
import torch
from prompts import BLOCKS, WIDTH, encode, gone, made_by, published, write_pack
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend.engines import EngineError
from backend.recammaster import text, umt5
from backend.recammaster.embeddings import Cache, Pack, encoder_of, pack
from backend.recammaster.recipes import NEGATIVE_PROMPT

LONG = "a dog and a ball and " * 200
ODD = [
    "",
    "  A   dog\n\truns\u00a0 fast\u3000 ",
    "cafÃ© &amp;amp; bar, &lt;b&gt; &amp;nbsp; x",
    "“quoted” ‘text’ … ﬁne １２ ﾊﾝｶｸ",  # noqa: RUF001
    "日本 and é and 🎥 and \u0301",
    "<b> &amp;amp;lt; &amp;amp; </b>",
    "nul \x00 bell \x07 end \x1b[31m red",
    NEGATIVE_PROMPT,
    "&#55357; &#0; &notanentity; &eacute",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return prompts.write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def loads(monkeypatch):
    return prompts.watch_loads(monkeypatch)


# As published


@pytest.mark.parametrize("prompt", ODD)
def test_cleaned_as_published(prompt):
    from diffusers.pipelines.wan.pipeline_wan import prompt_clean

    assert text.clean(prompt) == prompt_clean(prompt)


def test_what_is_no_text_is_encoded_all_the_same(models, cache):
    assert text.clean("caf\udce9 \ud83d") == "caf? ?"
    assert len(encode(["caf\udce9 \ud83d"], models, cache).tensors) == 1


@pytest.mark.parametrize("prompt", [*ODD[:-1], LONG, checkpoints.SENTENCES[0]])
def test_encoded_as_published(models, cache, prompt):
    (found,) = encode([prompt], models, cache).tensors
    assert found.shape == (512, WIDTH)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, published(models, prompt), rtol=0, atol=0)


def test_zero_after_the_prompts_end_and_nowhere_before(models, cache):
    encoded = encode(["", checkpoints.SENTENCES[0], LONG], models, cache)
    ends = [int(each.abs().sum(dim=1).count_nonzero()) for each in encoded.tensors]
    assert ends[0] == 1  # the end itself
    assert 1 < ends[1] < 512
    assert ends[2] == 512
    for end, tensor in zip(ends, encoded.tensors, strict=True):
        assert tensor[:end].abs().sum(dim=1).all()
        assert not tensor[end:].any()


def test_order_is_kept_and_what_cleans_to_the_same_is_encoded_once(models, cache):
    told = []
    prompts = ["a ball", "A dog", "a  ball", ""]
    encoded = encode(prompts, models, cache, report=lambda *step, **_: told.append(step))
    assert told[:2] == [(umt5.LOADING, 0, 1), (umt5.LOADING, 1, 1)]
    assert told[2:] == [(umt5.ENCODING, step + 1, 3 * BLOCKS) for step in range(3 * BLOCKS)]
    assert [each.prompt for each in encoded.embeddings] == ["a ball", "A dog", "a ball", ""]
    torch.testing.assert_close(encoded.tensors[0], encoded.tensors[2], rtol=0, atol=0)
    for prompt, tensor in zip(prompts, encoded.tensors, strict=True):
        torch.testing.assert_close(tensor, published(models, prompt), rtol=0, atol=0)


def test_prompt_that_is_cut_is_told_of_each_time(models, cache):
    for _ in range(2):
        (sentence,) = encode([LONG, ""], models, cache).warnings
        assert "'a dog and a ball and a dog and a ball an…' has " in sentence
        assert "shown 512" in sentence
    assert encode([""], models, cache).warnings == []


# No more often than needed


def test_second_time_needs_no_encoder(models, cache, loads, tmp_path):
    moved = SimpleNamespace(**vars(models))
    moved.text_encoder = shutil.copytree(models.text_encoder, tmp_path / "here")
    first = encode(["a dog", ""], moved, cache)
    again = encode(["", "a dog"], moved, cache)
    shutil.rmtree(moved.text_encoder)
    moved.text_encoder = None
    without = encode(["a dog", ""], moved, cache)
    assert len(loads) == 1
    assert "'here'" in first.notes[0]
    assert without.notes == ["Prompts encoded before, with 'here', come from the cache."]
    for tensor, one, two in zip(first.tensors, reversed(again.tensors), without.tensors, strict=True):
        torch.testing.assert_close(tensor, one, rtol=0, atol=0)
        torch.testing.assert_close(tensor, two, rtol=0, atol=0)


def test_only_what_is_missing_is_encoded(models, cache):
    encode(["a dog"], models, cache)
    told = []
    encoded = encode(["a dog", "a ball"], models, cache, report=lambda *step, **_: told.append(step))
    assert told[-1] == (umt5.ENCODING, BLOCKS, BLOCKS)
    assert len(encoded.notes) == 2


def test_encoder_is_known_wherever_it_lies_and_others_are_told_apart(models, cache, loads, tmp_path):
    encode(["a dog"], models, cache)
    elsewhere = SimpleNamespace(**vars(models))
    elsewhere.text_encoder = shutil.copytree(models.text_encoder, tmp_path / "other name")
    encode(["a dog"], elsewhere, cache)
    assert len(loads) == 1
    other = SimpleNamespace(**vars(models))
    other.text_encoder = checkpoints.write_text_encoder_folder(tmp_path / "b", checkpoints.text_encoder(seed=9))
    found = encode(["a dog"], other, cache)
    assert len(loads) == 2
    torch.testing.assert_close(found.tensors[0], published(other, "a dog"), rtol=0, atol=0)


def test_pack_with_all_prompts_comes_before_the_encoder(models, cache, loads, tmp_path):
    models = SimpleNamespace(**vars(models))
    models.embeddings = [write_pack(tmp_path / "p.safetensors", "a", ["a dog", "a ball"])]
    encoded = encode(["a dog", "a ball"], models, cache)
    assert loads == []
    assert encoded.tensors[1].sum() == 3 * WIDTH
    assert encoded.notes == ["Prompts encoded before, with 'a.safetensors', come from the pack 'p.safetensors'."]


def test_prompts_of_one_call_come_from_one_encoder_where_that_can_be(models, cache, loads, tmp_path):
    models = SimpleNamespace(**vars(models))
    models.embeddings = [
        write_pack(tmp_path / "p.safetensors", "a", ["a dog"], 1.0),
        write_pack(tmp_path / "q.safetensors", "b", ["a dog", "a ball"], 2.0),
    ]
    assert [each.max() for each in encode(["a dog", "a ball"], models, cache).tensors] == [2, 2]
    # The cache helps a pack out.
    Cache(cache).keep(made_by("a", ["a ball"], 3.0)[0])
    assert [each.max() for each in encode(["a dog", "a ball"], models, cache).tensors] == [1, 3]
    assert loads == []
    # No pack has both: all is encoded, the prompt that a pack has too.
    encoded = encode(["a dog", "a cat"], models, cache)
    assert {each.encoder for each in encoded.embeddings} == {encoder_of(models.text_encoder)}


def test_without_an_encoder_prompts_may_come_from_several(cache, tmp_path):
    nothing = SimpleNamespace(text_encoder=None, tokenizer=None)
    nothing.embeddings = [write_pack(tmp_path / "p.safetensors", "a", ["a dog", "a cat"], 1.0)]
    for each in made_by("b", ["a ball", "a cat"], 2.0):
        Cache(cache).keep(each)
    encoded = encode(["a dog", "a ball", "a cat"], nothing, cache)
    assert [each.max() for each in encoded.tensors] == [1, 2, 1]
    assert len(encoded.notes) == 2


def test_embeddings_of_another_width_are_passed_over(models, cache, loads, tmp_path):
    models = SimpleNamespace(**vars(models))
    models.embeddings = [write_pack(tmp_path / "p.safetensors", "a", ["a dog"], width=WIDTH + 8)]
    Cache(cache).keep(dataclasses.replace(made_by("a", ["a dog"], width=8)[0], encoder=encoder_of(models.text_encoder)))
    assert encode(["a dog"], models, cache, width=WIDTH).tensors[0].shape == (512, WIDTH)
    assert len(loads) == 1


# What may be wrong


def refused(prompts, models, cache, **options):
    with pytest.raises(EngineError) as caught:
        encode(prompts, models, cache, **options)
    assert caught.value.kind == "models"
    return str(caught.value)


def test_encoder_is_missing(cache):
    nothing = SimpleNamespace(text_encoder=None, tokenizer=None, embeddings=[])
    said = refused(["a dog"], nothing, cache)
    assert said.startswith("The prompt 'a dog' was not encoded before, and no text encoder was found: get umt5_xxl_fp8")
    assert "`python -m backend embed`" in said
    assert refused(["a dog", "", "a cat"], nothing, cache).startswith("3 prompts were not")


def test_tokenizer_is_missing(models, cache):
    models = SimpleNamespace(**vars(models) | {"tokenizer": None})
    assert "has no tokenizer: get spiece.model" in refused(["a dog"], models, cache)
    Cache(cache).keep(made_by("a", ["a dog"])[0])
    assert encode(["a dog"], models, cache).tensors[0].max() == 1


def test_tokenizer_of_another_encoder(models, cache, monkeypatch):
    few = checkpoints.text_encoder()
    few["shared.weight"] = few["shared.weight"][:100].clone()
    monkeypatch.setitem(checkpoints.TEXT_SIZES, "vocab_size", 100)
    models = SimpleNamespace(**vars(models))
    models.text_encoder = checkpoints.write_text_encoder_folder(cache.parent / "few", few)
    said = refused([checkpoints.SENTENCES[-1]], models, cache)
    assert "they do not belong together" in said
    assert str(models.text_encoder) in said


def test_encoder_of_another_size(models, cache, loads):
    assert f"gives {WIDTH} numbers per token and the network takes 4096" in refused(["a"], models, cache, width=4096)
    assert gone(loads)


def test_encoder_that_gives_no_numbers(models, cache):
    state = checkpoints.text_encoder()
    state["encoder.final_layer_norm.weight"][3] = float("nan")
    models = SimpleNamespace(**vars(models))
    models.text_encoder = checkpoints.write_text_encoder_folder(cache.parent / "nan", state)
    assert "not finite" in refused(["a"], models, cache)
    assert not list(cache.rglob("*.safetensors"))


def test_damaged_pack_is_told_of_and_passed_over(models, cache, tmp_path):
    models = SimpleNamespace(**vars(models))
    models.embeddings = [tmp_path / "bad é.safetensors", write_pack(tmp_path / "p.safetensors", "a", ["a dog"])]
    models.embeddings[0].write_bytes(b"no pack")
    encoded = encode(["a dog"], models, cache)
    assert encoded.tensors[0].max() == 1
    (sentence,) = encoded.warnings
    assert "bad é.safetensors' is no pack" in sentence
    models.text_encoder = None
    assert refused(["a cat"], models, cache).endswith(sentence)


def test_pack_whose_rows_are_damaged_is_passed_over_too(models, cache, tmp_path):
    models = SimpleNamespace(**vars(models))
    models.embeddings = [write_pack(tmp_path / "p.safetensors", "a", ["a dog"], float("nan"))]
    encoded = encode(["a dog"], models, cache)
    torch.testing.assert_close(encoded.tensors[0], published(models, "a dog"), rtol=0, atol=0)
    assert len(encoded.warnings) == 1


def test_cache_that_cannot_be_written_costs_a_sentence_and_no_more(models, tmp_path):
    (tmp_path / "file").write_text("in the way")
    encoded = encode(["a dog"], models, tmp_path / "file" / "cache")
    assert len(encoded.tensors) == 1
    (sentence,) = encoded.warnings
    assert sentence.startswith("What was encoded could not be kept (Not a directory)")


def test_what_is_given_can_be_packed_and_given_again(models, cache, tmp_path):
    encoded = encode(["a dog", ""], models, cache)
    path = tmp_path / "é.safetensors"
    path.write_bytes(pack(encoded.embeddings))
    assert Pack(path).prompts == ["a dog", ""]
    elsewhere = SimpleNamespace(text_encoder=None, tokenizer=None, embeddings=[path])
    again = encode(["", "a dog"], elsewhere, tmp_path / "another cache")
    for one, two in zip(encoded.tensors, reversed(again.tensors), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
