"""Of files of cameras, in and out."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Files of cameras",
    text=(
        "What is wrong in a file is told with its line, frame or byte. What a format cannot hold, and what was decided "
        "for that reason, is told with every file that is read or written; the manual has a page on such files."
    ),
    entries=(
        Entry(
            title="A file of cameras cannot be read",
            text=(
                "The message names the place. A file that is read as another format than it is says so too: choose the "
                "format with --from in a shell."
            ),
            messages=(
                "… cannot be read as a camera. ….",
                "… numbers as in line …: …",
                "The file says that it has … images, and has …: it may not be whole.",
            ),
        ),
        Entry(
            title="A file of cameras cannot be written",
            text="",
            messages=(
                "The cameras cannot be written. ….",
                "There is no file name: give one.",
                "There are no frames from … to ….",
                "No camera is selected: select one, or write the scene's own.",
                "… holds one camera, and … are selected: select one, or choose another format.",
                "Several cameras are written as … alone: select one, or choose that.",
            ),
        ),
        Entry(
            title="The file holds no lens",
            text="Say which: **Focal Length** in Blender's import, --lens and --sensor in a shell.",
            messages=(
                "TUM files hold no lens and no picture size.",
                "camera_extrinsics.json holds no lens and no picture size.",
                "RealEstate10K files hold no picture size.",
                "The lens was taken as … mm on a sensor … mm wide.",
                "The picture was taken as … x … pixels.",
                "The pictures differ in size: all lenses were brought to … x … pixels.",
                "The lens, which changes, from …° across, is lost.",
                "The lens, …° across, is lost.",
            ),
        ),
        Entry(
            title="The lens is distorted",
            text="A take is shot by a pinhole. Undistort the footage and its cameras together before you use them.",
            messages=(
                "The lens is distorted (k1, k2), which a take's cannot be: its distortion is left out.",
                "The lens is distorted (k1, k2, ...), which a take's cannot be: that is left out.",
                (
                    "The lens is distorted (…), which a take's cannot be: that is left out. Undistort the footage to "
                    "match (COLMAP's image_undistorter)."
                ),
            ),
        ),
        Entry(
            title="The file has no scale",
            text=(
                "Cameras that were solved from pictures do not know how large the world is. Measure something, and "
                "give **Metres per Unit** in Blender's import, or --scale in a shell."
            ),
            messages=(
                "COLMAP's files do not say how long a unit is: one is a metre here, unless you say otherwise.",
                "RealEstate10K files do not say how long a unit is: one is a metre here, unless you say otherwise.",
                "transforms.json does not say how long a unit is: one is a metre here, unless you say otherwise.",
            ),
        ),
        Entry(
            title="The file has no times, or odd ones",
            text="",
            messages=(
                "ReCam's trajectory files hold no frame rate: they have one pose for each frame.",
                "COLMAP's files hold no frame rate: they have one pose for each picture.",
                "camera_extrinsics.json holds no frame rate: it has one pose for each frame.",
                "transforms.json holds no frame rate: it has one pose for each frame.",
                "No rate is known: the new file counts frames in place of time. --rate says how many make a second.",
                "The times are no whole numbers: they were taken as seconds.",
                "The times are small whole numbers: they were taken as numbers of frames.",
                "The times are whole numbers: they were taken as ….",
                "All poses have the same time: they were taken one for each frame, in the file's order.",
                "The poses were not in the order of their times: they were sorted.",
                "… of … poses have the time of another: the first of each was kept.",
                "The poses are not evenly spaced in time: they were interpolated at even times.",
                "The poses, … a second, were brought to … frames a second by interpolation.",
            ),
        ),
        Entry(
            title="Frames are not in the file",
            text="",
            messages=(
                "… of … frames are not in the file: they were interpolated.",
                "… of … poses are no numbers: they were left out.",
                "The numbers of the poses are too far apart to be those of frames: one was taken for each frame.",
            ),
        ),
        Entry(
            title="Which camera, and which way up",
            text="Choose another camera, or another axis, in Blender's import, or with --camera and --up in a shell.",
            messages=(
                "The file holds … cameras: … was taken.",
                "… was taken as up in the file.",
            ),
        ),
        Entry(
            title="The scene is not as the file's pictures",
            text="",
            messages=(
                (
                    "The file's lens is not for pixels of the shape that the scene's have: the picture is right "
                    "across, and not up and down. Change the pixel aspect in Output > Format."
                ),
                "The file's picture is … x … pixels, which is another shape than the scene's.",
                "The last key is on frame …, and the scene ends at ….",
            ),
        ),
    ),
)
