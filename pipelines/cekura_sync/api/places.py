"""Where each row stands in the chain, in a few bytes a row: an account of a million results must fit into little memory."""

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import NamedTuple

from cekura_sync.api.json_values import bigint

_STAIRS = 8
_UNKNOWN = -(2**63)  # stands for a time that cannot be read


class Place(NamedTuple):
    key: int  # see number_of
    position: int
    created: int | None  # microseconds since 1970


def number_of(key: int | str) -> int:
    """The id itself; for anything else a number that no id has. It says nothing about the text that it stands for."""
    if type(key) is int and -(2**63) < key < 2**63:  # nearly every key, a million times
        return key
    number = bigint(key)
    return (
        number
        if number is not None
        else -1 - int.from_bytes(blake2b(str(key).encode(), digest_size=7).digest())
    )


class Places:
    """A mapping from key to place.

    In a listing that is newest first the ids nearly always descend, and descending ids need no hash table: arrays of plain
    numbers do. What does not fit in goes into a dictionary, which takes about ten times as much.
    """

    def __init__(self) -> None:
        self._stairs: list[_Stair] = []
        self._others: dict[int, Place] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def get(self, key: int) -> Place | None:
        found = self._others.get(key)
        for stair in self._stairs:
            if found is not None:
                break
            found = stair.get(key)
        return found

    def replace(self, place: Place) -> None:
        """For a key that is there."""
        self._others[place.key] = place

    def add(self, place: Place) -> None:
        """For a key that is not there yet."""
        self._rows += 1
        stair = self._stair_for(place.key)
        if stair is None:
            self._others[place.key] = place
        else:
            stair.put(place)

    def _stair_for(self, key: int) -> "_Stair | None":
        if key < 0:  # it stands for something else, and would end a stair
            return None
        for stair in self._stairs:
            if stair.leads_to(key):
                return stair
        if len(self._stairs) == _STAIRS:
            return None
        self._stairs.append(_Stair())
        return self._stairs[-1]


class _Stair:
    """Places whose keys descend."""

    def __init__(self) -> None:
        self._keys = array("q")  # negated, because bisect wants them to ascend
        self._positions = array("q")
        self._times = array("q")

    def leads_to(self, key: int) -> bool:
        return not self._keys or -key > self._keys[-1]

    def put(self, place: Place) -> None:
        self._keys.append(-place.key)
        self._positions.append(place.position)
        self._times.append(_UNKNOWN if place.created is None else place.created)

    def get(self, key: int) -> Place | None:
        if not self._keys[0] <= -key <= self._keys[-1]:
            return None
        index = bisect_left(self._keys, -key)
        if self._keys[index] != -key:
            return None
        time = self._times[index]
        return Place(key, self._positions[index], None if time == _UNKNOWN else time)
