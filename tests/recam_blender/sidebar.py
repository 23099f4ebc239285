"""A sidebar without a window: draws panels as Blender lays them out, and tells which texts would be cut off.

The numbers are those of Blender 5.2 at resolution scale 1, measured in its window (what does not fit has "..." in
its middle there). Texts are measured by Blender's own font module, in the font and size of its buttons.
"""

import types
from dataclasses import dataclass

import blf
import bpy

SEQUENCER, VIEW = 364, 280
"""Widths that a sidebar has when it is opened for the first time."""

# What tabs and a panel's margins leave nothing of.
_FRAME = 54
_SPACE = 5
_UNIT = 20
_LABELS = 0.4
"""How much of a line is for labels where properties are split."""

# Beside its text: what a thing has no use for, and what it would like to have in a row.
_MARGIN = {"label": 6, "button": 6, "tick": 26, "menu": 25, "field": 12}
_WISH = {"label": 12, "button": 25, "tick": 30, "menu": 45, "field": 25}
_ICON = 26


@dataclass
class Shown:
    """A text that was drawn: what it needs and what it gets, in pixels."""

    text: str
    needs: float
    gets: float
    kind: str

    @property
    def is_cut(self):
        return self.needs > self.gets + 0.5


@dataclass
class Cell:
    """Something in a row, whose width is known when the row is whole."""

    text: str
    kind: str
    icon: bool = False
    inner: object = None
    fixed: float = 0.0

    @property
    def needs(self):
        return width_of(self.text) + _MARGIN[self.kind] + _ICON * self.icon if self.text else self.fixed

    @property
    def wish(self):
        if self.inner is not None:
            return self.inner.wish
        return width_of(self.text) + _WISH[self.kind] + _ICON * self.icon if self.text else self.fixed


def width_of(text):
    blf.size(0, bpy.context.preferences.ui_styles[0].widget.points)
    return blf.dimensions(0, text)[0]


class Context:
    """Blender's context, in a region of a known width."""

    def __init__(self, width, **known):
        preferences = bpy.context.preferences
        fields = ("addons", "view", "filepaths", "inputs", "system", "edit")
        system = types.SimpleNamespace(ui_scale=1.0, pixel_size=1.0, dpi=72)
        shown = types.SimpleNamespace(**{each: getattr(preferences, each) for each in fields if each != "system"})
        shown.system = system
        self.__dict__.update(known, preferences=shown, region=types.SimpleNamespace(width=width, height=900, type="UI"))

    def __getattr__(self, name):
        return getattr(bpy.context, name)


