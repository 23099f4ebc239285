"""What pip's lines mean: progress on the way, and causes in the end. The lines are pip's own, versions 23.2 to 26.3."""

from pathlib import Path

import pytest

from backend import environment
from backend.environment import pip

FOLDER = Path("/data/ReCam {0}/environment")


def heard(*lines, folder=FOLDER):
    told, said = [], []
    listener = pip.Listener(folder, told.append, said.append)
    for line in lines:
        listener.hear(line)
    return told, said, listener.received


def test_bytes_of_each_file_are_told_with_its_name():
    told, said, received = heard(
        "Collecting torch==2.13.0",
        "  Downloading torch-2.13.0-cp311-none-macosx_11_0_arm64.whl.metadata (31 kB)",
        "Downloading torch-2.13.0-cp311-none-macosx_11_0_arm64.whl (110.9 MB)",
        "Progress 0 of 110900000",
        "Progress 262144 of 110900000",
        "Progress 110900000 of 110900000",
        "Downloading https://files.example/cpu/opencv_python_headless-5.0.0.93-cp37-abi3-linux_x86_64.whl (54.0 MB)",
        "Progress 0 of 54000000",
        "Progress 54000000 of 54000000",
    )
    assert [(each.phase, each.step, each.total) for each in told] == [
        ("Looking for torch", 0, 0),
        ("Downloading torch", 0, 0),
        ("Downloading torch", 0, 110900000),
        ("Downloading torch", 262144, 110900000),
        ("Downloading torch", 110900000, 110900000),
        ("Downloading opencv_python_headless", 0, 0),
        ("Downloading opencv_python_headless", 0, 54000000),
        ("Downloading opencv_python_headless", 54000000, 54000000),
    ]
    assert {each.unit for each in told[1:]} == {"bytes"}
    assert received == 110900000 + 54000000
    assert not any(line.startswith("Progress") for line in said)


def test_a_transfer_that_goes_on_counts_once():
    _, _, received = heard(
        "Downloading torch-2.13.0-py3-none-any.whl (110.9 MB)",
        "Progress 0 of 1000",
        "Progress 600 of 1000",
        "WARNING: Connection interrupted while downloading.",
        "WARNING: Attempting to resume incomplete download (600 bytes/1.0 kB, attempt 1)",
        "Resuming download https://files.example/torch-2.13.0-py3-none-any.whl (600 bytes/1.0 kB)",
        "Progress 600 of 1000",
        "Progress 1000 of 1000",
    )
    assert received == 1000


@pytest.mark.parametrize("line", ["Progress 10 of 0", "Progress 10 of 5"])
def test_sizes_that_servers_do_not_know_or_get_wrong_break_nothing(line):
    told, _, _ = heard("Downloading a-1-py3-none-any.whl (1 MB)", line)
    assert told[-1].phase == "Downloading a"


def test_speed_and_time_left_are_of_what_was_received(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pip.time, "monotonic", lambda: now[0])
    told = []
    listener = pip.Listener(FOLDER, told.append)
    listener.hear("Downloading a-1-py3-none-any.whl (10 MB)")
    listener.hear("Progress 2000000 of 10000000")  # the first of it lay there already
    now[0] += 2.0
    listener.hear("Progress 6000000 of 10000000")
    assert told[-1].per_second == pytest.approx(2e6)
    assert told[-1].seconds_left == pytest.approx(2.0)


