"""Texts: all that a user reads can be translated, and translations fit their templates."""

import ast
import re
import string
import types

import blf
import bpy
import pytest

from samples import pseudo, texts

NOT_FOR_TRANSLATORS = (
    "recam_blender/command.py",  # --help: that of Blender's own command line is English too
)

# Names of threads and tasks, of what Blender never shows, and what only a defect would tell.
NAMES = (
    "recam worker{}",
    "recam worker leaves",
    "recam models end",
    "recam set-up end",
    "models get",
    "models search",
    "models locate",
    "to be found",
    "ReCam depth",
    "Video Sequence Editor",  # of Blender's keymap
    "scene = getattr(bpy.context, 'sequencer_scene', None) or bpy.context.scene",  # in a preset
    "Object Transforms",  # what Blender calls the channels of a camera that it keys itself
    "Object Transforms",  # as Blender calls its group of channels, in every language
    "a picture of {} x {} pixels is no frame of a ruler",
)


@pytest.fixture(scope="module")
def found():
    return texts.collect()


def test_the_template_for_translators_is_current(found):
    written = texts.TEMPLATE.read_text(encoding="utf-8")
    assert written == texts.template(found), "texts were changed: run `make texts`"


def test_no_sentence_is_left_to_english(found):
    left = [
        f"{place}:{line}: {text!r}"
        for place, line, text in found.unmarked
        if place not in NOT_FOR_TRANSLATORS and text not in NAMES and "\n" not in text
    ]
    assert left == [], "give these to tr() or later() of recam_blender/texts.py, or say in NAMES why not"


def test_what_is_registered_is_in_the_template(recam, found):
    """Names, tooltips and the items of enums, as Blender knows them."""
    missing = set()
    for feature in recam("registration").FEATURES:
        for each in feature.CLASSES:
            missing |= {f"{each.__name__}: {text}" for text in _shown(each) if text not in found.places}
    assert missing == set()


def _shown(cls):
    kind = cls.bl_rna
    if not issubclass(cls, bpy.types.PropertyGroup | bpy.types.AddonPreferences):
        yield from filter(None, (kind.name if kind.name != cls.__name__ else "", getattr(cls, "bl_category", "")))
    if issubclass(cls, bpy.types.Operator):
        yield _operator(cls).description
    for name in _own_properties(cls):
        each = kind.properties[name]
        yield from filter(None, (each.name if each.name != name else "", each.description))
        if each.type == "ENUM":
            for item in each.enum_items:
                yield from filter(_is_words, (item.name, item.description))


def _operator(cls):
    return getattr(bpy.ops.recam, cls.bl_idname.partition(".")[2]).get_rna_type()


def _own_properties(cls):
    ours = [base for base in cls.__mro__ if ".recam_blender" in base.__module__]
    blenders = {name for base in cls.__mro__ if base not in ours and hasattr(base, "bl_rna") for name in _known(base)}
    return {name for base in ours for name in vars(base).get("__annotations__", {})} & _known(cls) - blenders


def _known(cls):
    return set(cls.bl_rna.properties.keys())


def _is_words(text):
    """Not a name or a number, as of codecs and sizes: those are the same in all languages."""
    return bool(re.search(r"[a-z]{3} [a-z]{2}", text))


def test_tooltips_are_one_line(recam):
    """Python 3.13 takes the indentation from a docstring's other lines, so a translation would fit one of the two."""
    for feature in recam("registration").FEATURES:
        for each in feature.CLASSES:
            if issubclass(each, bpy.types.Operator):
                assert "\n" not in _operator(each).description, each.__name__
                assert _operator(each).description, each.__name__


def test_nothing_is_translated_before_it_is_shown():
    """What is translated while a module is read keeps the language that Blender had then: constants want ``later``."""
    early = []
    for path in sorted((texts.ROOT / "recam_blender").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.Lambda)
            for line in (node.body if isinstance(node.body, list) else [node.body])
            for part in ast.walk(line)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("tr", "plural")
                and id(node) not in inside
            ):
                early.append(f"{path.name}:{node.lineno}")
    assert early == []


