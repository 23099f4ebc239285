"""A user at a real Blender that measures itself (latency.py): clicks Re-shoot once for each of its cases.

    python3 latency_session.py ZIP BLEND FOLDER

What was measured is the last line on standard output, as JSON: one entry per case.
"""

import json
import sys
from pathlib import Path

from user import SCREEN, START_UP, User

ZIP, BLEND, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])

START_SECONDS, TAKE_SECONDS = 90, 400


def main():
    start_up = ["--factory-startup", "--app-template", "Video_Editing", *START_UP]
    script = str(Path(__file__).with_name("latency.py"))
    told = str(FOLDER / "state.jsonl")
    user = User(FOLDER, [*start_up, "--python", script, "--", ZIP, BLEND, told, str(SCREEN[1])])
    measured = {}
    try:
        while True:
            state = user.wait_for("case", START_SECONDS, lambda state: "waiting" in state or "done" in state)
            if "done" in state:
                break
            (button,) = user.find("Re-shoot", lambda state=state: user.bars(state["panel"], least=(150, 26)))
            user.press(button)
            case = state["waiting"]
            ended = lambda state, case=case: state.get("case") == case or state.get("waiting") != case  # noqa: E731
            user.wait_for(f"end of the case {case}", TAKE_SECONDS, ended)
            user.picture(f"latency_{case}")
    finally:
        user.close()
    for line in (FOLDER / "state.jsonl").read_text(encoding="utf-8").splitlines():
        state = json.loads(line)
        if "case" in state:
            measured[state["case"]] = state
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
