"""The files that jobs see: a root of its own, in which there is what is named here and nothing else, all read-only.

A list of what is seen, not of what is hidden: homes, data folders, keys and sockets are out of reach because nothing
brings them in.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from jobpass.errors import SetupError
from jobpass.worker.sandbox import kernel

SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC: Final = (
    "alternatives fonts group ld.so.cache ld.so.conf ld.so.conf.d localtime mime.types nsswitch.conf passwd timezone"
)
SETTINGS: Final = tuple(f"/etc/{name}" for name in _ETC.split())
DEVICES: Final = tuple(f"/dev/{name}" for name in ["null", "zero", "full", "random", "urandom"])
_LINKS: Final = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "shm": "/tmp",  # noqa: S108
}
TMP: Final = "/tmp"  # noqa: S108
_OLD: Final = "/.old"
_NEW: Final = "/.new"
_SETUP_TMP_BYTES: Final = 16 * 1024 * 1024


def python_paths(extra: Iterable[str] = ()) -> list[str]:
    """Where this Python and its modules are."""
    found = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path, *extra]
    return [path for path in found if path.startswith("/") and path != "/" and os.path.exists(path)]  # noqa: PTH110


def visible_paths(wanted: Iterable[str]) -> list[str]:
    """What is to be bound, each by its name and by what it leads to; what lies in another one is left out."""
    literal = {os.path.normpath(path) for path in wanted}
    both = sorted(literal | {os.path.realpath(path) for path in literal})
    kept: list[str] = []
    for path in both:
        if os.path.lexists(path) and not any(within(path, other) for other in kept):
            kept.append(path)
    return kept


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder or in it, by their names."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def paths_in_tmp(visible: Iterable[str]) -> list[str]:
    """Those visible paths which a new ``/tmp`` would hide. Called in the new root."""
    found = (path for path in visible if within(path, TMP))
    return [path for path in found if os.path.exists(path) and not os.path.islink(path)]  # noqa: PTH110, PTH114


def covers(visible: Iterable[str], hidden: Iterable[str]) -> list[str]:
    """The directories to be covered so that nothing hidden is seen.

    A file is hidden with the directory that holds it, since a new one that is put in its place would be seen.
    Raises ``SetupError`` if jobs need that directory for themselves.
    """
    found = set()
    for path in {variant for one in hidden for variant in (os.path.normpath(one), os.path.realpath(one))}:
        folder = path if os.path.isdir(path) else os.path.dirname(path)  # noqa: PTH112, PTH120
        for seen in visible:
            if within(seen, folder) and (folder == path or within(path, seen)):
                raise SetupError(
                    f"{path} lies in {folder}, which jobs need to read: keep it in a directory of its own."
                )
            if within(folder, seen) and os.path.isdir(folder):  # noqa: PTH112
                found.add(folder)
    return sorted(found)


def enter_root(visible: Iterable[str], covered: Iterable[str]) -> None:
    """Make the root and enter it; the old one is gone. Needs a namespace of mounts of one's own, and power over it.

    ``/proc`` is the one from outside, for another one to be mounted over it.
    """
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    # A first root, from which the old one is seen without what was just mounted on it, and the new one beside it.
    kernel.mount("none", TMP, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=4m")
    for name in (_OLD, _NEW):
        os.mkdir(TMP + name)  # noqa: PTH102
    kernel.pivot_root(TMP, TMP + _OLD)
    os.chdir("/")
    kernel.mount("none", _NEW, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=4m")
    os.mkdir(_NEW + TMP)  # noqa: PTH102
    mount_tmp(_NEW + TMP, _SETUP_TMP_BYTES)
    for path in visible:
        _bind(path, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV)
    for path in DEVICES:
        _bind(path, kernel.ATTR_RDONLY | kernel.ATTR_NOSUID)
    _bind("/proc", kernel.ATTR_NOSUID | kernel.ATTR_NODEV, restrict=False)
    for path in covered:
        kernel.mount("none", _NEW + path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=555,size=4k")
    for name, target in _LINKS.items():
        os.symlink(target, f"{_NEW}/dev/{name}")  # noqa: PTH211
    os.mkdir(_NEW + _OLD)  # noqa: PTH102
    kernel.pivot_root(_NEW, _NEW + _OLD)
    os.chdir("/")
    kernel.unmount(_OLD)  # with all that was on it
    os.rmdir(_OLD)  # noqa: PTH106
    kernel.restrict_mount("/", kernel.ATTR_RDONLY, recursive=False)


def renew_tmp(size_bytes: int, shown: Iterable[str]) -> None:
    """A new ``/tmp``, with those visible paths in it that are shown in the present one."""
    held = {path: os.open(path, os.O_PATH) for path in shown}
    mount_tmp(TMP, size_bytes)
    for path, descriptor in held.items():
        _make_place(path, folder=stat.S_ISDIR(os.fstat(descriptor).st_mode))
        kernel.mount(f"/proc/self/fd/{descriptor}", path, None, kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)


def mount_tmp(target: str, size_bytes: int) -> None:
    """An empty directory in memory, of this size at most, for everybody who is here."""
    options = f"mode=1777,size={size_bytes},nr_inodes=65536"
    kernel.mount("none", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _make_place(path: str, *, folder: bool) -> None:
    """Something to mount on."""
    Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if folder:
        os.mkdir(path, 0o755)  # noqa: PTH102
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))


def _bind(path: str, attributes: int, *, restrict: bool = True) -> None:
    """Show a path of the old root at the same place of the new one; a link stays the link that it is."""
    source, target = _OLD + path, _NEW + path
    try:
        mode = os.lstat(source).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        Path(target).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211
        return
    _make_place(target, folder=stat.S_ISDIR(mode))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    if restrict:
        kernel.restrict_mount(target, attributes)
