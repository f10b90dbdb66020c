"""The two endpoints of the results API, within one scope."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from functools import partial

from cekura_sync.api.client import Client, Pending
from cekura_sync.api.decode_details import Detail, decode_details
from cekura_sync.api.decode_rows import Page, Row, another_result, decode_detail, decode_page
from cekura_sync.api.paging import Window
from cekura_sync.api.personal import PersonalData
from cekura_sync.errors import CekuraSyncError
from cekura_sync.settings import Settings

MOST_IN_A_ROW = 5  # records that cannot be had, before the other details are left to a later sync


class Api:
    """Pages of the listing, and results by id."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._path = f"/test_framework/{settings.api_version}/results/"
        self._filters = settings.filters.params()

    def page(self, window: Window) -> Pending[Page]:
        """One window of the listing; None if the API has no such page."""
        params = {**self._filters, "page": str(window.page), "page_size": str(window.size)}
        return self._client.submit(self._path, params, decode_page)

    def results_by_id(
        self,
        ids: Iterable[int],
        row_keys: Collection[str],
        run_keys: Collection[str],
        *,
        list_in_percent: bool,
    ) -> Iterator[tuple[int, Row | CekuraSyncError | None]]:
        """Each id with its result in the form of the list, None where the API says that it is gone, or what went wrong.

        The caller decides whether that is trouble of this result alone.
        """
        decode = partial(decode_detail, row_keys=row_keys, run_keys=run_keys, list_in_percent=list_in_percent)
        answers = [(id_, self._client.submit(f"{self._path}{id_}/", {}, decode)) for id_ in ids]
        for id_, answer in answers:
            row = answer.outcome()
            if isinstance(row, Row) and row.key != id_:
                row = another_result(id_, row.flaw)
            yield id_, row

    def details(
        self, ids: Iterable[int], *, personal_data: PersonalData, go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Detail | None]]:
        """Each id with the full record of its result, or None where it is gone; a record that cannot be had has a flaw.

        Asks for no more once `go_on` says no, or too many in a row cannot be had. Raises CekuraSyncError where the
        listing does not answer either: then the API is down, and it is not the record's own trouble.
        """
        in_a_row = 0
        for id_, outcome in self._details(ids, personal_data=personal_data, go_on=go_on):
            in_a_row = in_a_row + 1 if isinstance(outcome, CekuraSyncError) else 0
            if isinstance(outcome, CekuraSyncError):
                if self.page(Window(1, 1)).result() is None:
                    raise outcome
                yield id_, Detail(only_id(id_), str(outcome))
            else:
                yield id_, outcome
            if in_a_row >= MOST_IN_A_ROW:
                return

    def _details(
        self, ids: Iterable[int], *, personal_data: PersonalData, go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Detail | CekuraSyncError | None]]:
        ahead: deque[tuple[int, Pending[Detail]]] = deque()
        for id_ in ids:
            if not go_on():
                break
            decode = partial(decode_details, result_id=id_, personal_data=personal_data)
            ahead.append((id_, self._client.submit(f"{self._path}{id_}/", {}, decode)))
            # Twice as many as can run at once, so that no connection idles while responses are handled.
            if len(ahead) >= 2 * self._client.concurrency:
                id_, answer = ahead.popleft()
                yield id_, answer.outcome()
        for id_, answer in ahead:
            yield id_, answer.outcome()

    @property
    def clock_ahead(self) -> timedelta:
        """Our clock against the API's; nothing where the API does not say."""
        return self._client.clock_ahead or timedelta()

    def seconds_left(self) -> float:
        """What is left of the time budget of the whole sync."""
        return self._client.seconds_left()


def only_id(id_: int) -> str:
    """What is kept of a record that cannot be had."""
    return f'{{"id": {id_}}}'
