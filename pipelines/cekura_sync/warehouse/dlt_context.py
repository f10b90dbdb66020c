"""What dlt may read of the surroundings of a sync: nothing, or only the credentials of destinations."""

from typing import TYPE_CHECKING, Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import (
    CustomLoaderDocProvider,
    EnvironProvider,
    SecretsTomlProvider,
)
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.run_context import RunContext

if TYPE_CHECKING:
    from dlt.common.configuration.providers.provider import ConfigProvider

_CONFIGURATION = {
    "runtime": {
        "dlthub_telemetry": False,  # this product contacts only the Cekura API
        "log_level": "CRITICAL",  # what goes wrong is raised to us, and reported once
        "intercept_signals": False,  # a sync stops at once; what it leaves is scratch
    },
    "extract": {"next_item_mode": "fifo"},  # each query takes its memory while it runs: one after another
    "providers": {"enable_airflow_secrets": False},
    "normalize": {"data_writer": {"disable_compression": True}},  # files that are read once, at once
}
_KEY = "credentials"


class Isolated(RunContext):
    """Only our own configuration."""

    def initial_providers(self) -> "list[ConfigProvider]":
        return [CustomLoaderDocProvider("cekura_sync", lambda: _CONFIGURATION)]


class OnlyCredentials(Isolated):
    def initial_providers(self) -> "list[ConfigProvider]":
        return [_Variables(), _Secrets(self.settings_dir, self.global_dir), *super().initial_providers()]


def use(context: RunContext) -> None:
    Container()[PluggableRunContext] = PluggableRunContext(context)


def _are_asked_for(key: str, sections: tuple[str, ...]) -> bool:
    return sections[:1] == ("destination",) and (key == _KEY or _KEY in sections)


class _Variables(EnvironProvider):
    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        if not _are_asked_for(key, sections):
            return None, key
        return super().get_value(key, hint, pipeline_name or "", *sections)


class _Secrets(SecretsTomlProvider):
    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        if not _are_asked_for(key, sections):
            return None, key
        return super().get_value(key, hint, pipeline_name or "", *sections)
