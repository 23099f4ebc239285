"""Materials of the sample: patterns from broad to fine on everything, lit without noise.

The light is one hard sun, sampled directly, over an ambient term that is plain emission: colour x sky or ground by the
normal x a baked vertex attribute "ao". A few samples a pixel are then clean, and nothing depends on the viewer.
"""

from __future__ import annotations

from random import Random
from typing import Any

import bpy

Colour = tuple[float, float, float]

SKY, GROUND = (0.34, 0.40, 0.52), (0.34, 0.27, 0.21)


def colour(text: str) -> Colour:
    """Linear light of a colour written as on screen, "rrggbb"."""
    values = [int(text[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    return tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)


def bricks(name: str, rng: Random, one: str, two: str, mortar: str, *, size: tuple[float, float] = (0.42, 0.16)) -> Any:
    graph = _Graph(name, rng)
    cells = graph.bricks(colour(one), colour(two), colour(mortar), size=size, gap=0.014)
    return graph.finish(graph.weathered(cells, broad=0.4, fine=0.25))


def planks(name: str, rng: Random, one: str, two: str, *, size: tuple[float, float] = (1.1, 0.15)) -> Any:
    graph = _Graph(name, rng)
    cells = graph.bricks(colour(one), colour(two), (0.09, 0.055, 0.035), size=size, gap=0.01)
    grain = graph.noise(9.0, stretch=(0.12, 1.6, 1.0), detail=3)
    return graph.finish(graph.weathered(graph.shade(cells, grain, 0.45, 1.4), broad=0.25, fine=0.2))


def tiles(name: str, rng: Random, one: str, two: str, gap: str, *, size: float = 0.4) -> Any:
    graph = _Graph(name, rng)
    check = graph.checker(colour(one), colour(two), size)
    veins = graph.noise(3.2)
    joints = graph.bricks((1, 1, 1), (0.8, 0.8, 0.8), colour(gap), size=(size, size), gap=0.012, offset=0.0)
    return graph.finish(graph.weathered(graph.multiply(graph.shade(check, veins, 0.6, 1.35), joints), 0.2, 0.22))


def mosaic(name: str, rng: Random, palette: list[str], *, cell: float = 0.12, objectwise: bool = False) -> Any:
    """Irregular patches in the palette's colours with dark seams."""
    graph = _Graph(name, rng, objectwise=objectwise)
    patch, seam = graph.patches(1 / cell)
    coloured = graph.ramp(patch, [colour(each) for each in palette])
    return graph.finish(graph.weathered(graph.shade(coloured, seam, 0.55, 1.05), broad=0.15, fine=0.2))


def stone(name: str, rng: Random, dark: str, light: str, *, scale: float = 4.0) -> Any:
    graph = _Graph(name, rng, objectwise=True)
    base = graph.ramp(graph.noise(scale, detail=3), [colour(dark), colour(light), colour(dark)])
    return graph.finish(graph.weathered(base, broad=0.15, fine=0.25))


def weave(name: str, rng: Random, palette: list[str], *, cell: float = 0.22) -> Any:
    """A carpet: rows of ornaments in the palette's colours."""
    graph = _Graph(name, rng)
    one = graph.checker(colour(palette[0]), colour(palette[1]), cell)
    two = graph.checker(colour(palette[2]), colour(palette[3 % len(palette)]), cell / 2)
    rows = graph.bricks((1, 1, 1), (1, 1, 1), (0, 0, 0), size=(cell * 2, cell * 1.5), gap=cell * 0.3)
    return graph.finish(graph.weathered(graph.mix(two, one, rows), broad=0.12, fine=0.25))


def tinted(name: str, rng: Random, palette: list[str], *, stripes: float = 0.0, fine: float = 0.3) -> Any:
    """The palette's colours by the faces' attribute "tint"; for leaves and books."""
    graph = _Graph(name, rng)
    base = graph.ramp(graph.attribute("tint"), [colour(each) for each in palette])
    if stripes:
        base = graph.shade(base, graph.noise(stripes, stretch=(1.0, 0.25, 1.0), detail=2), 0.3, 1.5)
    return graph.finish(graph.weathered(base, broad=0.3, fine=fine))


def glowing(name: str, rng: Random, light: str, *, strength: float) -> Any:
    """Lit paper: a pattern of its own light."""
    graph = _Graph(name, rng, objectwise=True)
    patch, seam = graph.patches(9.0)
    lit = graph.shade(graph.shade((*colour(light),), seam, 0.25, 1.05), patch, 0.55, 1.1)
    emission = graph.node("ShaderNodeEmission", Color=lit, Strength=strength)
    return graph.finish_with(emission.outputs[0])


class _Graph:
    """A material's nodes in the making. Arguments may be sockets or plain values."""

    def __init__(self, name: str, rng: Random, *, objectwise: bool = False) -> None:
        self.material = bpy.data.materials.new(name)
        if self.material.node_tree is None:  # before Blender 5
            self.material.use_nodes = True
        # Found by light sampling, the ambient term would bring noise and cost.
        self.material.cycles.emission_sampling = "NONE"
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        where = self.node("ShaderNodeTexCoord").outputs["Object" if objectwise else "UV"]
        # In two dimensions the patterns cost a third.
        self.flat = "3D" if objectwise else "2D"
        offset = [round(rng.uniform(0, 7), 3) for _ in range(3)]
        self.where = self.node("ShaderNodeMapping", Vector=where, Location=offset).outputs[0]

    def node(self, kind: str, *values: Any, **named: Any) -> Any:
        """A node; positional values go to its inputs in order, names with capitals to inputs, others to settings."""
        node = self.tree.nodes.new(kind)
        settings = {key: value for key, value in named.items() if key[0].islower()}
        for key, value in settings.items():
            setattr(node, key, value)
        inputs = [*enumerate(values), *((k.replace("_", " "), v) for k, v in named.items() if k not in settings)]
        for key, value in inputs:
            self._feed(node.inputs[key], value)
        return node

    def _feed(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        elif value is not None:
            socket.default_value = value

    def mix(self, first: Any, second: Any, factor: Any, *, blend: str = "MIX") -> Any:
        node = self.node("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        # The inputs of every data type share their names; by place: 0 the factor, 6 and 7 the colours.
        for place, value in ((0, factor), (6, first), (7, second)):
            self._feed(node.inputs[place], value)
        return node.outputs[2]

    def multiply(self, first: Any, second: Any) -> Any:
        return self.mix(first, second, 1.0, blend="MULTIPLY")

    def range(self, value: Any, low: float, high: float, *, start: float = 0.0, stop: float = 1.0) -> Any:
        return self.node("ShaderNodeMapRange", value, start, stop, low, high).outputs[0]

    def shade(self, base: Any, factor: Any, low: float, high: float) -> Any:
        """The colour, times something from low to high as the factor goes from 0 to 1."""
        return self.node(
            "ShaderNodeVectorMath", base, None, None, self.range(factor, low, high), operation="SCALE"
        ).outputs[0]

    def noise(self, scale: float, *, stretch: Any = None, detail: float = 2.0) -> Any:
        where = self.where
        if stretch is not None:
            where = self.node("ShaderNodeMapping", Vector=where, Scale=stretch).outputs[0]
        made = self.node("ShaderNodeTexNoise", Vector=where, Scale=scale, Detail=detail, noise_dimensions=self.flat)
        # Noise rarely leaves 0.25 .. 0.75; spread, it uses the range that is asked for.
        return self.range(made.outputs[0], 0.0, 1.0, start=0.27, stop=0.73)

    def bricks(self, one: Any, two: Any, gap_colour: Any, *, size: Any, gap: float, offset: float = 0.5) -> Any:
        node = self.node(
            "ShaderNodeTexBrick", Vector=self.where, Color1=one, Color2=two, Mortar=gap_colour, Scale=1.0, offset=offset
        )
        for key, value in {
            "Mortar Size": gap,
            "Mortar Smooth": 0.6,
            "Brick Width": size[0],
            "Row Height": size[1],
        }.items():
            node.inputs[key].default_value = value
        return node.outputs[0]

    def checker(self, one: Any, two: Any, size: float) -> Any:
        return self.node("ShaderNodeTexChecker", Vector=self.where, Color1=one, Color2=two, Scale=1 / size).outputs[0]

    def patches(self, scale: float) -> tuple[Any, Any]:
        """Random value of each cell, and 0 at its border rising to 1 inside."""
        cells, edge = (
            self.node(
                "ShaderNodeTexVoronoi", Vector=self.where, Scale=scale, feature=feature, voronoi_dimensions=self.flat
            ).outputs[output]
            for feature, output in (("F1", "Color"), ("DISTANCE_TO_EDGE", "Distance"))
        )
        value = self.node("ShaderNodeSeparateColor", cells).outputs[0]
        return value, self.range(edge, 0.0, 1.0, start=0.01, stop=0.12)

    def ramp(self, value: Any, colours: list[Colour]) -> Any:
        node = self.node("ShaderNodeValToRGB", value)
        elements = node.color_ramp.elements
        while len(elements) < len(colours):
            elements.new(0.5)
        for index, each in enumerate(colours):
            elements[index].position = index / (len(colours) - 1)
            elements[index].color = (*each, 1.0)
        return node.outputs[0]

    def attribute(self, name: str) -> Any:
        return self.node("ShaderNodeAttribute", attribute_name=name).outputs["Fac"]

    def weathered(self, base: Any, broad: float, fine: float) -> Any:
        """Blotches of about a foot and grain of about an inch over everything."""
        blotched = self.shade(base, self.noise(2.6, detail=1), 1 - broad, 1 + broad)
        return self.shade(blotched, self.noise(17.0, detail=0), 1 - fine, 1 + fine)

    def finish(self, base: Any) -> Any:
        normal = self.node("ShaderNodeNewGeometry").outputs["Normal"]
        up = self.node("ShaderNodeSeparateXYZ", normal).outputs[2]
        ambient = self.mix(GROUND, SKY, self.range(up, 0.0, 1.0, start=-1.0, stop=1.0))
        ambient = self.shade(ambient, self.attribute("ao"), 0.15, 1.0)
        emission = self.node("ShaderNodeEmission", Color=self.multiply(base, ambient), Strength=1.0)
        sunlit = self.node("ShaderNodeBsdfDiffuse", Color=base)
        return self.finish_with(self.node("ShaderNodeAddShader", emission.outputs[0], sunlit.outputs[0]).outputs[0])

    def finish_with(self, shader: Any) -> Any:
        output = self.node("ShaderNodeOutputMaterial")
        self.tree.links.new(shader, output.inputs[0])
        return self.material
