"""Which build of torch is chosen: on tables of machines, and asked of programs and folders that stand in for one."""

import json
import os
import shlex
import shutil
import time

import pytest

from backend.environment import builds, marker, sizes
from backend.environment.builds import Gpu, Machine, choose
from backend.environment.errors import SetupError

LINUX, ARM, WINDOWS, MAC = "linux-x86_64", "linux-aarch64", "win-amd64", "macosx-arm64"
GTX_1080 = "NVIDIA GeForce GTX 1080", (6, 1)
RTX_2080 = "NVIDIA GeForce RTX 2080", (7, 5)
RTX_4090 = "NVIDIA GeForce RTX 4090", (8, 9)
RTX_5090 = "NVIDIA GeForce RTX 5090", (12, 0)
H200 = "NVIDIA H200", (9, 0)
SPARK = "NVIDIA GB10", (12, 1)
GT_710 = "NVIDIA GeForce GT 710", (3, 5)
posix = pytest.mark.skipif(os.name == "nt", reason="a script stands in for nvidia-smi")


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    for name in ("RECAM_TORCH_INDEX", "HSA_OVERRIDE_GFX_VERSION"):
        monkeypatch.delenv(name, raising=False)


def machine(platform, *cards, driver="580.95.05", **other):
    return Machine(platform, tuple(Gpu(name, capability, driver) for name, capability in cards), **other)


# By what PyTorch's tables and NVIDIA's say: CUDA 13 has kernels from 7.5 on and needs driver 580; CUDA 12.6 has them
# from 5.0 to 9.0 and needs 525.60.13 (Linux) or 528.33 (Windows).
@pytest.mark.parametrize(
    ("here", "name"),
    [
        (machine(LINUX, RTX_4090), "cu130"),
        (machine(LINUX, RTX_2080, driver="580.65.06"), "cu130"),
        (machine(LINUX, RTX_4090, driver="579.99"), "cu126"),
        (machine(LINUX, RTX_4090, driver="550.54.14"), "cu126"),
        (machine(LINUX, RTX_4090, driver="525.60.13"), "cu126"),
        (machine(LINUX, H200, driver="535.129.03"), "cu126"),
        (machine(LINUX, GTX_1080), "cu126"),
        (machine(LINUX, RTX_5090), "cu130"),
        (machine(WINDOWS, RTX_5090, driver="591.44"), "cu130"),
        (machine(WINDOWS, RTX_4090, driver="560.94"), "cu126"),
        (machine(WINDOWS, RTX_4090, driver="528.33"), "cu126"),
        (machine(ARM, SPARK), "cu130"),
        (machine(LINUX, RTX_4090, GTX_1080), "cu126"),  # which serves both
        (machine(LINUX, GTX_1080, RTX_5090), "cu130"),  # none serves both: the better one counts
        (machine(LINUX, RTX_4090, GT_710), "cu130"),
        (machine(LINUX, GT_710), "cpu"),
        (machine(LINUX, RTX_4090, amd=("gfx1036",)), "cu130"),
        (machine(LINUX, amd=("gfx1201",)), "rocm7.2"),
        (machine(LINUX, amd=("gfx1036", "gfx1100")), "rocm7.2"),
        (machine(LINUX, amd=("gfx1036",)), "cpu"),
        (machine(ARM, amd=("gfx942",)), "cpu"),
        (machine(LINUX), "cpu"),
        (machine(ARM), "cpu"),
        (machine(WINDOWS), "cpu"),
        (machine(MAC), "mps"),
    ],
)
def test_choice_by_gpu_and_driver(here, name):
    build = choose(machine=here)
    assert build.name == name
    assert build.reason.endswith(".")
    assert (build.download, build.disk) == sizes.TORCH[here.platform, name]


@pytest.mark.parametrize(
    ("here", "driver"),
    [
        (machine(LINUX, RTX_5090, driver="570.86.15"), "580"),
        (machine(WINDOWS, RTX_5090, driver="576.88"), "580"),
        (machine(LINUX, RTX_4090, driver="470.256.02"), "525.60.13"),
        (machine(LINUX, RTX_4090, driver="525.60.12"), "525.60.13"),
        (machine(WINDOWS, RTX_4090, driver="528.24"), "528.33"),
        (machine(WINDOWS, GTX_1080, driver="472.12"), "528.33"),
        (machine(LINUX, GTX_1080, RTX_5090, driver="570.86.15"), "580"),
    ],
)
def test_a_driver_that_is_too_old_is_told_and_not_passed_over(here, driver):
    with pytest.raises(SetupError) as caught:
        choose(machine=here)
    assert f"needs {driver} or later: update the driver" in str(caught.value)
    assert here.nvidia[-1].driver in str(caught.value)
    assert choose("cpu", machine=here).name == "cpu"


