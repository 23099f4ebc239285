"""What stands between the user and a take on this machine, and the one button that helps.

Asked at every redraw: nothing here starts a process or reads more than a small file that changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..backend.contract import ENGINES
from ..backend.environment.messages import State
from . import environment, models, preferences, runtime, setup
from .texts import later, tr


@dataclass(frozen=True)
class Button:
    """An operator, what stands on its button, and its properties."""

    operator: str
    label: str
    icon: str = "NONE"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """What is missing.

    Attributes:
        text: in whole sentences.
        button: that helps; None where the user must do something elsewhere.
        of_backend: whether it is the backend, without which nothing can be done at all.
    """

    text: str
    button: Button | None
    of_backend: bool = True


_ALLOW = Button("recam.allow_online", later("Allow Online Access"), "INTERNET")


def need(engine: str) -> Need | None:
    """What an engine lacks here; None where a take can be made, as far as is known without trying."""
    own, named_by = environment.own_python()
    if own:
        return _of_own_python(own, named_by, engine) or _of_models(engine)
    return _of_environment(environment.state(), engine) or _of_models(engine)


def buttons(found: State) -> list[Button]:
    """What can be done about ReCam's own environment, the most useful first."""
    add = Button("recam.setup_install", later("Add ReCamMaster"), "ADD", {"engine": "recammaster"})
    remove = Button("recam.setup_remove", later("Remove"), "TRASH")
    if found.kind == "missing":
        install = Button("recam.setup_install", later("Install"), "IMPORT", {"engine": ENGINES[0]})
        return [
            install,
            Button("recam.setup_install", later("Install with ReCamMaster"), "NONE", {"engine": "recammaster"}),
        ]
    if found.kind == "unfinished":
        return [Button("recam.setup_repair", later("Repair"), "TOOL_SETTINGS"), remove]
    if found.kind == "outdated":
        return [Button("recam.setup_repair", later("Update"), "FILE_REFRESH"), remove]
    if found.kind == "ready":
        missing = [] if "recammaster" in found.engines else [add]
        return [*missing, Button("recam.setup_repair", later("Repair"), "TOOL_SETTINGS"), remove]
    return []


def offline() -> Need | None:
    """What must be done before anything can be downloaded; None where it can, or a folder of wheels is chosen."""
    reason = "" if preferences.path("wheels") else runtime.offline()
    if not reason:
        return None
    return Need(reason, None if runtime.offline_for_good() else _ALLOW)


def _of_own_python(path: str, named_by: str, engine: str) -> Need | None:
    choose = Button("recam.setup_use_python", later("Use My Own Python"), "FILEBROWSER", {"engine": engine})
    if not os.path.isfile(path):
        return Need(environment.gone(path, named_by), None if named_by == environment.VARIABLE else choose)
    known = runtime.known_engines(path)
    if known and engine not in known:
        return Need(environment.lacks(engine), choose)
    return None


def _of_environment(found: State, engine: str) -> Need | None:
    if found.kind == "ready" and engine in found.engines:
        return None
    if found.kind == "foreign":
        advice = tr("Choose another one in {where}.").format(where=tr(environment.WHERE))
        text = f"{environment.trouble(found)} {advice}"
        return Need(text, None)
    if found.kind == "ready":
        text = tr("{name} needs more packages than are installed.").format(name=setup.NAMES[engine])
        button = Button(
            "recam.setup_install", tr("Add {name}").format(name=setup.NAMES[engine]), "ADD", {"engine": engine}
        )
    else:
        text = environment.trouble(found)
        button = buttons(found)[0]
        if found.kind == "missing":
            button = Button(button.operator, button.label, button.icon, {"engine": engine})
    if lacking := offline():
        return Need(f"{text} {lacking.text}", lacking.button)
    return Need(text, button)


def _of_models(engine: str) -> Need | None:
    missing = models.missing(engine)
    if not missing:
        return None
    names = ", ".join(tr(models.entry(each).title) for each in missing)
    text = tr("{name} needs models that are not here: {names}.").format(name=setup.NAMES[engine], names=names)
    if reason := runtime.offline():
        return Need(
            f"{text} {reason}",
            None if runtime.offline_for_good() else _ALLOW,
            of_backend=False,
        )
    return Need(text, Button("recam.models_get", later("Get Models"), "IMPORT"), of_backend=False)
