"""The models that ReCam knows of: what each is for, its files, where they are published, and under which licence.

Sizes and SHA-256 are those that the publishers' own hub states, as several projects that pin the same revision have
written them down; what nobody has written down is None, and is then asked of the hub. No size or hash is guessed: an
estimate stands in ``about``, and says what it was counted from. Standard library only, for Python 3.10 and later.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import ENGINES
from ..messages import Message, spec

HUB = "https://huggingface.co"

WHATS = ("transformer", "vae", "text_encoder", "tokenizer", "preview", "lora", "depth", "data")
"""What an entry is: the fields of the contract's Models, an estimator of depth, or data to learn from."""

_RECAMMASTER = "recammaster"


@dataclass(frozen=True, kw_only=True)
class File(Message):
    """One file of an entry."""

    path: str = spec("in its repository")
    size: int | None = spec("bytes, exact", None, minimum=0)
    sha256: str | None = spec("of its content, in hexadecimal", None)
    about: int | None = spec("bytes, where the size is not known: an estimate", None, minimum=0)

    @property
    def name(self) -> str:
        """Of the file, without folders: what it is called in the entry's folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Entry(Message):
    """Something to get."""

    id: str = spec("what it is called on a command line, and its folder in the library")
    title: str = spec("a name for people")
    purpose: str = spec("what it is for, a sentence")
    what: str = spec("of entries of one kind, one is enough", choices=WHATS)
    repository: str = spec("on the hub, as owner/name")
    files: tuple[File, ...] = spec("all of them make the entry")
    licence: str = spec("as SPDX calls it, or in words")
    licence_note: str = spec("what else to know of it, in whole sentences", "")
    commercial: bool | None = spec("whether commercial use is allowed; none: disputed or not stated", True)
    revision: str = spec("a commit, or main: whatever is newest", "main")
    kind: str = spec("of the repository", "model", choices=("model", "dataset"))
    default: bool = spec("got where no other of its kind is asked for", False)
    engine: str | None = spec("that it is for", None, choices=ENGINES)

    @property
    def size(self) -> int:
        """Bytes to download, about; what is not even estimated counts nothing."""
        return sum(each.size or each.about or 0 for each in self.files)

    @property
    def is_exact(self) -> bool:
        """Whether :attr:`size` is exact."""
        return all(each.size is not None for each in self.files)

    @property
    def is_pinned(self) -> bool:
        """Whether what is got today is what was got yesterday."""
        return self.revision != "main"

    @property
    def page(self) -> str:
        """Where people read about it."""
        return f"{HUB}/{'datasets/' if self.kind == 'dataset' else ''}{self.repository}"


def entry(id: str) -> Entry:  # noqa: A002 - what it is called in messages
    """The entry of this id. Raises LookupError, whose text lists the ids."""
    for each in CATALOGUE:
        if each.id == id:
            return each
    raise LookupError(f"No model is called {id!r}: the ids are {', '.join(each.id for each in CATALOGUE)}.")


def needed(engine: str) -> tuple[Entry, ...]:
    """The default entries without whose kinds an engine makes no take."""
    whats = ("transformer", "vae", "text_encoder") if engine == _RECAMMASTER else ()
    return tuple(each for each in default_set(engine) if each.what in whats)


def default_set(engine: str) -> tuple[Entry, ...]:
    """All that is best to have for an engine: what it needs, and what costs little beside it. All licences are free."""
    return tuple(each for each in CATALOGUE if each.default and each.engine == engine)


# What is published

_WAN = ("Wan-AI/Wan2.1-T2V-1.3B", "37ec512624d61f7aa208f7ea8140a131f93afc9a")
_COMFY = ("Comfy-Org/Wan_2.1_ComfyUI_repackaged", "617a7633e636506f850e043bc4605f290a466a8e")
_KIJAI = ("Kijai/WanVideo_comfy", "8260d429d19fd7a72304cad059160b95d843913f")
_SPIECE = File(
    path="google/umt5-xxl/spiece.model",
    size=4_548_313,
    sha256="e3909a67b780650b35cf529ac782ad2b6b26e6d1f849d3fbb6a872905f452458",
)
_REPACKED = "The repository that repacks it states no licence of its own: this is the authors'."
_PART_BYTES = 21_474_836_480
_ALL_PARTS_BYTES = 333_000_000_000  # "about 333 GB", say its authors, so the last of the 16 has less than the others

CATALOGUE: tuple[Entry, ...] = (
    Entry(
        id="recammaster",
        title="ReCamMaster 1.3B",
        purpose="The network that re-shoots footage, in sixteen bits.",
        what="transformer",
        repository=_KIJAI[0],
        revision=_KIJAI[1],
        # 1,490,420,800 weights of two bytes, as the published code makes them.
        files=(File(path="Wan2_1_kwai_recammaster_1_3B_step20000_bf16.safetensors", about=2_981_000_000),),
        licence="Apache-2.0",
        licence_note=_REPACKED,
        default=True,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="recammaster-published",
        title="ReCamMaster 1.3B, as published",
        purpose="The same network as its authors' own file, a pickle of PyTorch's; no better, and slower to open.",
        what="transformer",
        repository="KlingTeam/ReCamMaster-Wan2.1",
        revision="4f3f7391743dfd25067ab27e0f1eb8928d11b91d",
        # Of four bytes each, if it is as it was trained; of two it would be half.
        files=(File(path="step20000.ckpt", about=5_962_000_000),),
        licence="Apache-2.0",
        engine=_RECAMMASTER,
    ),
    Entry(
        id="vae",
        title="Wan 2.1's VAE",
        purpose="Turns footage into what the network works on, and back; in sixteen bits.",
        what="vae",
        repository=_COMFY[0],
        revision=_COMFY[1],
        files=(
            File(
                path="split_files/vae/wan_2.1_vae.safetensors",
                size=253_815_318,
                sha256="2fc39d31359a4b0a64f55876d8ff7fa8d780956ae2cb13463b0223e15148976b",
            ),
        ),
        licence="Apache-2.0",
        default=True,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="vae-published",
        title="Wan 2.1's VAE, as published",
        purpose="The same in float32, from Wan's authors.",
        what="vae",
        repository=_WAN[0],
        revision=_WAN[1],
        files=(
            File(
                path="Wan2.1_VAE.pth",
                size=507_609_880,
                sha256="38071ab59bd94681c686fa51d75a1968f64e470262043be31f7a094e442fd981",
            ),
        ),
        licence="Apache-2.0",
        engine=_RECAMMASTER,
    ),
    Entry(
        id="umt5",
        title="UMT5-XXL's text encoder, eight bits",
        purpose="Reads the prompt; its tokenizer is inside.",
        what="text_encoder",
        repository=_COMFY[0],
        revision=_COMFY[1],
        files=(
            File(
                path="split_files/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
                size=6_735_906_897,
                sha256="c3355d30191f1f066b26d93fba017ae9809dce6c627dda5f6a66eaa651204f68",
            ),
        ),
        licence="Apache-2.0",
        default=True,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="umt5-full",
        title="UMT5-XXL's text encoder, sixteen bits",
        purpose="Reads the prompt with all the digits that Wan's authors published; with its tokenizer.",
        what="text_encoder",
        repository=_WAN[0],
        revision=_WAN[1],
        files=(
            File(
                path="models_t5_umt5-xxl-enc-bf16.pth",
                size=11_361_920_418,
                sha256="7cace0da2b446bbbbc57d031ab6cf163a3d59b366da94e5afe36745b746fd81d",
            ),
            _SPIECE,
        ),
        licence="Apache-2.0",
        engine=_RECAMMASTER,
    ),
    Entry(
        id="tokenizer",
        title="UMT5's tokenizer",
        purpose="For a text encoder of your own that has none inside.",
        what="tokenizer",
        repository=_WAN[0],
        revision=_WAN[1],
        files=(_SPIECE,),
        licence="Apache-2.0",
        engine=_RECAMMASTER,
    ),
    Entry(
        id="preview",
        title="The tiny decoder taew2_1",
        purpose="Shows the take while it is made, for next to no time.",
        what="preview",
        repository=_KIJAI[0],
        revision=_KIJAI[1],
        # The same decoder in its author's own repository, which is not on this hub, has 22,642,902 bytes.
        files=(File(path="taew2_1.safetensors", about=22_700_000),),
        licence="MIT",
        licence_note=_REPACKED,
        default=True,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="lora-self-forcing",
        title="Self-Forcing, a LoRA of few steps",
        purpose="For quality draft: a take in four steps or so. Made for Wan's network, and untried on ReCamMaster's.",
        what="lora",
        repository=_KIJAI[0],
        revision=_KIJAI[1],
        files=(
            File(
                path="LoRAs/Wan2_1_self_forcing_1_3B/Wan2_1_self_forcing_dmd_1_3B_lora_rank_32_fp16.safetensors",
                about=91_233_416,
            ),
        ),
        licence="Apache-2.0 (disputed)",
        licence_note="Its authors' repository says Apache-2.0; some who pass it on say that it is for non-commercial "
        "use only (CC-BY-NC-SA-4.0). Ask before you earn money with it.",
        commercial=None,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="lora-causvid",
        title="CausVid, a LoRA of few steps",
        purpose="For quality draft: a take in four to twelve steps. Made for Wan's network, and untried on "
        "ReCamMaster's.",
        what="lora",
        repository=_KIJAI[0],
        revision=_KIJAI[1],
        files=(File(path="Wan21_CausVid_bidirect2_T2V_1_3B_lora_rank32.safetensors", about=91_233_416),),
        licence="CC-BY-NC-4.0",
        licence_note="Not for commercial use; whether that goes for what is made with it too is for you to find out.",
        commercial=False,
        engine=_RECAMMASTER,
    ),
    Entry(
        id="depth",
        title="Depth Anything V2, small",
        purpose="Tells how far away things are in footage that comes without depth. The larger ones are not for "
        "commercial use and are left out.",
        what="depth",
        repository="depth-anything/Depth-Anything-V2-Small-hf",
        revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
        files=(
            File(
                path="config.json",
                size=950,
                sha256="c56698d3643dde1f83ea2212759e6b31a22b8f827246a36dd007ee8a22b3ff75",
            ),
            File(
                path="preprocessor_config.json",
                size=775,
                sha256="d41175c0d889477ca8fc67191e540faef14baf6275157b3fdecf78469e6bbf84",
            ),
            File(
                path="model.safetensors",
                size=99_173_660,
                sha256="3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
            ),
        ),
        licence="Apache-2.0",
        engine="reproject",
    ),
    Entry(
        id="multicamvideo",
        title="MultiCamVideo, the published data set",
        purpose="136,000 rendered clips with their cameras, to train and to measure with; one archive in 16 parts.",
        what="data",
        kind="dataset",
        repository="KlingTeam/MultiCamVideo-Dataset",
        revision="4e7d995480cfa915f7c3721e616ed14789d87ff7",
        files=(
            *(File(path=f"MultiCamVideo-Dataset.parta{each}", about=_PART_BYTES) for each in "abcdefghijklmno"),
            File(path="MultiCamVideo-Dataset.partap", about=_ALL_PARTS_BYTES - 15 * _PART_BYTES),
        ),
        licence="Apache-2.0",
    ),
)
