"""All texts of the add-on that a user reads, found in its sources: ``python -m samples.texts`` writes the template.

Blender's own script for this asks the classes that are registered. This one reads the sources, so that the template
does not depend on the system and the Blender that made it; tests hold it against the registered classes.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TEMPLATE = ROOT / "docs" / "recam.pot"

MARKS = ("tr", "later", "plural")
"""The functions of recam_blender/texts.py whose literal arguments are texts."""

# Keywords of Blender's own calls that Blender translates.
_PROPERTY = ("name", "description")
_LAYOUT = ("text", "heading", "title", "confirm_text", "message")
_SHOWN = ("bl_label", "bl_description", "bl_category")
# Positions of texts in calls of Blender's.
_PLACES = {"poll_message_set": 0, "report": 1}

# Of the backend, what Blender's side translates when it shows it.
_BACKEND = {"Progress": ("phase",), "Entry": ("title", "purpose", "licence_note")}
_PHASES = ("phase", "report", "_report")

_WORDS = re.compile(r"[^\W\d_]{2,}[,;:.]? [^\W\d_]{2,}")


@dataclass
class Texts:
    """What was found.

    Attributes:
        places: for each text the files that it stands in, as paths from the root.
        unmarked: literals of several words that nobody translates, as (file, line, text).
    """

    places: dict[str, set[str]] = field(default_factory=dict)
    unmarked: list[tuple[str, int, str]] = field(default_factory=list)


def collect(root: Path = ROOT) -> Texts:
    """Read all sources of the add-on, and of the backend what names progress and models."""
    found = Texts()
    for path in sorted((root / "recam_blender").rglob("*.py")):
        _read(path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8")), found)
    for path in sorted((root / "backend").rglob("*.py")):
        if path.parent.name == "troubles":  # a page of the manual
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text in _of_backend(tree):
            found.places.setdefault(text, set()).add(path.relative_to(root).as_posix())
    return found


def template(found: Texts) -> str:
    """What translators start from: a .pot file of gettext's."""
    head = (
        "# The texts of ReCam, for translators: docs/development.md says what to do with this file.\n"
        "# Written by `make texts`.\n"
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    )
    return "\n".join([head, *map(_entry, sorted(found.places.items()))])


def placeholders(text: str) -> list[str]:
    """The fields of a template for ``str.format``, sorted: a translation must have the same."""
    return sorted(re.findall(r"(?<!\{)\{([^{}]*)\}", text))


def _entry(each: tuple[str, set[str]]) -> str:
    text, places = each
    mark = "#, python-brace-format\n" if placeholders(text) else ""
    return "".join(f"#: {place}\n" for place in sorted(places)) + f'{mark}msgid {_quoted(text)}\nmsgstr ""\n'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


# Reading


def _read(place: str, tree: ast.Module, found: Texts) -> None:
    marked = {id(each) for each in _docstrings(tree)}
    shown = [each for node in ast.walk(tree) for each in _shown_by(node, tree)]
    for each in (*shown, *_by_name(tree)):
        marked.add(id(each))
        if each.value.strip():
            found.places.setdefault(each.value, set()).add(place)
    for node in ast.walk(tree):
        text = _literal(node)
        if text is not None and id(node) not in marked and not _inside_marked(node, marked) and _WORDS.search(text):
            found.unmarked.append((place, node.lineno, text))  # type: ignore[attr-defined]
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    lines = {(place, node.lineno, node.value) for node in ast.walk(tree) if id(node) in inner and _is_text(node)}
    found.unmarked = [each for each in found.unmarked if each not in lines]


def _inside_marked(node: ast.AST, marked: set[int]) -> bool:
    return isinstance(node, ast.JoinedStr) and all(id(each) in marked for each in node.values)


def _literal(node: ast.AST) -> str | None:
    if _is_text(node):
        return node.value  # type: ignore[attr-defined, no-any-return]
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
    return None


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Texts that stand alone as statements: docstrings, and notes below constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            yield node.value  # type: ignore[misc]


def _shown_by(node: ast.AST, tree: ast.Module) -> Iterator[ast.Constant]:
    """The texts that this node has Blender or ``tr`` show."""
    if isinstance(node, ast.ClassDef):
        yield from _of_class(node)
    if not isinstance(node, ast.Call):
        return
    name = _name_of(node)
    if name in MARKS:
        for each in node.args:
            yield from _either(each)
    elif name in _PLACES:
        yield from (text for each in node.args[_PLACES[name] : _PLACES[name] + 1] for text in _either(each))
    elif name == "Progress":
        yield from (text for each in node.keywords if each.arg == "phase" for text in _either(each.value))
    elif name.endswith("Property"):
        yield from _of_property(node, tree)
    elif isinstance(node.func, ast.Attribute):
        for keyword in node.keywords:
            if keyword.arg in _LAYOUT:
                yield from _either(keyword.value)


def _by_name(tree: ast.Module) -> Iterator[ast.Constant]:
    """What a function gives to a layout by the name of a variable that it has just set."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        keywords = [each for call in calls for each in call.keywords if each.arg in _LAYOUT]
        names = {each.value.id for each in keywords if isinstance(each.value, ast.Name)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names:
                yield from _either(node.value)


def _of_class(node: ast.ClassDef) -> Iterator[ast.Constant]:
    assigned = {}
    for each in node.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            assigned[each.targets[0].id] = each.value
    for name in _SHOWN:
        if name in assigned:
            yield from _either(assigned[name])
    is_told = "bl_idname" in assigned and "bl_description" not in assigned and "_OT_" in node.name
    if is_told and isinstance(node.body[0], ast.Expr) and _is_text(node.body[0].value):
        yield node.body[0].value  # type: ignore[misc]


def _of_property(node: ast.Call, tree: ast.Module) -> Iterator[ast.Constant]:
    for keyword in node.keywords:
        if keyword.arg in _PROPERTY:
            yield from _either(keyword.value)
        if keyword.arg == "items":
            yield from _of_items(keyword.value, tree)


def _of_items(node: ast.expr, tree: ast.Module) -> Iterator[ast.Constant]:
    if isinstance(node, ast.Name):
        for each in tree.body:
            if isinstance(each, ast.Assign | ast.AnnAssign):
                targets = each.targets if isinstance(each, ast.Assign) else [each.target]
                if any(getattr(target, "id", "") == node.id for target in targets) and each.value is not None:
                    yield from _of_items(each.value, tree)
    elif isinstance(node, ast.List | ast.Tuple):
        for item in node.elts:
            if isinstance(item, ast.Tuple):
                yield from (text for each in item.elts[1:3] for text in _either(each))


def _either(node: ast.expr) -> Iterator[ast.Constant]:
    """A literal, or each that an expression chooses between."""
    if _is_text(node):
        yield node  # type: ignore[misc]
    elif isinstance(node, ast.IfExp):
        yield from _either(node.body)
        yield from _either(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _either(each)


def _of_backend(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name_of(node)
        said = [each.value for each in node.keywords if each.arg in _BACKEND.get(name, ())]
        said += node.args[:1] if name in _PHASES else []
        yield from (each.value for text in said for each in _either(text) if each.value.strip())


def _name_of(node: ast.Call) -> str:
    """Of the function or method that is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def main() -> int:
    """Write the template; tell what nobody translates."""
    found = collect()
    TEMPLATE.write_text(template(found), encoding="utf-8", newline="\n")
    for place, line, text in found.unmarked:
        sys.stderr.write(f"{place}:{line}: not for translators: {text!r}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
