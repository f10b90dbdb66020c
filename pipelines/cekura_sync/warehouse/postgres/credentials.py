"""Of the place where a sync happens to run, dlt hears the credentials of destinations, and nothing else."""

from typing import TYPE_CHECKING, Any

from dlt.common.configuration.providers import EnvironProvider, SecretsTomlProvider

from cekura_sync.warehouse.load import Alone

if TYPE_CHECKING:
    from dlt.common.configuration.providers.provider import ConfigProvider

_KEY = "credentials"


class OnlyCredentials(Alone):
    def initial_providers(self) -> "list[ConfigProvider]":
        return [_Variables(), _Secrets(self.settings_dir, self.global_dir), *super().initial_providers()]


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