def test_reasons_say_what_could_be_had_and_what_is_left_out():
    old_driver = choose(machine=machine(LINUX, RTX_4090, driver="550.54.14")).reason
    assert old_driver == (
        "NVIDIA GeForce RTX 4090 with driver 550.54.14 runs CUDA 12.6. CUDA 13.0 would need driver 580 or later."
    )
    assert "CUDA 13.0 is not made for NVIDIA GeForce GTX 1080." in choose(machine=machine(LINUX, GTX_1080)).reason
    both = choose(machine=machine(LINUX, GTX_1080, RTX_5090)).reason
    assert both.endswith("No build runs on NVIDIA GeForce GTX 1080 as well.")
    assert "gfx1036" in choose(machine=machine(LINUX, amd=("gfx1036",))).reason
    assert choose(machine=machine(LINUX, remark="The driver sleeps.")).reason == "The driver sleeps."


def test_pips_own_index_is_used_where_it_has_the_build(monkeypatch):
    def asked(platform, name):
        build = choose(name, machine=machine(platform))
        return build.requirement.partition("==")[2], build.index

    version, index = builds.VERSION, "https://download.pytorch.org/whl"
    assert asked(LINUX, "cu130") == asked(WINDOWS, "cpu") == asked(MAC, "mps") == (version, "")
    assert asked(LINUX, "cpu") == (f"{version}+cpu", f"{index}/cpu")
    assert asked(WINDOWS, "cu130") == (f"{version}+cu130", f"{index}/cu130")
    assert asked(LINUX, "rocm7.2") == (f"{version}+rocm7.2", f"{index}/rocm7.2")
    monkeypatch.setenv("RECAM_TORCH_INDEX", "https://mirror.example/pytorch/")
    assert asked(WINDOWS, "cu126") == (f"{version}+cu126", "https://mirror.example/pytorch/cu126")
    assert asked(LINUX, "cu130") == (version, "")


def test_an_unknown_build_is_refused_with_those_there_are():
    with pytest.raises(
        SetupError, match=r"cu118 is no build of torch .*: choose auto, cpu, cu126, cu130, cu132 or roc"
    ):
        choose("cu118", machine=machine(LINUX))
    with pytest.raises(SetupError, match=r"rocm7\.2 is no build .*: choose auto, cpu, cu126, cu130 or cu132"):
        choose("rocm7.2", machine=machine(WINDOWS))
    with pytest.raises(SetupError, match="choose auto, mps"):
        choose("cu130", machine=machine(MAC))
    assert choose("cpu", machine=machine(MAC)).name == "mps"


def test_tables_are_of_the_torch_that_is_pinned():
    """Another version has other builds, drivers and sizes: whoever changes the pin looks these up anew."""
    assert f"torch=={builds.VERSION}" in marker.pins_of("recammaster")
    assert {(platform, name) for platform, names in builds.NAMES.items() for name in names} <= set(sizes.TORCH)
    for table in (sizes.REPROJECT, sizes.RECAMMASTER):
        assert table.keys() == builds.NAMES.keys()


@pytest.mark.parametrize(
    ("system", "processor", "platform"),
    [
        ("Linux", "x86_64", LINUX),
        ("Linux", "aarch64", ARM),
        ("Linux", "riscv64", ""),
        ("Windows", "AMD64", WINDOWS),
        ("Windows", "ARM64", WINDOWS),
        ("Darwin", "arm64", MAC),
        ("FreeBSD", "amd64", ""),
    ],
)
def test_platforms(system, processor, platform):
    assert builds.platform_of(system, processor) == platform


@pytest.mark.parametrize(("translated", "platform"), [("1\n", MAC), ("", "")])
def test_intels_macs_are_told_from_those_that_pretend(monkeypatch, translated, platform):
    monkeypatch.setattr(builds, "_told", lambda command: translated)
    monkeypatch.setattr(builds.platforms, "system", lambda: "Darwin")
    monkeypatch.setattr(builds.platforms, "machine", lambda: "x86_64")
    assert builds.look().platform == platform
    if not platform:
        with pytest.raises(SetupError, match="Macs with Intel's processors"):
            choose()


# What the machine is asked


@pytest.fixture
def bare(monkeypatch, folder):
    """A machine without GPUs, of which a test may add some."""
    monkeypatch.setattr(builds.platforms, "system", lambda: "Linux")
    monkeypatch.setattr(builds.platforms, "machine", lambda: "x86_64")
    monkeypatch.setattr(builds, "KFD", folder / "nodes")
    monkeypatch.setattr(builds, "_without_driver", lambda: "")
    which = shutil.which
    # the script needs programs of the system's, but the system's own nvidia-smi may answer too
    monkeypatch.setattr(builds.shutil, "which", lambda name: which(name, path=str(folder / "bin")))
    monkeypatch.setattr(builds, "_PLACES", ())
    monkeypatch.setattr(builds, "_TIMEOUT", 30.0)  # of a machine that is busy with other tests
    (folder / "bin").mkdir()
    return folder


def nvidia_smi(folder, program):
    path = folder / "bin" / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)