def test_templates_are_given_what_they_ask_for():
    wrong = []
    for path in sorted((texts.ROOT / "recam_blender").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for template, given in _filled(node):
                asked = {
                    name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name
                }
                if asked - given:
                    wrong.append(f"{path.name}:{node.lineno}: {asked - given} of {template!r}")
    assert wrong == []


def _filled(node):
    """The templates of ``tr("…").format(name=…)``, and the names that it fills in."""
    is_format = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    if not is_format or not isinstance(node.func.value, ast.Call):
        return
    if getattr(node.func.value.func, "id", "") not in texts.MARKS or any(each.arg is None for each in node.keywords):
        return
    for argument in node.func.value.args:
        for each in texts._either(argument):
            yield each.value, {keyword.arg for keyword in node.keywords}


# Translations


PO = """# Somebody's.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"

#: recam_blender/sampling.py
msgid "Re-shoot"
msgstr "Neu drehen"

#, python-brace-format
msgid ""
"{count} frames, "
"\\"{name}\\""
msgstr "„{name}“,\\n{count} Bilder"

#, fuzzy
msgid "Scene"
msgstr "Szene?"

msgid "Not yet"
msgstr ""
"""


def test_a_translation_is_read_as_gettext_writes_it(recam, tmp_path):
    (tmp_path / "de_DE.po").write_text(PO, encoding="utf-8")
    told = recam("translation").catalogues(tmp_path)
    de = {"Re-shoot": "Neu drehen", '{count} frames, "{name}"': "„{name}“,\n{count} Bilder"}
    assert told == {"de_DE": {(context, text): each for text, each in de.items() for context in ("*", "Operator")}}


def test_the_template_can_be_read_as_a_translation(recam, found, tmp_path):
    """What a translator fills in comes back under the very text that the code asks for."""
    filled = re.sub(r'^msgid (".+")\nmsgstr ""$', r"msgid \1\nmsgstr \1", texts.template(found), flags=re.MULTILINE)
    path = tmp_path / "de_DE.po"
    path.write_text(filled, encoding="utf-8")
    assert recam("translation").read(path) == {text: text for text in found.places}


def test_translations_that_are_shipped_fit(recam, found):
    for locale, told in recam("translation").catalogues(recam("translation").FOLDER).items():
        for (_, text), translated in told.items():
            assert text in found.places, f"{locale}: nobody says {text!r} any more"
            assert texts.placeholders(translated) == texts.placeholders(text), f"{locale}: {translated!r}"


def test_texts_are_translated_before_they_are_filled_in(recam):
    module = recam("texts")
    told = {"{count} frames": "{count} Bilder", "1 frame": "Ein Bild", "{parts} and {last}": "{parts} und {last}"}
    module.use(lambda text: told.get(text, text))
    try:
        assert module.tr("{count} frames").format(count=3) == "3 Bilder"
        assert [module.plural(n, "1 frame", "{count} frames").format(count=n) for n in (0, 1, 2)] == [
            "0 Bilder",
            "Ein Bild",
            "2 Bilder",
        ]
        assert module.listed(["a", "b", "c"]) == "a, b und c"
        assert module.listed(["a"]) == "a"
        assert module.later("1 frame") == "1 frame"
    finally:
        module.use(str)


def test_blender_is_told_of_translations_and_forgets_them(recam, monkeypatch, tmp_path):
    """Blender as a module has no languages: that it is asked is all that can be seen here."""
    module = recam("translation")
    (tmp_path / "eo.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.unregister()
    assert recam("texts").tr("Re-shoot") == "Re-shoot"
    asked = []
    fake = types.SimpleNamespace(
        register=lambda name, told: asked.append((name, set(told))),
        unregister=asked.append,
        pgettext_iface=lambda text: f"<{text}>",
    )
    with monkeypatch.context() as patch:
        patch.setattr(module, "bpy", types.SimpleNamespace(app=types.SimpleNamespace(translations=fake)))
        module.register()
        assert recam("texts").tr("Re-shoot") == "<Re-shoot>"
        module.unregister()
    assert asked == [(module.__package__, {"eo"}), module.__package__]
    module.register()


# The language that nobody speaks


def test_the_made_up_language_is_as_much_wider_as_it_says(found):
    """In the font and size of Blender's labels."""
    blf.size(0, bpy.context.preferences.ui_styles[0].widget.points)
    for text in found.places:
        told = pseudo.pseudo(text)
        assert texts.placeholders(told) == texts.placeholders(text)
        plain, longer = (
            blf.dimensions(0, re.sub(r"\{[^{}]*\}", "", each))[0] for each in (text.replace("…", ""), told)
        )
        if re.search("[A-Za-z]", re.sub(r"\{[^{}]*\}", "", text)):
            assert 1.25 * plain <= longer <= 1.6 * plain + 12, text
    assert pseudo.pseudo("Re-shoot") == "[Rê-shôôt ôw]"
    assert pseudo.pseudo(" {a} of {b:g}") == " [{a} ôf {b:g} ]"
