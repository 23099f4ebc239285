"""Of models: downloads, the library, files of weights."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Downloading and choosing models",
    text=(
        "ReCamMaster needs models, about 10 GB, which ReCam downloads when you press **Get Models**, or uses where "
        "they lie already. [models.md](models.md) lists all. What was downloaded is always kept: the next try goes "
        "on from there."
    ),
    entries=(
        Entry(
            title="The models are not there",
            text=(
                "Press **Get Models**, **Search This Computer** where ComfyUI or Wan2GP have them already, or "
                "choose the folder that they lie in. `RECAM_MODELS` goes before the preferences."
            ),
            messages=(
                "… needs models that are not here: ….",
                (
                    "The engine … needs its models: get them, or choose their folder, in Preferences > Add-ons > "
                    "ReCam, or set …."
                ),
                "There is no folder at …, where ReCam's models should be.",
                "There is nothing at …, where the model file “…” should be.",
                "No folder of models is known, and … not named: name a folder, or set ….",
                "…, which is no folder: name the one that the models lie in.",
                "…, which cannot be read (…): let this user read it, or name another folder.",
                "… not found in ….",
                "ReCam downloads it: `python -m backend models get …`, or in its preferences in Blender.",
                "… holds too much to be searched whole: name the models' folder.",
                "… lies there … times: … was taken; name another to use that.",
                "It is not used while … names ….",
            ),
        ),
        Entry(
            title="That file is not the model that was asked for",
            text="What a file is, is told by its content, not by its name. Nothing was changed.",
            messages=(
                "… is …, and not what was looked for: ….",
                "… is …, which ReCam cannot be pointed at.",
                "There is no model of ReCam's at ….",
                "… was expected: get ….",
                "… holds too much to be searched whole: name a folder within it.",
                "Time was over in …: name the folder that the models lie in, to look into that alone.",
                "… not looked into: that takes PyTorch, which comes with the engine recammaster.",
                "No model is called …: the ids are ….",
                "The search was cancelled.",
            ),
        ),
        Entry(
            title="The hub cannot be reached",
            text=(
                "Models come from huggingface.co, or from the mirror that `HF_ENDPOINT` names. Variables are read "
                "when Blender starts: set them before."
            ),
            messages=(
                "… cannot be reached (…).…",
                "Is the network there? If it needs a proxy, set HTTPS_PROXY.",
                "The proxy … stands in between: is that address right, and does it let you out?",
                (
                    "The proxy … is of a kind that ReCam does not speak: HTTPS_PROXY is to be like "
                    "http://name-of-it:8080."
                ),
                (
                    "… could not prove that it is … (…). Where a company's proxy looks into the traffic, set "
                    "SSL_CERT_FILE to its certificates; look also at the computer's date."
                ),
                "… names …, where no certificates can be read (…): name a file of certificates, or unset it.",
                (
                    "… leads to an address that ReCam does not follow (…): a mirror or a proxy may be wrong. Look "
                    "at HF_ENDPOINT and at the proxy's settings."
                ),
                (
                    "What … answers is not understood (…: …): it may be no hub of models, or a proxy may answer in "
                    "its place. Look at HF_ENDPOINT and at the proxy's settings."
                ),
                (
                    "… does not answer as a hub of models does: a proxy, or a page to log in to the network, may "
                    "answer in its place. Look at HF_ENDPOINT and at the network."
                ),
                "… is no address of a hub: HF_ENDPOINT is to be like ….",
                "… does not say how long … is.",
                "another range than was asked for",
                "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.",
                "…. What was downloaded is kept: try again, and it goes on from there.",
            ),
        ),
        Entry(
            title="The hub refuses",
            text=(
                "Most of the models need no account. Where one does, make a token on the hub's page and set "
                "`HF_TOKEN` to it."
            ),
            messages=(
                (
                    "… asks to be left alone for …, as too much was asked of it: try again then. With HF_TOKEN set "
                    "it gives more."
                ),
                (
                    "… gives no more for now, as too much was asked of it (429), and … of waiting did not help: "
                    "try again in an hour. With HF_TOKEN set it gives more."
                ),
                "… answered … with an error of its own (…): it is not your fault; try again later.",
                (
                    "… is given only to those who have accepted its terms: do so at …, and set HF_TOKEN to a token "
                    "of yours (…)."
                ),
                "… was closed at …: ….",
                (
                    "… does not accept the token that was sent: HF_TOKEN, or the one that `hf auth login` stored, "
                    "is wrong or has expired. Make a new one (…), or do without: … is not known to need one."
                ),
                (
                    "… wants to know who asks for …: it is not there, or not for everybody. If you have access, "
                    "set HF_TOKEN (…); else …."
                ),
                "… refuses to give … of …: a token without the right to read it, or a firewall, may be why.",
                "HF_TOKEN has characters that no token has: copy it anew, without quotes.",
                "What a download needs cannot be read (…): allow it.",
                "… answered … when asked for … of ….",
            ),
        ),
        Entry(
            title="The hub has something else",
            text="The publishers moved or changed a file. A newer ReCam may know where it is now.",
            messages=(
                (
                    "… offers another … than the one that ReCam knows: found …, expected …. Nothing was "
                    "downloaded; where a mirror is in use, do without it."
                ),
                "… of … is …: it was removed. … was expected. Ask whether a newer ReCam knows a better one.",
                (
                    "… arrived damaged or is another file: found …, expected …. It was removed; try again, and if "
                    "it stays so, do without a mirror or proxy."
                ),
                "… no longer has the revision …: ….",
                "… has no file … at …: ….",
                "… has no …: ….",
            ),
        ),
        Entry(
            title="The models' folder has no room, or cannot be written to",
            text=(
                "ReCamMaster's models take about 10 GB. **Folder** in the preferences is where they go; move what "
                "is there along, and nothing is downloaded again."
            ),
            messages=(
                (
                    "… needs … more on the disk and some room to spare, and … are free in …: make room, or choose "
                    "a folder of models on another disk."
                ),
                ("The disk is full…. What was downloaded is kept: make room and try again, and it goes on from there."),
                (
                    "The disk takes no file as long as this…, as one formatted as FAT does not: choose a folder of "
                    "models on another one."
                ),
                "ReCam may not write there…: …. Allow it, or choose another folder of models.",
                "The file could not be written…: ….",
                "… is in the way: it is …. Move it away and try again.",
                "… is a link, and ReCam writes only into folders of its own.",
                "The models' folder could not be changed (…)….",
                "… was written by a newer ReCam: update this one.",
            ),
        ),
        Entry(
            title="Another download is under way",
            text="One ReCam downloads a model at a time, also where several Blenders are open.",
            messages=(
                "… is being downloaded: cancel that first.",
                "… is being downloaded already, by another ReCam.",
                "Another ReCam is changing …: try again in a moment.",
                "The download was cancelled. What is there is kept.",
                "The download was cancelled. What is there is kept, and the next one goes on from it.",
                "Cancelled. What has come stays: the next download goes on from there.",
            ),
        ),
        Entry(
            title="A file of weights is damaged, cut off or of an unknown kind",
            text=(
                "The file is told by its path, and this ends the sentence. Weights are read as data: a file that "
                "holds Python code is not opened. Download it again, or convert it where its authors say how."
            ),
            messages=(
                "a folder without weights",
                "cut off: … of its … GB are there; download it again",
                "no state dict: it holds one …",
                "damaged: its tensors are larger than it is",
                "no file of weights of a known format: its tensors are sparse",
                "a ZIP archive and no file of weights: unpack it",
                "no file of weights as PyTorch saves them",
                "no file of weights of a known format",
                "an encrypted archive",
                "a TorchScript program, which is not run here",
                "a folder, whose … is damaged",
                "a folder that lacks …, one of its … parts",
                "cut off: not even its table of contents is whole; download it again",
                "damaged: its table of contents makes no sense; download it again",
                "damaged: its table of contents is wrong about …; download it again",
                "not opened: it holds Python code… beside weights, which could do anything",
                "damaged (…); download it again",
                "cut off, or damaged: the end of it is missing; download it again",
                "a folder, in which … is …",
                "… is not whole, or another network: it has … blocks, and … were expected. Get ….",
                "… is not whole, or not …: it …. Get ….",
                (
                    "… is a network of width … and does not say how many heads it has: put a config.json beside "
                    "it, like …."
                ),
                (
                    "… cannot be loaded: its config.json, or what its metadata has as config, says … of …, where "
                    "something like … was expected; get it anew."
                ),
                "… cannot be loaded: the sizes in its config.json make no such network or VAE (…); get it anew.",
                "… is damaged: in … are numbers that are not finite; get it anew.",
                "… is damaged: in … are numbers that are not finite. …",
                "… cannot be read (…): get it anew.",
                "… is a damaged tokenizer (…): get ….",
                "The text encoder … gives numbers that are not finite: its file is damaged; get it anew.",
                "The text encoder … cannot be read: ….",
            ),
        ),
        Entry(
            title="A model belongs to another network",
            text=(
                "ReCamMaster is built on Wan 2.1 with 1.3 billion parameters; parts of other sizes, and of Wan "
                "2.2, do not fit."
            ),
            messages=(
                "… is no LoRA for Wan 2.1: found …, expected layers like ….",
                "… cannot be read (…); expected a LoRA for Wan 2.1 1.3B as a .safetensors file.",
                "… is for another network: found a layer …, which Wan 2.1 1.3B has not.",
                "… is for another network: found … channels at …, expected …; get the one for Wan 2.1 1.3B.",
                "… is a LoRA for …. …",
                (
                    "The tokenizer knows … tokens and the text encoder …: they do not belong together; get both of "
                    "umt5-xxl."
                ),
                "The text encoder … gives … numbers per token and the network takes …: get umt5-xxl's.",
            ),
        ),
        Entry(
            title="A pack of prompts, or a conversion, fails",
            text="",
            messages=(
                (
                    "… is no pack of prompts as `python -m backend embed` writes it, or a damaged one (…): make it "
                    "anew, or take it away."
                ),
                "… is …. Expected ReCamMaster's network or Wan 2.1's VAE; text encoders are read as they are.",
                "… cannot be written: …",
                "… cannot be written: ….",
            ),
        ),
    ),
)
