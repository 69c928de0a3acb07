"""Names of files, for every file system the gateway may run on; pure.

A partner's name is a name in a folder, never a path. Windows takes no device names (`CON`, `AUX.txt`), no trailing dots or blanks, none of `<>:"/\\|?*`,
no path over 259 characters unless it is written in the long form; a name made here is safe there too, so that a workspace can be moved. That `A.edi` and
`a.edi` are one file there is left to the file system: whether a name is free is asked of it (`durable.free_name`).
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from pathlib import PurePath

LONGEST = 200
LONGEST_PATH = 259  # MAX_PATH without its closing zero
LONGEST_PLACE = 15  # "/2026/11/25/" and what an unfinished file carries before its name
DIGITS = "123456789\u00b9\u00b2\u00b3"  # COM¹ is a device, too
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{device}{digit}" for device in ("COM", "LPT") for digit in DIGITS)}


def safe_name(name: str) -> str:
    """A name that any file system takes: no separators, no control characters, no reserved device names, not too long; its ending is kept."""
    clean = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).rstrip(". ") or "_"
    if clean.split(".", 1)[0].rstrip(" ").upper() in RESERVED:
        clean = f"_{clean}"
    return shorten(clean)


def shorten(name: str, *, longest: int = LONGEST) -> str:
    """A name of at most so many bytes; the middle goes, the ending stays."""
    if len(name.encode()) <= longest:
        return name
    suffix = PurePath(name).suffix[:20]
    kept = name.encode()[: longest - len(suffix.encode())].decode(errors="ignore")
    return kept.rstrip(". ") + suffix


def numbered(name: str, number: int) -> str:
    """The same name with a number before its ending: `a~2.edi`."""
    path = PurePath(name)
    return f"{path.stem}~{number}{path.suffix}"


def is_temporary(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name says that its file is still being written. A leading dot always does: so are the gateway's own unfinished files named."""
    return name.startswith(".") or _one_pattern(patterns).match(name.lower()) is not None


@lru_cache(maxsize=64)
def _one_pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Several name patterns as one: a folder of 20,000 files is listed often."""
    return re.compile("|".join(fnmatch.translate(pattern.lower()) for pattern in patterns) or r"(?!)")


def long_path(path: str, *, windows: bool) -> str:
    r"""A folder as Windows takes it when names in it could be too long: `\\?\C:\…`, `\\?\UNC\server\share\…`; unchanged elsewhere."""
    if not windows or len(path) + LONGEST + LONGEST_PLACE <= LONGEST_PATH or path.startswith("\\\\?\\"):
        return path
    path = path.replace("/", "\\")
    return "\\\\?\\UNC\\" + path[2:] if path.startswith("\\\\") else "\\\\?\\" + path
