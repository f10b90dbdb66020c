"""The two endpoints of the results API, within one scope."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial

from cekura_sync.api.client import Client, Pending
from cekura_sync.api.decode_details import Detail, decode_details
from cekura_sync.api.decode_rows import Page, Row, decode_detail, decode_page
from cekura_sync.api.paging import Window
from cekura_sync.api.personal import PersonalData
from cekura_sync.errors import UnbelievableAnswer
from cekura_sync.settings import Settings


class Api:
    """Pages of the listing, and results by id."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._path = f"/test_framework/{settings.api_version}/results/"
        self._filters = settings.filters.params()

    def page(self, window: Window) -> Pending[Page]:
        """One window of the listing; None where the API says that there is no such page."""
        params = {**self._filters, "page": str(window.page), "page_size": str(window.size)}
        return self._client.submit(self._path, params, decode_page)

    def results_by_id(
        self,
        ids: Iterable[int],
        row_keys: Collection[str],
        run_keys: Collection[str],
        *,
        list_in_percent: bool,
    ) -> Iterator[tuple[int, Row | None]]:
        """Each id with its result in the form of the list; None where the API says that it is gone."""
        decode = partial(decode_detail, row_keys=row_keys, run_keys=run_keys, list_in_percent=list_in_percent)
        answers = [(id_, self._client.submit(f"{self._path}{id_}/", {}, decode)) for id_ in ids]
        for id_, answer in answers:
            row = answer.result()
            if row is not None and isinstance(row.key, int) and row.key != id_:
                raise UnbelievableAnswer(
                    f"Asked for result {id_}, the API answers with another one: try again later."
                )
            yield id_, row

    def details(
        self, ids: Iterable[int], *, personal_data: PersonalData, go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Detail | None]]:
        """Each id with the full record of its result, or None where it is gone; asks for no more once `go_on` says no."""
        ahead: deque[tuple[int, Pending[Detail]]] = deque()
        for id_ in ids:
            if not go_on():
                break
            decode = partial(decode_details, result_id=id_, personal_data=personal_data)
            ahead.append((id_, self._client.submit(f"{self._path}{id_}/", {}, decode)))
            # As many again wait as are under way, so that nobody idles while answers are taken.
            if len(ahead) >= 2 * self._client.concurrency:
                id_, answer = ahead.popleft()
                yield id_, answer.result()
        for id_, answer in ahead:
            yield id_, answer.result()

    def seconds_left(self) -> float:
        """Of the budget of the whole sync."""
        return self._client.seconds_left()
