"""From an empty profile and a zip to a take, by clicks alone; and what is told where no packages can be had.

With RECAM_PICTURES=docs/images the pictures for docs/setup.md are taken anew.
"""

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest
from conftest import TOOL, needs_blender

FIRST_USE = Path(__file__).with_name("first_use.py")

CLICKS, KEYS = 16, 1
"""From Blender's start to the take. Of the clicks, five are ReCam's: its tab, Allow Online Access, Install, Install in
the dialog, Re-shoot; the others are Blender's own, to close its splash and to install an add-on from a file."""

pytestmark = needs_blender


@pytest.fixture
def somebody(sample, tmp_path):
    """Environment variables for a user who has a home folder with the zip in Downloads, and nothing else of ReCam."""
    # Pictures for the manual show a user's folders, and no test's.
    place = Path(tempfile.gettempdir()) / "ana" if os.environ.get("RECAM_PICTURES") else tmp_path
    home = place / "home"
    for name in ("Desktop", "Documents", "Downloads", "Videos", "Pictures", "Music"):
        (home / name).mkdir(parents=True)
    shutil.copy(sample["zip"], home / "Downloads")
    own = ("RECAM_", "XDG_", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "VIRTUAL_ENV")
    yield {name: value for name, value in os.environ.items() if not name.startswith(own)} | {
        "HOME": str(home),
        "BLENDER_USER_RESOURCES": str(home / ".config" / "blender" / "5.2"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "NUMBA_CACHE_DIR": str(home / ".cache" / "numba"),
        # The system that Blender runs in has certificates of its own, and may not know who inspects this network.
        **dict.fromkeys(_CERTIFICATES, str(shutil.copy(certificates(), tmp_path / "certificates.crt"))),
    }
    shutil.rmtree(home, ignore_errors=True)  # half a gigabyte


_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def certificates():
    """The file of those that this machine trusts."""
    named = [os.environ[name] for name in _CERTIFICATES if name in os.environ]
    return [*named, ssl.get_default_verify_paths().cafile][0]


def why_no_packages():
    """Why the package index cannot be reached from here; nothing where it can."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    trusted = ssl.create_default_context(cafile=certificates())
    try:
        urllib.request.urlopen(f"{index}/pip/", timeout=20, context=trusted).close()
    except OSError as error:
        return f"the package index {index} cannot be reached: {error}"
    return ""


def played(sample, folder, environment, *options):
    folder.mkdir()
    if os.environ.get("RECAM_PICTURES"):
        options = (*options, "--pictures")
    session = [str(TOOL), "window", "python3", str(FIRST_USE), sample["blend"], str(folder), *options]
    done = subprocess.run(session, env=environment, capture_output=True, text=True, timeout=900, check=False)
    words = (folder / "blender.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stdout + done.stderr + words[-4000:]
    assert "Traceback" not in words
    assert "Python script error" not in words
    if pictures := os.environ.get("RECAM_PICTURES"):
        for each in folder.glob("setup_*"):
            shutil.copy(each, pictures)
    return json.loads(done.stdout.splitlines()[-1])


def test_from_an_empty_profile_and_a_zip_to_a_take_by_clicks(sample, somebody, tmp_path, capsys):
    if reason := why_no_packages():
        pytest.skip(reason)
    seen = played(sample, tmp_path / "pictures", somebody)

    with capsys.disabled():
        print("\nfirst use:", json.dumps({name: seen[name] for name in ("clicks", "keys", "minutes", "seconds")}))
    assert (seen["clicks"], seen["keys"]) == (CLICKS, KEYS)
    assert seen["end"]["strips"] == ["footage", "footage_Target_v001"]
    assert seen["end"]["recam"]["message"].startswith("Made "), seen["end"]
    assert (Path(sample["blend"]).parent / "recam" / "footage_Target_v001.mp4").stat().st_size > 10_000
    # All that was set up lies where it was said to, and Blender kept the one preference.
    (marker,) = Path(somebody["BLENDER_USER_RESOURCES"]).glob("extensions/.user/user_default/*/environment/pyvenv.cfg")
    assert marker.is_file()


def test_without_packages_the_reason_is_told(sample, somebody, tmp_path):
    # A port that nobody listens on.
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/opened"\n')
    opener.chmod(0o755)
    variables = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PATH": f"{opener.parent}:{os.environ['PATH']}"}
    seen = played(sample, tmp_path / "pictures", somebody | variables, "--broken")

    told = seen["end"]["recam"]
    assert told["environment"] == "unfinished"
    assert "There is no connection to the package index." in told["text"]
    assert "127.0.0.1:9" in told["text"]
    assert seen["end"]["clipboard"] == told["text"]
    log = Path((tmp_path / "opened").read_text(encoding="utf-8"))
    assert "No matching distribution found" in log.read_text(encoding="utf-8")
