"""What ReCam can say when something is wrong, found in its sources; and the page that is written from the table of it.

``python -m samples.troubles`` writes docs/troubleshooting.md from backend/troubles, and tells which messages of the
sources the table lacks, and which it has in vain. Tests hold both.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from backend import troubles

ROOT = Path(__file__).resolve().parents[1]

PAGE = ROOT / troubles.PAGE

_COLUMNS = 120

# What every refusal of the contract looks like, however it is put together there.
_CONTRACT = "…: found …, expected …"

ERRORS = re.compile(r"(Error|Failed|NotWorking|Unreadable|Refused|Cut|Lacking|complaint|_in_the_way|_unknown)$")
"""The classes and functions whose first argument is shown to a user as it stands."""

# What has a field, what was found and what was expected is one message: that of the contract.
_OTHER = {"ContractError", "ValueError", "TypeError", "OSError", "PermissionError", "KeyError"}
_OTHER |= {
    "RuntimeError",
    "FileExistsError",
    "FileNotFoundError",
    "AttributeError",
    "NotImplementedError",
    "StuckError",
}
_OTHER |= {"CalledProcessError", "ImportError", "MemoryError", "AssertionError", "UnicodeDecodeError", "EOFError"}

# Arguments of calls that are documentation, or no trouble.
_QUIET = {"help", "description", "purpose", "licence_note", "epilog", "doc", "about", "title", "name"}
_QUIET_CALLS = {"spec", "File"}
_MARKS = {"tr", "later", "plural"}

NO_TROUBLE = (
    "no frame … in a clip of …",  # who asks for it has a fault of its own
    "Freeze Time...",
    "Go Closer...",
    "Go Wider...",
    "Held for … frames.",
    "Lock Off...",
    "Take of …, with the footage in its middle as it is, ….",
    "Take of …, with the footage in its middle at ….",
    "The path is made from the footage's own camera, which starts where this one does.",
    "The path is made from the source camera's: of this one, only the lens may count.",
    "As the source camera has it.",
    "Depth is estimated by the network in … on …, and scaled so that the subject is … m away.",
    "the take was interrupted. …",
    "Made camera … from ….",
    "Made camera … in scene ….",
    "Made cameras … from ….",
    "Made the text …: open a Text Editor and choose it there to write the prompt.",
    "Move … and its record to the trash?",
    "Move …, its mask and its record to the trash?",
    "Moved … to the trash.",
    "Nothing would be invented.",
    "Remove the strip …?",
    "Removed the strip …. Its files are where they were.",
    "Takes are the results: each is a strip above its footage, and is listed here.",
    "The worker has ended, and its memory is free.",
    "There is nothing to explain by the name ….",
    "Undo brings back the strip, but not its files: those are put back from the trash.",
    "A Python of your own is used: …",
    "A small take shows whether what is installed works; else it is made anew.",
    "AMD's GPU (…) runs ROCm ….",
    "Camera … looks at ….",
    "Deleted 1 file.",
    "Found 1 model that can be used.",
    "Found nothing that is not in use already.",
    "Found … models that can be used.",
    "It is the build for Apple's GPUs.",
    "It lies in the folder of wheels.",
    "It was asked for.",
    "Networks run on ….",
    "Not there: …",
    "Open a 3D view to see it.",
    "Re-shoot footage in .blend files. The .blend files are read, never written.",
    "Scene … is now … x …, the shape of the footage.",
    "Scene … now runs at … fps, as the edit does.",
    "Switch this window to scene … to see it.",
    "Taken away from ….",
    "The build for Apple's GPUs is the one for its processors as well.",
    (
        "The camera moves: … % of the frames were placed, to … pixels (of a frame 832 wide), with points seen from "
        "directions …° apart; it travels … times its subject's distance."
    ),
    "The camera only turns, by up to …°, and does not travel: ….",
    "The camera stands still: ….",
    "The last lines were:",
    "The repository that repacks it states no licence of its own: this is the authors'.",
    "The other backgrounds of … are shown again, too.",
    "This adds it, typed in a shell: …",
    "This folder and all in it will be deleted: …",
    "This view looks through …, its local camera; the scene's camera is still ….",
    "Used where it lies: 1 model.",
    "Used where they lie: … models.",
    "Used where they lie: ….",
    "Wrote … frames to ….",
    "no JSON: …",  # ends a sentence of the contract's
    "torch for …: …",
    "used where it lies: …",
    "“…” is now …, ….",
    "… Its last lines were:",
    "… is now the source camera.",
    "… does not start: …",  # in the log of set-up
    "… is Python … and has what it takes for …, on ….",
    "… is Python … and has what it takes for ….",
    "… is not added: …",
    "… lacks … for …; add them with: …",
    "… s, … on disk; log: …",
    "… with driver … runs ….",
)
"""What tells that all is well, answers a question, or introduces another message."""

_FIELD = re.compile(r"\{[^{}]*\}")
_SENTENCE = re.compile(r".*[^\W\d_]{2,}.* .*([.?:]|[.:] …)", re.DOTALL)


def messages(root: Path = ROOT) -> dict[str, str]:
    """All messages as templates with fields in braces, by what identifies them, each with the file it stands in."""
    found = {_CONTRACT: "backend/messages.py"}
    for package in ("backend", "recam_blender"):
        for path in sorted((root / package).rglob("*.py")):
            place = path.relative_to(root).as_posix()
            if not place.startswith("backend/troubles/"):
                for text in _of(ast.parse(path.read_text(encoding="utf-8"))):
                    found.setdefault(text, place)
    return found


def normal(template: str) -> str:
    """A template as the table has it: each field, or several in a row, is an ellipsis."""
    return re.sub(r"…(\s*…)+", "…", _FIELD.sub("…", template)).strip()


def _of(tree: ast.Module) -> Iterator[str]:
    quiet = set(_quiet(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ERRORS.search(_name_of(node)) and _name_of(node) not in _OTHER:
            for each in node.args[:1]:
                for part in _parts(each):
                    quiet |= {id(inner) for inner in ast.walk(part)}
                    yield from _told(part)
    for node in ast.walk(tree):
        if id(node) not in quiet and isinstance(node, ast.Constant | ast.JoinedStr):
            quiet |= {id(each) for each in ast.walk(node)} if isinstance(node, ast.JoinedStr) else set()
            for text in _told(node):
                if _SENTENCE.fullmatch(text) and "\n" not in text:
                    yield text


def _told(node: ast.AST) -> Iterator[str]:
    text = _template(node)
    if text and re.search(r"[^\W\d_]{2,}[^{}]* [^{}]*[^\W\d_]{2,}", text):
        yield normal(text)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """The literals that an argument is chosen from, or put together of."""
    if isinstance(node, ast.IfExp):
        yield from _parts(node.body)
        yield from _parts(node.orelse)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from _parts(node.func.value)
    elif isinstance(node, ast.Call) and _name_of(node) in _MARKS:
        for each in node.args:
            yield from _parts(each)
    elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
        yield node


def _template(node: ast.AST) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_template(node.left) or "{}") + (_template(node.right) or "{}")
    if isinstance(node, ast.Constant):
        return _FIELD.sub("{}", node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return ""


def _quiet(tree: ast.Module) -> Iterator[int]:
    """Documentation, parts of a text that is looked at whole, and arguments that are no messages."""
    for node in ast.walk(tree):
        silent: list[ast.AST] = []
        if isinstance(node, ast.Expr):
            silent = [node.value]
        elif isinstance(node, ast.JoinedStr):
            silent = list(node.values)
        elif isinstance(node, ast.keyword) and node.arg in _QUIET:
            silent = [node.value]
        elif isinstance(node, ast.Call) and (_name_of(node) in _QUIET_CALLS or _name_of(node) in _OTHER):
            silent = [*node.args]
        elif isinstance(node, ast.ClassDef):
            silent = [each.annotation for each in node.body if isinstance(each, ast.AnnAssign)]
        for each in silent:
            if not (isinstance(node, ast.Expr) and not isinstance(each, ast.Constant)):
                yield from (id(part) for part in ast.walk(each))


def _name_of(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


# The page


_HEAD = """# Troubleshooting