def test_packages_are_counted_as_they_arrive(tmp_path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    told = []
    listener = pip.Listener(tmp_path, told.append)
    listener.hear("Installing collected packages: numpy, OpenEXR, opencv-python-headless")
    for name in ("numpy-2.4.6", "openexr-3.5.3", "opencv_python_headless-5.0.0.93"):
        (packages / f"{name}.dist-info").mkdir()
        listener._looked = 0.0
        listener.tick()
    assert [each.step for each in told] == [0, 1, 2, 3]
    assert told[-1].total == 3


NEW_CONNECTION = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken "
    "by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a "
    "new connection: [Errno 101] Network is unreachable')': /simple/numpy/"
)
NOTHING_FOUND = (
    "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: none)",
    "ERROR: No matching distribution found for numpy==2.4.6",
)
OTHERS_FOUND = (
    "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: 1.26.4, 2.4.5)",
    "ERROR: No matching distribution found for numpy==2.4.6",
)


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        ((NEW_CONNECTION, *NOTHING_FOUND), "network", "no connection"),
        (
            (NEW_CONNECTION.replace("[Errno 101] Network is unreachable", "[Errno 11001] getaddrinfo failed"),),
            "network",
            "no connection",
        ),
        (
            ("  Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication Required')",),
            "network",
            "proxy",
        ),
        (
            ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))",),
            "network",
            "certificate",
        ),
        (("ReadTimeoutError(\"HTTPSConnectionPool(host='pypi.org', port=443): Read timed out.\")",), "network", "time"),
        (("ERROR: HTTP error 403 while getting https://pypi.org/files/a.whl",), "network", "error 403"),
        (
            ("ERROR: 503 Server Error: Service Unavailable for url: https://pypi.org/files/a.whl",),
            "network",
            "error 503",
        ),
        (("error: incomplete-download",), "network", "broke off"),
        (
            ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",),
            "disk",
            "disk is full",
        ),
        (("OSError: [WinError 112] There is not enough space on the disk",), "disk", "disk is full"),
        (
            (
                "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: 'C:\\\\...'",
                "HINT: This error might have occurred since this system does not have Windows Long Path support "
                "enabled. You can find information on how to enable this at https://pip.pypa.io/warnings/",
            ),
            "other",
            "too long",
        ),
        (
            ("PermissionError: [WinError 32] The process cannot access the file because it is being used by another",),
            "busy",
            "Another program",
        ),
        (
            ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/data/x'",),
            "other",
            "may not be written",
        ),
        (
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated",),
            "packages",
            "not what the index says",
        ),
        (NOTHING_FOUND, "packages", "no numpy==2.4.6 at all"),
        (OTHERS_FOUND, "packages", "but others"),
        (("ERROR: ResolutionImpossible: for help visit https://pip.pypa.io",), "packages", "do not fit together"),
        (("something that pip never said before",), "packages", "last lines"),
        ((), "packages", "last lines"),
    ],
)
def test_causes(lines, kind, words):
    found, sentence = pip.diagnosis(["Looking in indexes: https://pypi.org/simple", *lines], FOLDER)
    assert (found, words in sentence) == (kind, True), sentence
    assert "{" not in sentence.replace(str(FOLDER), "")


def test_newer_pips_do_not_say_that_it_is_the_proxy_which_is_not_there(monkeypatch):
    line = NEW_CONNECTION.replace(
        "<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>", "host='{}', port=80"
    )
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "no connection" in pip.diagnosis([line.format("proxy.example")], FOLDER)[1]
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:80")
    assert "proxy refused" in pip.diagnosis([line.format("proxy.example")], FOLDER)[1]
    assert "no connection" in pip.diagnosis([line.format("pypi.org")], FOLDER)[1]


def test_what_every_setting_of_the_users_is_for(monkeypatch, tmp_path):
    for name in ("INDEX_URL", "TARGET", "CERT", "PROXY", "USER"):
        monkeypatch.setenv(f"PIP_{name}", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    variables = pip.variables(tmp_path)
    assert {each for each in variables if each.startswith("PIP_")} >= {"PIP_INDEX_URL", "PIP_CERT", "PIP_PROXY"}
    assert not {"PIP_TARGET", "PIP_USER"} & variables.keys()
    assert variables["HTTPS_PROXY"] == "http://proxy"
    assert variables["TMPDIR"] == variables["TEMP"] == str(tmp_path)
    offline = pip.variables(tmp_path, wheels="/wheels")
    assert [each for each in offline if each.startswith("PIP_")] == ["PIP_CONFIG_FILE"]


def test_what_is_asked_of_pip(tmp_path):
    (tmp_path / "lib" / "python3.11" / "site-packages" / "pip-23.2.1.dist-info").mkdir(parents=True)
    command = pip.command(tmp_path, ["torch==2+cu9"], indexes=["https://torch.example/cu9"])
    assert command[0] == str(environment.interpreter(tmp_path))
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[command.index("--progress-bar") + 1] == "off"
    assert command[-2:] == ["--extra-index-url=https://torch.example/cu9", "torch==2+cu9"]
    offline = pip.command(tmp_path, ["a==1"], wheels="/my wheels", indexes=["https://torch.example/cu9"])
    assert offline[-4:] == ["--no-index", "--find-links", "/my wheels", "a==1"]
