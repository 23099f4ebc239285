"""Of setting up the backend."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Installing the backend",
    text=(
        "ReCam works in an environment of its own, beside Blender. These are said by Install, Repair, Update and "
        "Remove in Preferences > Add-ons > ReCam, and by `python -m backend setup`. **Open Log** there, or the "
        "file that is named as the whole log, holds every word that pip said."
    ),
    entries=(
        Entry(
            title="The backend is not installed, or not whole",
            text=(
                "Nothing can be re-shot before the backend is there. The button under the message does what it "
                "takes; an installation that broke off goes on where it stopped, and what was downloaded whole is "
                "not downloaded again."
            ),
            messages=(
                "ReCam's backend is not installed.",
                "ReCam's backend is not whole: its installation has not ended yet, or broke off.",
                "ReCam's backend was made for another version of ReCam.",
                "Press Install in …, or set … to a Python that has what it needs.",
                "Wait for it, or press Repair in ….",
                "Press Update in ….",
                "… needs more packages than are installed.",
                "The engine … needs packages that ReCam's environment lacks: press … in ….",
                "The backend's Python (…) lacks what it needs: ….",
                "The backend's Python (…) lacks … for ….",
                "this Python (…) lacks …, which … needs: use the one that `python -m backend setup…` sets up",
                "The backend's Python (…) lacks what downloads need: …. Install ReCamMaster first.",
            ),
        ),
        Entry(
            title="Blender may not go online",
            text=(
                "Blender asks you once whether add-ons may use the network, and ReCam keeps to the answer. Where "
                "there is no network at all, install from a folder of wheels: [setup.md](setup.md)."
            ),
            messages=(
                "Blender is not allowed to go online: press Allow Online Access first.",
                "Blender is not allowed to go online: start it with --online-mode.",
                "Blender was started with --offline-mode, so nothing can be downloaded: start it without.",
            ),
        ),
        Entry(
            title="ReCam is installed twice",
            text="Two copies would take each other's buttons away. Keep the one that Get Extensions updates.",
            messages=(
                (
                    "ReCam is installed twice, and its other copy is switched on (…). Uninstall that one in "
                    "Preferences > Get Extensions, or switch it off, then switch this one on."
                ),
            ),
        ),
        Entry(
            title="ReCam was upgraded while Blender ran",
            text="The running Blender still has the old add-on, and the backend's files are the new one's.",
            messages=("ReCam was upgraded while Blender ran: restart Blender.",),
        ),
        Entry(
            title="No Python that fits",
            text=(
                "The environment is built on Blender's own Python where that can be; else on one that is "
                "installed. A Python of your own must be of the version that is named, and have venv."
            ),
            messages=(
                "Python … is needed and was not found. …",
                "Install one of them (python.org, or your system's packages).",
                (
                    "Install one of them (python.org, or your system's packages), or its venv package where only "
                    "that lacks."
                ),
                "… cannot be used: …. Choose a Python …, or let ReCam find one.",
                "… could not make an environment at …: choose another Python, or repair that one.",
                (
                    "The Python that Blender runs on was not found, so ReCam cannot set anything up from here. Run "
                    "`python -m backend setup` in a shell, then choose the Python it names with Use My Own Python."
                ),
                "Blender's Python … cannot be started (…).",
            ),
        ),
        Entry(
            title="A Python of your own does not do",
            text=(
                "**Use My Own Python** asks the interpreter what it has, and installs nothing into it. The message "
                "tells what it lacks; the command under it adds that."
            ),
            messages=(
                "… is Python …, and the backend needs … or later.",
                "The torch of … cannot be imported: …. Install it anew.",
                "… is not called like a Python, and was not started: choose python3 or python.exe.",
                "it is not called like a Python, and was not started",
                "… does not run: …",
                "… does not run (…): choose a Python's executable file.",
                "… gave no answer in … seconds.",
                "… does not answer as a Python does.",
                "it does not run (…)",
                "it gave no answer in … seconds",
                "it does not answer as a Python does",
                "There is no Python at …, which … names. …",
                "There is no Python at …. …",
                "Give a Python that has what the backend needs.",
                "Start Blender with another in …, or without it: then ReCam's own environment is used.",
                "Choose another, or press Use ReCam's Environment in ….",
                "The engine … needs packages that … lacks: Use My Own Python in … tells which, and how to add them.",
                "For … it lacks ….",
                "There is no file at …: choose a Python interpreter.",
                "The backend's Python … cannot be started (…).",
            ),
        ),
        Entry(
            title="The folder of the environment is taken",
            text=(
                "ReCam changes and removes only what it made itself. Choose an empty folder, or one that does not "
                "exist yet."
            ),
            messages=(
                "The folder … holds something that ReCam did not make.",
                "Choose another folder for the environment in ….",
                "Choose another one in ….",
                "… is no folder for an environment: give one of its own, with its whole path.",
                "… is no folder of its own, and is left alone: name the environment itself.",
                "… was not made by ReCam, and is left alone: move it away, or choose another folder.",
                (
                    "… holds files and is no environment (it has no …), and is left alone: move it away, or choose "
                    "another folder."
                ),
                "… holds what ReCam did not put there (…), and is left alone: move that elsewhere and try again.",
                "… cannot be made (…): choose another folder.",
                "… cannot be looked at (…): choose another folder.",
            ),
        ),
        Entry(
            title="There is no room, or no permission",
            text=(
                "Reproject's packages take about 0.6 GB, ReCamMaster's 1 to 20 GB, and more while they are "
                "unpacked. The installation's dialog says how much it is here."
            ),
            messages=(
                (
                    "There is too little room for …: about … GB are needed, and … GB are free. Make room there, or "
                    "choose a folder on another disk."
                ),
                "There is not enough room on this disk.",
                "The disk is full: make room where … lies (and where pip keeps its cache), and try again.",
                "The disk is full: make room where … lies, and try again.",
                "There is no disk for …: choose another folder.",
                "… may not be written to. Check its permissions, or choose another folder.",
                "The system gave an error at …: ….",
                (
                    "Paths in … get too long for Windows. Choose a folder with a shorter path, or enable long "
                    "paths (https://pip.pypa.io/warnings/enable-long-paths), and try again."
                ),
                "… cannot be removed: ….",
            ),
        ),
        Entry(
            title="Something else uses the environment",
            text="One process changes an environment at a time, and nobody while a take is made in it.",
            messages=(
                "… is being set up right now: wait until that is done.",
                "Another process… is setting up …: wait until it is done, and try again.",
                (
                    "A ReCam worker still uses …: close the other Blenders, or wait until their takes are done, "
                    "and try again."
                ),
                "A program still uses files in …: close other Blenders and what has the folder open, and try again.",
                (
                    "Another program uses files in …, or guards them. Close other Blenders, let the virus scanner "
                    "finish, and try again."
                ),
                "A take is being made: wait for it, or cancel it.",
                "“…” is under way: wait for it, or cancel it.",
                "…: … is under way already. Wait for it, or cancel it.",
            ),
        ),
        Entry(
            title="The package index cannot be reached",
            text=(
                "Packages come from where pip is set up to look, which is pypi.org unless somebody changed it. "
                "`pip config list` tells. Behind a company's proxy, set `HTTPS_PROXY` before Blender is started."
            ),
            messages=(
                (
                    "The proxy refused the connection, or is not there. Check the proxy in the system's settings "
                    "(HTTPS_PROXY, HTTP_PROXY) or pip's (`pip config list`), and try again."
                ),
                (
                    "There is no connection to the package index. Check that this computer is online, and that "
                    "Blender may use the network through its firewall; or install from a folder of wheels."
                ),
                (
                    "The server's certificate could not be checked. Where a company inspects connections, give pip "
                    "its certificate (PIP_CERT or `pip config set global.cert FILE`); else check this computer's "
                    "date."
                ),
                (
                    "The package index answered with error …. It is overloaded, or does not let this computer in: "
                    "try again later, and check pip's settings (`pip config list`)."
                ),
                (
                    "The package index did not answer in time. Check the connection and try again: what was "
                    "downloaded whole is not downloaded again."
                ),
                (
                    "The download broke off. Check the connection and try again: what was downloaded whole is not "
                    "downloaded again."
                ),
            ),
        ),
        Entry(
            title="A package is damaged or cannot be had",
            text=(
                "What is installed are exact versions, which the index must have. A mirror or a folder of wheels "
                "of your own may lack some."
            ),
            messages=(
                (
                    "A downloaded package is not what the index says it is, and was not installed: the transfer "
                    "was damaged, or someone changed it. Try again; if it stays so, clear pip's cache (`pip cache "
                    "purge`) or try another network."
                ),
                "A downloaded package is damaged. Try again; if it stays so, clear pip's cache (`pip cache purge`).",
                (
                    "Where pip looked there is no … at all that … on this system could use. The folder of wheels "
                    "or the index (`pip config list`) may not have it; or this system is too old, or of another "
                    "kind than the packages are built for."
                ),
                (
                    "Where pip looked there is no … for … on this system, but others. A folder of wheels, or an "
                    "index of one's own (`pip config list`), needs just that version."
                ),
                (
                    "The packages that are found do not fit together. Where a folder of wheels or an index of "
                    "one's own is used, it holds other versions than ReCam needs."
                ),
                "pip could not install the packages. Its last lines below say why.",
                "The packages could not be installed. …",
                "pip said that all is installed, but … is not there.",
                (
                    "torch for … was asked for, but where pip looked it found … and took that. Take …, or remove "
                    "the place where it lies from pip's settings (`pip config list`, PIP_FIND_LINKS, "
                    "PIP_INDEX_URL)."
                ),
                "… holds no wheel of …: it has ….",
                "… cannot be read (…): choose a folder of wheels.",
                "There is no folder of wheels at ….",
                "There is no folder at …, where wheels to install from should be.",
                "… is no build of torch … for this system: choose auto, ….",
                "… is there, but … cannot be imported in it.",
            ),
        ),
        Entry(
            title="This machine cannot run it",
            text=(
                "torch and the other packages are made for Windows and Linux on x64 and ARM, and for Macs with "
                "Apple silicon."
            ),
            messages=(
                "The packages that ReCam needs are not made for … on ….",
                (
                    "The packages that ReCam needs are no longer made for Macs with Intel's processors (torch "
                    "since 2.3, numba since 0.63): another machine is needed."
                ),
            ),
        ),
        Entry(
            title="The GPU or its driver does not fit",
            text=(
                "ReCam takes the build of torch that the GPU and its driver can run, and the processor's where "
                "none fits. Takes by Reproject need no GPU. After an update of the driver, press **Repair**."
            ),
            messages=(
                (
                    "The driver of … is version …, and torch … needs … or later: update the driver "
                    "(nvidia.com/drivers) and try again. Or choose the build cpu, which is far too slow for takes."
                ),
                "… would need driver … or later.",
                "No GPU of NVIDIA's or AMD's was found that torch could use.",
                "No GPU of NVIDIA's can be used: … says ….",
                "… (compute capability …) is too old for torch ….",
                "The ROCm build of torch … has no kernels for AMD's GPU here (…).",
                (
                    "There is a GPU of NVIDIA's without NVIDIA's driver, or nvidia-smi is not on PATH, so torch "
                    "could not use it: install the driver for faster takes."
                ),
                "No build runs on … as well.",
                "Your user may not use it yet: `sudo usermod -a -G render,video $USER`, and log in anew.",
                "… gave no answer, so NVIDIA's driver seems not to work: restart the computer or reinstall it.",
                "… is not made for ….",
                (
                    "torch … is built for a GPU and finds none that it can use, so networks would run on the CPU: "
                    "update the GPU's driver, then repair."
                ),
            ),
        ),
        Entry(
            title="What was installed does not work",
            text=(
                "After each installation a small take is made. Where that fails, something on this machine does "
                "not suit the packages: a library of the system is missing, or a virus scanner took a file away. "
                "**Repair** makes the environment anew."
            ),
            messages=(
                "The environment was made but does not work. …",
                "The check of the environment gave no answer that can be read.",
                "The check of the environment was ended by signal …: a library may not suit this machine.",
                "The check of the environment ended with ….",
                "The system library … is missing. What Blender needs on Debian or Ubuntu:",
                "The system library … is missing: install it with the system's own packages, then repair.",
                (
                    "A library of Windows' is missing: install Microsoft's Visual C++ Redistributable (x64), then "
                    "repair."
                ),
                "… cannot be imported: …: …. …",
                (
                    "The preview engine drew something else than it should: the first frame is off by … of 255 and "
                    "the last by …, where less than … was expected."
                ),
                "The preview engine could not re-shoot a small clip: …",
                "The take that was made cannot be read back: …",
                "A take of … frames was made, and … could be read back.",
                "The network could not take a step: …",
                "The network gave numbers that are none on …: update the GPU's driver.",
                "Repair the environment; if it stays, its log tells more.",
            ),
        ),
        Entry(
            title="Set-up stopped, or was stopped",
            text="Cancelling leaves what is there; the next **Install** goes on from it.",
            messages=(
                "Set-up was cancelled.",
                (
                    "A part of set-up said nothing for … minutes and was stopped: try again. If it stays so, look "
                    "whether a virus scanner or a disk that does not answer holds it up."
                ),
                "Set-up answered what this add-on does not understand (…): restart Blender.",
                "ReCam cannot set that up. ….",
                "That takes too long to find out.",
                "What that takes cannot be told.",
            ),
        ),
    ),
)
