"""Everything that can go wrong, as one tree. A message is one sentence: what happened, on what, what to do next.

CekuraSyncError
├── SettingsError           a setting is missing, malformed or refused
├── KeyRefused              the API does not accept the key
├── ApiUnavailable          the API cannot be reached, is down, or limits the rate beyond the budget
│   └── RateLimited         429, with the wait that the API asks for
├── UnbelievableAnswer      an invalid API response
│   └── UnreadableAnswer    not JSON, such as a proxy's HTML page; worth a retry
├── ModelError              a SQL model does not build, or a check finds wrong rows
├── ListingUnverified       the listing could not be verified as complete
├── MassDeleteRefused       the sync would mark too much as deleted
├── WarehouseBusy           another sync is running on this warehouse
└── WarehouseError          the warehouse file or its disk cannot be used
"""


class CekuraSyncError(Exception): ...


class SettingsError(CekuraSyncError): ...


class KeyRefused(CekuraSyncError): ...


class ApiUnavailable(CekuraSyncError): ...


class RateLimited(ApiUnavailable):
    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnbelievableAnswer(CekuraSyncError): ...


class UnreadableAnswer(UnbelievableAnswer): ...


class ModelError(CekuraSyncError): ...


class ListingUnverified(CekuraSyncError): ...


class MassDeleteRefused(CekuraSyncError): ...


class WarehouseBusy(CekuraSyncError): ...


class WarehouseError(CekuraSyncError): ...