What ReCam says when something is in the way, what that means, and what to do where the sentence does not say all. An
ellipsis (…) stands for what differs: a name, a path, a number. Search this page for a few words of the message.

Messages stand in the panel, in the preferences and in Blender's status bar; Blender's Info editor keeps those that
have gone. From a shell they come on stderr. Who reports a defect is asked for the whole message, and for the log where
one is named.
"""


def page() -> str:
    """The page as Markdown."""
    contents = [
        line
        for group in troubles.GROUPS
        for line in (
            f"- [{group.title}](#{troubles.Entry(group.title, '', ()).anchor})",
            *(f"  - [{each.title}](#{each.anchor})" for each in group.entries),
        )
    ]
    parts = [_HEAD, "\n".join(contents) + "\n"]
    for group in troubles.GROUPS:
        parts += [f"## {group.title}\n", *_paragraph(group.text)]
        for each in group.entries:
            told = "\n".join(_wrapped(f"- {_plain(message)}", "  ") for message in each.messages)
            parts += [f"### {each.title}\n", *_paragraph(each.text), f"{told}\n"]
    note = "<!-- Written by `make schema` from backend/troubles. -->\n"
    return "\n".join([*parts, note])


def _paragraph(text: str) -> list[str]:
    return [f"{_wrapped(text)}\n"] if text else []


def _wrapped(text: str, indent: str = "") -> str:
    lines = textwrap.wrap(text, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _plain(message: str) -> str:
    """A message in Markdown, which shows it as it stands."""
    escaped = re.sub(r"([*<|\[\]\\])", r"\\\1", message) if "`" not in message else message
    return escaped.replace("\n", " ")


def main() -> int:
    """Write the page; tell which messages are missing in the table, and which are there in vain."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    said = messages()
    known = {each for group in troubles.GROUPS for entry in group.entries for each in entry.messages}
    for text in sorted(said.keys() - known - set(NO_TROUBLE)):
        sys.stderr.write(f"not in backend/troubles: {said[text]}: {text!r}\n")
    for text in sorted(known - said.keys()):
        sys.stderr.write(f"nobody says any more: {text!r}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