class Layout:
    """Takes the place of a UILayout. ``speak`` translates as Blender does what it is given."""

    def __init__(self, width, *, speak=str, page=None, kind="column", parts=(), split=False, less=0):
        self.__dict__.update(
            width=width,
            speak=speak,
            page=[] if page is None else page,
            kind=kind,
            cells=[],
            parts=list(parts),
            less=less,
            use_property_split=split,
            use_property_decorate=True,
        )

    # What was drawn

    def finish(self):
        """Share out the rows, once all is in them."""
        cells = self.cells
        free = self.width - _SPACE * 0.4 * max(0, len(cells) - 1)
        fixed = sum(each.fixed for each in cells if not each.text and each.inner is None)
        wished = sum(each.wish for each in cells if each.text or each.inner is not None)
        for index, each in enumerate(cells):
            if self.kind == "column":
                gets = self.width
            elif self.kind == "split":
                gets = self._part(index, len(cells))
            elif not each.text and each.inner is None:
                gets = each.fixed
            else:
                gets = each.wish * (free - fixed) / max(1.0, wished)
            if each.inner is not None:
                each.inner.__dict__["width"] = gets - each.inner.less
                each.inner.finish()
            elif each.text:
                self.page.append(Shown(each.text, each.needs, gets, each.kind))

    @property
    def wish(self):
        wishes = [each.wish for each in self.cells] or [_UNIT]
        return max(wishes) if self.kind == "column" else sum(wishes)

    def _part(self, index, count):
        factor = self.parts[0] if self.parts else 1 / count
        share = factor if index == 0 else (1 - factor) / max(1, count - 1)
        return self.width * share - _SPACE

    def _add(self, cell):
        self.cells.append(cell)

    def _child(self, kind, parts=(), less=0.0):
        child = Layout(
            self.width,
            speak=self.speak,
            page=self.page,
            kind=kind,
            parts=parts,
            split=self.use_property_split,
            less=less,
        )
        self.cells.append(Cell("", "label", inner=child))
        return child

    # Blender's

    def label(self, *, text="", icon="NONE", translate=True, **_options):
        if text or icon != "NONE":
            self._add(Cell(self._said(text, translate), "label", icon != "NONE", fixed=_UNIT))

    def operator(self, name, *, text=None, icon="NONE", translate=True, **_options):
        kind = getattr(getattr(bpy.ops, name.split(".")[0]), name.split(".")[1]).get_rna_type()
        said = self._said(kind.name if text is None else text, translate)
        self._add(Cell(said, "button", icon != "NONE", fixed=_UNIT))
        return types.SimpleNamespace()

    def menu(self, name, *, text=None, icon="NONE", **_options):
        known = getattr(bpy.types, name, None)
        said = self._said((getattr(known, "bl_label", name)) if text is None else text)
        self._add(Cell(said, "menu", icon != "NONE", fixed=_UNIT))

    def popover(self, panel, *, text=None, icon="NONE", **options):
        self.menu(panel, text=text, icon=icon, **options)

    def progress(self, *, text="", factor=0.0, **_options):
        self._add(Cell(self._said(text), "button", fixed=_UNIT))

    def prop(self, owner, name, *, text=None, icon="NONE", expand=False, icon_only=False, toggle=-1, **_options):
        known = owner.bl_rna.properties[name]
        said = self._said(known.name if text is None else text)
        if icon_only:
            self._add(Cell("", "button", fixed=_UNIT))
            return
        if self.use_property_split and said:
            line = Layout(self.width, speak=self.speak, page=self.page, kind="split", parts=[_LABELS])
            self.cells.append(Cell("", "label", inner=line))
            is_tick = known.type == "BOOLEAN" and toggle != 1
            line.cells.append(Cell("" if is_tick else said, "label"))
            right = line._child("row")
            self._value(right, owner, known, said if is_tick else "", icon, expand)
        else:
            self._value(self, owner, known, said, icon, expand)

    def _value(self, place, owner, known, said, icon, expand):
        has_icon = icon != "NONE"
        if known.type == "BOOLEAN":
            place._add(Cell(said, "tick" if not has_icon else "button", has_icon, fixed=_UNIT))
        elif known.type == "ENUM" and expand:
            row = place._child("split")
            for item in known.enum_items:
                row.cells.append(Cell(self._said(item.name), "button"))
        elif known.type == "ENUM":
            names = [self._said(each.name) for each in known.enum_items] or [
                self._said(str(getattr(owner, known.identifier)))
            ]
            place._add(Cell(max(names, key=width_of), "menu", has_icon, fixed=_UNIT))
        elif known.type in ("INT", "FLOAT") and said:
            value = getattr(owner, known.identifier)
            place._add(Cell(f"{said} {value:.2f}" if known.type == "FLOAT" else f"{said} {value}", "field"))
        else:
            # What stands in it is the user's.
            place._add(Cell(said, "field", has_icon, fixed=3 * _UNIT))

    def prop_search(self, owner, name, *_where, text=None, icon="NONE", **options):
        self.prop(owner, name, text=text, icon=icon, **options)

    def row(self, *, heading="", **_options):
        return self._headed("row", heading)

    def column(self, *, heading="", **_options):
        return self._headed("column", heading)

    def _headed(self, kind, heading):
        if not heading:
            return self._child(kind)
        line = Layout(self.width, speak=self.speak, page=self.page, kind="split", parts=[_LABELS])
        self.cells.append(Cell("", "label", inner=line))
        line.cells.append(Cell(self._said(heading), "label"))
        return line._child(kind)

    def box(self):
        return self._child("column", less=2 * _SPACE)

    def split(self, *, factor=0.0, **_options):
        return self._child("split", parts=[factor] if factor else ())

    def grid_flow(self, *, columns=0, **_options):
        return self._child("column")

    def column_flow(self, *, columns=0, **_options):
        return self._child("column")

    def panel(self, _name, **_options):
        return self._child("row", less=_UNIT), self._child("column")

    def panel_prop(self, *_what):
        return self.panel("")

    def template_list(self, list_type, _id, owner, name, active_owner, active_name, **_options):
        """Draws each line of the list, as wide as it is beside its scroll bar."""
        kind = getattr(bpy.types, list_type)
        for index, item in enumerate(getattr(owner, name)):
            lister = types.SimpleNamespace(layout_type="DEFAULT", use_filter_show=False)
            line = self._child("row", less=_UNIT)
            kind.draw_item(lister, bpy.context, line, owner, item, 0, active_owner, active_name, index, 0)

    def _said(self, text, translate=True):
        return self.speak(text) if text and translate else text

    def __setattr__(self, name, value):
        self.__dict__[name] = value

    def __getattr__(self, name):
        if name.startswith(("template_", "separator", "context_pointer")):
            return lambda *_arguments, **_options: None
        if name in ("operator_context", "alignment", "direction", "emboss", "ui_units_x", "scale_x", "scale_y"):
            return None
        raise AttributeError(name)


def draw(panel, width, speak=str, **known):
    """What a panel shows in a sidebar of that width: a list of Shown."""
    layout = Layout(width - _FRAME, speak=speak)
    context = Context(width, **known)
    page = layout.page
    page.append(Shown(speak(panel.bl_label), width_of(speak(panel.bl_label)), width - _FRAME - 2 * _UNIT, "title"))
    drawn = types.SimpleNamespace(layout=layout, bl_label=panel.bl_label, is_popover=False)
    for name in dir(panel):  # helpers of the class
        if not name.startswith(("_", "bl_")) and callable(getattr(panel, name)) and name not in ("draw", "layout"):
            setattr(drawn, name, getattr(panel, name))
    panel.draw(drawn, context)
    layout.finish()
    return page
