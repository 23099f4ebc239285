"""The table of troubles: whole, current, and found again by what was shown."""

import re
import time
from pathlib import Path

import pytest

from backend import contract, troubles
from backend.environment import trouble as of_setup
from backend.media import reader
from backend.media.errors import FootageError
from samples import troubles as collected

ROOT = Path(__file__).resolve().parents[2]

ENTRIES = [entry for group in troubles.GROUPS for entry in group.entries]


@pytest.fixture(scope="module")
def said():
    return collected.messages()


def test_every_message_is_in_the_table(said):
    known = {message for entry in ENTRIES for message in entry.messages}
    lacking = [f"{said[text]}: {text}" for text in sorted(said.keys() - known - set(collected.NO_TROUBLE))]
    assert lacking == [], (
        "Put each into the entry of backend/troubles that helps (or a new one) and run `make schema`; what tells of no "
        "trouble goes into NO_TROUBLE of samples/troubles.py."
    )


def test_nothing_is_in_the_table_that_nobody_says(said):
    assert [each for entry in ENTRIES for each in entry.messages if each not in said] == []
    assert [each for each in collected.NO_TROUBLE if each not in said] == []


def test_no_message_is_in_two_entries():
    every = [message for entry in ENTRIES for message in entry.messages]
    assert len(every) == len(set(every))
    assert all(entry.messages for entry in ENTRIES)


def test_the_page_is_current():
    assert collected.PAGE.read_text(encoding="utf-8") == collected.page(), "run `make schema`"


def test_what_the_page_leads_to_is_there():
    text = collected.PAGE.read_text(encoding="utf-8")
    headings = [troubles.Entry(each, "", ()).anchor for each in re.findall(r"^##+ (.*)$", text, re.MULTILINE)]
    assert len(headings) == len(set(headings))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("http"):
            assert (collected.PAGE.parent / target.partition("#")[0]).exists(), target


def test_every_message_leads_to_its_entry():
    """Filled in with what is in no template."""
    for entry in ENTRIES:
        for message in entry.messages:
            shown = message.replace("…", "Qzx/17 'qzx'")
            if len(message.replace("…", "").strip()) >= 8:
                assert troubles.find(shown) == entry, message


def test_messages_as_they_come_are_found(tmp_path):
    with pytest.raises(contract.ContractError) as refused:
        contract.loads('{"version": 1, "footage": 5}')
    assert troubles.find(str(refused.value)).title == "A job that cannot be done as it stands"

    footage = contract.Footage(kind="movie", files=(str(tmp_path / "gone.mp4"),), frames=(0,), width=64, height=48)
    with pytest.raises(FootageError) as missing:
        reader.open_footage(footage)
    assert troubles.find(str(missing.value)).title == "A file of the strip is missing"

    full = of_setup.of_the_system(OSError(28, "No space left on device"), tmp_path)
    assert troubles.find(str(full)).title == "There is no room, or no permission"

    ended = (
        "The worker was ended by SIGKILL. Did the machine run out of memory? The end of its log (/x.log):\nTraceback"
    )
    assert troubles.find(ended).title == "There is not enough memory"


def test_other_texts_have_no_entry():
    for text in ("", "Ready: Reproject.", "81 frames, 24 fps", "Sampling 12/50"):
        assert troubles.find(text) is None, text


def test_a_redraw_may_ask():
    troubles.find("once, to read the table")
    begun = time.perf_counter()
    for number in range(50):
        troubles.find(f"Strip 'a {number}' is a sound strip: it has no pictures of its own.")
    assert (time.perf_counter() - begun) / 50 < 0.005


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('raise ReCamError("Nothing fits here")', "Nothing fits here"),
        ('raise FootageError(f"{path} is no {kind}: choose another.")', "… is no …: choose another."),
        ('raise ReCamError(tr("Strip {name!r} is gone.").format(name=1))', "Strip … is gone."),
        ('notes.append(f"The take is {n} frames late.")', "The take is … frames late."),
        ('raise SetupError("It is so "\n    f"that {n} words follow.", "disk")', "It is so that … words follow."),
    ],
)
def test_a_new_message_is_noticed(tmp_path, source, wanted):
    for package in ("backend", "recam_blender"):
        (tmp_path / package).mkdir()
    (tmp_path / "backend" / "new.py").write_text(f'"""A docstring. It is no message."""\n\n{source}\n')
    found = set(collected.messages(tmp_path)) - {"…: found …, expected …"}
    assert found == {wanted}
