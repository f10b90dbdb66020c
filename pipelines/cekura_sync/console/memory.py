"""Limits of memory: whether one is to blame for a failure, and whether one leaves a sync any chance."""

import ctypes
import errno
import re
import resource
import sys
from contextlib import suppress

from cekura_sync.errors import WarehouseError

_M_ARENA_MAX = -8  # in malloc.h
NEEDED = 1 << 30  # bytes of address space; below it threads and libraries of a sync abort the process
_EXHAUSTED = re.compile(
    r"OutOfMemory|Out of Memory Error|failed to map segment|[Cc]annot allocate memory|can't start new thread|bad_?\s?alloc"
)


def require_address_space() -> None:
    """Raises WarehouseError where `ulimit -v` would end a sync with a crash that no program can report."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < NEEDED:
        raise WarehouseError(
            f"The address space of this process is limited to {limit >> 20:,} MiB, too little for a sync: "
            f"raise `ulimit -v` to 2 GiB or more, or limit the real memory instead (MemoryMax, or the container's limit)."
        )


def share_arenas() -> None:
    """Call it before threads start: glibc gives each one an arena of its own, and what is freed there helps no other."""
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def give_back() -> None:
    """Return freed memory to the system: allocators keep it, although the next step uses other libraries."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def is_exhausted(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, says that there is no more memory; libraries say it in many ways."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        of_a_library = isinstance(error, ImportError | RuntimeError) or "duckdb" in type(error).__module__
        if of_a_library and _EXHAUSTED.search(f"{type(error).__name__}: {error}"):
            return True
        error = error.__cause__ or error.__context__
    return False
