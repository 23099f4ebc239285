"""Takes the pictures of docs/manual anew: `make pictures`. Those of docs/setup.md come from test_first_use.py.

<python> pictures.py FOLDER
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOOL = Path(os.environ.get("REAL_BLENDER", ROOT.parent / "shared" / "tools" / "real-blender"))
SCREEN = ("1600", "900")


def main(folder: Path) -> None:
    # Pictures for the manual show a user's folders.
    home = Path(tempfile.gettempdir()) / "ana"
    shutil.rmtree(home, ignore_errors=True)
    (home / "shots").mkdir(parents=True)
    taken = home / "taken"
    taken.mkdir()
    try:
        stage = subprocess.run(
            [os.environ["RECAM_BLENDER"], str(HERE / "stage.py"), str(home / "shots")],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        made = json.loads(stage.stdout.splitlines()[-1])
        start_up = ["--factory-startup", "--app-template", "Video_Editing", "--window-geometry", "0", "0", *SCREEN]
        drive = ["--python", str(HERE / "manual_drive.py"), "--", made["zip"], made["blend"], str(taken)]
        environment = os.environ | {"BLENDER_USER_RESOURCES": str(home / "blender"), "HOME": str(home)}
        if "--pseudo" in sys.argv:
            environment["RECAM_PSEUDO"] = str(write_pseudo(home / "pseudo.json"))
        subprocess.run([str(TOOL), "window", "blender", *start_up, *drive], env=environment, check=True, timeout=900)
        for each in taken.iterdir():
            shutil.copy(each, folder)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def write_pseudo(path: Path) -> Path:
    """Each of ReCam's texts, and what it is in that language."""
    sys.path.insert(0, str(ROOT))
    from samples import pseudo, texts

    path.write_text(json.dumps({each: pseudo.pseudo(each) for each in texts.collect().places}), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1]))
