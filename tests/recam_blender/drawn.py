"""Panels without a window: takes down what they draw, and refuses what this Blender's layouts would refuse."""

import types
from dataclasses import dataclass, field

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
# Known to Blender's C code alone.
_CONTAINERS = ("row", "column", "box", "split", "column_flow", "grid_flow", "menu_pie")


@dataclass
class Drawn:
    """What was drawn, in its order.

    Attributes:
        names: properties.
        words: of labels, as one reads them.
        buttons: (operator, what stands on it, its properties), likewise menus and popovers by their names.
    """

    names: list = field(default_factory=list)
    words: list = field(default_factory=list)
    buttons: list = field(default_factory=list)
    alerts: int = 0

    @property
    def text(self):
        return " ".join(self.words)

    def button(self, name):
        """What stands on the button of that operator, and its properties; fails where there is none."""
        return next((label, options) for each, label, options in self.buttons if each == name)

    @property
    def operators(self):
        return [name for name, _, _ in self.buttons]


class Layout:
    """Takes the place of a UILayout."""

    def __init__(self, drawn):
        self.__dict__["drawn"] = drawn

    def label(self, **options):
        _check("label", options)
        if options.get("text"):
            self.drawn.words.append(options["text"])

    def prop(self, owner, name, **options):
        _check("prop", options)
        assert name in owner.bl_rna.properties, f"{owner} has no {name}"
        self.drawn.names.append(name)

    def prop_search(self, owner, name, where, collection, **options):
        _check("prop_search", options)
        assert collection in where.bl_rna.properties, f"{where} has no {collection}"
        self.drawn.names.append(name)

    def template_ID(self, owner, name, **options):  # noqa: N802
        _check("template_ID", options)
        for each in ("new", "open", "unlink"):
            if each in options:
                _operator(options[each])
        self.drawn.names.append(name)

    def template_list(self, *_arguments, **options):
        _check("template_list", options)

    def operator(self, name, **options):
        _check("operator", options)
        properties = types.SimpleNamespace()
        known = _operator(name)
        self.drawn.buttons.append((name, options.get("text", known.name), properties))
        return properties

    def menu(self, name, **options):
        _check("menu", options)
        assert hasattr(bpy.types, name), f"there is no menu {name}"
        self.drawn.buttons.append((name, options.get("text", ""), types.SimpleNamespace()))

    def popover(self, panel, **options):
        _check("popover", options)
        assert hasattr(bpy.types, panel), f"there is no panel {panel}"
        self.drawn.buttons.append((panel, "", types.SimpleNamespace()))

    def progress(self, **options):
        _check("progress", options)
        self.drawn.words.append(options.get("text", ""))

    def panel(self, _name, **_options):
        return self, self

    def separator(self, **options):
        _check("separator", options)

    def template_icon(self, **options):
        _check("template_icon", options)

    def __getattr__(self, name):
        if name in _CONTAINERS:

            def container(**options):
                _check(name, options)
                return Layout(self.drawn)

            return container
        raise AttributeError(name)

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, f"layouts have no {name}"
        if name == "alert":
            self.drawn.alerts += bool(value)


def _operator(name):
    group, _, verb = name.partition(".")
    return getattr(getattr(bpy.ops, group), verb).get_rna_type()


def _check(function, options):
    known = _FUNCTIONS[function].parameters
    for name, value in options.items():
        assert name in known, f"{function} knows no {name}"
        if name == "icon":
            assert value in known["icon"].enum_items, f"there is no icon {value}"


class Context:
    """Blender's context, in an editor of a known kind whose region has a known width."""

    def __init__(self, area, width, **known):
        self.__dict__.update(
            area=types.SimpleNamespace(type=area),
            region=types.SimpleNamespace(width=width, height=900, type="UI"),
            preferences=types.SimpleNamespace(system=types.SimpleNamespace(ui_scale=1.0)),
            **known,
        )

    def __getattr__(self, name):
        return getattr(bpy.context, name)


def draw(panels, area="SEQUENCE_EDITOR", width=364, **known):
    """What these panels show, those left out that would not be there."""
    drawn = Drawn()
    context = Context(area, width, **known)
    for each in panels:
        if hasattr(each, "poll") and not each.poll(context):
            continue
        drawing = types.SimpleNamespace(layout=Layout(drawn), bl_label=each.bl_label)
        if hasattr(each, "draw_header_preset"):
            each.draw_header_preset(drawing, context)
        each.draw(drawing, context)
    return drawn