@posix
def test_nvidia_smi_is_asked_once_for_all(bare):
    nvidia_smi(
        bare,
        f'echo "$@" > {shlex.quote(str(bare / "asked"))}\n'
        'echo "NVIDIA GeForce RTX 4090, 8.9, 580.95.05"\necho "Tesla P40, Inc., 6.1, 580.95.05"',
    )
    found = builds.look()
    assert found.nvidia == (Gpu(*RTX_4090, "580.95.05"), Gpu("Tesla P40, Inc.", (6, 1), "580.95.05"))
    assert choose().name == "cu126"
    asked = (bare / "asked").read_text().split()
    assert asked == ["--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]


@posix
@pytest.mark.parametrize(
    ("program", "remark"),
    [
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "version mismatch"),
        ("echo 'No devices were found'; exit 6", "No devices were found"),
        ("echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2", "not a valid field"),
        ("echo '[N/A], [N/A], [N/A]'", "[N/A]"),
        ("printf '\\377\\376 nonsense'", "nonsense"),
        ("true", "says ''"),
        ("exec sleep 60", "gave no answer"),
    ],
)
def test_a_driver_that_does_not_answer_is_no_gpu_and_said(bare, monkeypatch, program, remark):
    nvidia_smi(bare, program)
    if "sleep" in program:
        monkeypatch.setattr(builds, "_TIMEOUT", 0.5)
    began = time.monotonic()
    build = choose()
    assert build.name == "cpu"
    assert remark in build.reason
    assert time.monotonic() - began < 30


def kfd(folder, *versions):
    for index, version in enumerate(versions):
        node = folder / "nodes" / str(index)
        node.mkdir(parents=True)
        (node / "properties").write_text(f"cpu_cores_count 0\nsimd_count 96\ngfx_target_version {version}\nwidth 1\n")


@posix
@pytest.mark.parametrize(
    ("version", "kind"),
    [
        (90010, "gfx90a"),
        (90402, "gfx942"),
        (90500, "gfx950"),
        (100300, "gfx1030"),
        (100306, "gfx1036"),
        (110001, "gfx1101"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
    ],
)
def test_amds_gpus_are_read_off_the_kernel(bare, version, kind):
    kfd(bare, 0, version)
    assert builds.look().amd == (kind,)


@posix
def test_one_kind_of_amds_may_pass_for_another(bare, monkeypatch):
    kfd(bare, 0, 100302)
    assert choose().name == "cpu"
    monkeypatch.setenv("HSA_OVERRIDE_GFX_VERSION", "10.3.0")
    assert builds.look().amd == ("gfx1030",)
    assert choose().name == "rocm7.2"


@posix
def test_what_the_kernel_tells_may_be_anything(bare):
    kfd(bare, 0, "nonsense", 110000)
    (bare / "nodes" / "9").mkdir()
    (bare / "nodes" / "9" / "properties").write_bytes(b"\xff\xfe")
    assert builds.look().amd == ("gfx1100",)


# From a folder of wheels


def wheels(folder, *locals_):
    for local in locals_:
        (folder / f"torch-{builds.VERSION}{local}-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (folder / "torchvision-0.28.0-cp311-cp311-win_amd64.whl").touch()
    (folder / f"torch-1.0{'+cu100'}-cp311-cp311-win_amd64.whl").touch()


@pytest.mark.parametrize(
    ("local", "name", "requirement"),
    [("+cpu", "cpu", "+cpu"), ("+rocm7.2", "rocm7.2", "+rocm7.2"), ("", "cu130", "")],
)
def test_what_lies_in_the_folder_is_the_build(folder, local, name, requirement):
    wheels(folder, local)
    build = choose(wheels=str(folder), machine=machine(LINUX, RTX_5090, driver="470.1"))
    assert (build.name, build.requirement) == (name, f"torch=={builds.VERSION}{requirement}")
    assert (build.index, build.download) == ("", 0)


def test_a_build_that_does_not_lie_there_is_told(folder):
    wheels(folder, "+cpu", "+cu126")
    assert choose("cu126", wheels=str(folder), machine=machine(LINUX)).name == "cu126"
    with pytest.raises(SetupError, match=r"no wheel of torch [\d.]+\+cu130: it has cpu or cu126"):
        choose("cu130", wheels=str(folder), machine=machine(LINUX))
    (folder / "empty").mkdir()
    with pytest.raises(SetupError, match="it has none") as caught:
        choose(wheels=str(folder / "empty"), machine=machine(LINUX))
    assert caught.value.kind == "packages"
    with pytest.raises(SetupError, match="cannot be read"):
        choose(wheels=str(folder / "nowhere"), machine=machine(LINUX))


def test_sizes_add_up():
    def of(**parts):
        return sizes.of_set_up(LINUX, **{"bare": False, "reproject": False, "recammaster": False} | parts)

    assert of() == (0, 0)
    torch = sizes.TORCH[LINUX, "cu130"]
    alone, whole = of(bare=True, reproject=True), of(bare=True, reproject=True, recammaster=True, torch=torch)
    assert whole.download == alone.download + sizes.RECAMMASTER[LINUX].download + torch.download
    # measured: 578 MB and, for processors, 1739 MB stay; while pip unpacks, what it downloaded lies there too
    assert alone.disk > 578e6 + 175e6
    assert of(bare=True, reproject=True, recammaster=True, torch=sizes.TORCH[LINUX, "cpu"]).disk > 1739e6 + 400e6
    assert whole.disk < 12e9
    assert json.dumps(alone)
