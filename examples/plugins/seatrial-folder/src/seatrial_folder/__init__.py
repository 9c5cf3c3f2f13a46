"""Model versions, aliases, references and verdicts as files below one folder, ``FOLDER_REGISTRY``.

``models/NAME/NUMBER`` holds a version, ``models/NAME/aliases/ALIAS`` a number, ``runs/NAME/NUMBER/RUN`` the files of a
verdict.
"""

from seatrial_folder.registry import FolderRegistry
from seatrial_folder.tracker import FolderTracker

__all__ = ["FolderRegistry", "FolderTracker"]
