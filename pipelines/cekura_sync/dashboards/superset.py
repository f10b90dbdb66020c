"""Superset's import file: a database, datasets, charts and a dashboard as YAML, in one archive.

Its ids come from the warehouse's path, so that a second import finds what the first one made.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

from cekura_sync.dashboards import queries
from cekura_sync.dashboards.charts import METRICS, RATES, Chart, all_charts
from cekura_sync.dashboards.queries import Query
from cekura_sync.errors import SettingsError

FILE = "cekura-superset.zip"
VERSION = "1.0.0"  # of Superset's format
_OURS = UUID("6f1c2a52-3f0b-4c4e-9d0f-5d0a3f7c1b9e")
_TIMES = ("DATE", "TIMESTAMP")
_COLUMNS = 12  # of a row
Text = Mapping[str, Any]


def files(warehouse: Path, _folder: Path) -> dict[str, bytes]:
    """The archive under its name. Raises SettingsError for a path that a SQLAlchemy URI cannot hold."""
    if re.search(r"[?\x00-\x1f\x7f]", str(warehouse)):
        raise SettingsError(
            f"The address of a database cannot hold the path {str(warehouse)!r}: Superset needs one without question marks and control characters."
        )
    archive = io.BytesIO()
    with ZipFile(archive, "w") as bundle:
        for name, content in _contents(warehouse):
            # The time is part of the archive: a fixed one makes equal archives equal.
            entry = ZipInfo(f"cekura/{name}.yaml")
            entry.compress_type = ZIP_DEFLATED
            bundle.writestr(entry, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return {FILE: archive.getvalue()}


def _contents(warehouse: Path) -> Iterator[tuple[str, Text]]:
    ids = _Ids(f"duckdb:///{warehouse}?access_mode=read_only")
    rows = all_charts()
    # Without a `type` both of Superset's imports take it: that of dashboards, and that of everything, which overwrites.
    yield "metadata", {"version": VERSION}
    yield "databases/cekura", _database(warehouse, ids)
    for query in queries.read().values():
        yield f"datasets/cekura/{query.name}", _dataset(query, ids)
    for chart in (chart for row in rows for chart in row):
        yield f"charts/{chart.key}", _chart(chart, ids)
    yield "dashboards/cekura", _dashboard(warehouse, rows, ids)


class _Lines(str):
    """Written line by line, as people read a query."""


yaml.SafeDumper.add_representer(
    _Lines, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


class _Ids:
    """Ids of what belongs to one warehouse."""

    def __init__(self, address: str) -> None:
        self.address = address

    def of(self, kind: str, name: str = "") -> str:
        return str(uuid5(_OURS, f"{self.address} {kind} {name}"))


def _database(warehouse: Path, ids: _Ids) -> Text:
    return {
        "database_name": f"Cekura results: {warehouse}",
        "sqlalchemy_uri": ids.address,
        "expose_in_sqllab": True,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": ids.of("database"),
        "version": VERSION,
    }


def _dataset(query: Query, ids: _Ids) -> Text:
    return {
        "table_name": query.name,
        "description": query.meaning,
        "schema": "analytics",
        "sql": _Lines(query.sql),
        "main_dttm_col": next((column.name for column in query.columns if column.kind in _TIMES), None),
        "columns": [
            {
                "column_name": column.name,
                "verbose_name": column.name.replace("_", " "),
                "type": column.kind,
                "is_dttm": column.kind in _TIMES,
                "groupby": True,
                "filterable": True,
                "description": column.meaning,
            }
            for column in query.columns
        ],
        "metrics": [
            {
                "metric_name": name,
                "expression": _Lines(queries.formula(expression)),
                "d3format": ".1%" if name in RATES else ",d",
            }
            for name, expression in METRICS.get(query.name, {"Rows": "count(*)"}).items()
        ],
        "uuid": ids.of("dataset", query.name),
        "version": VERSION,
        "database_uuid": ids.of("database"),
    }


def _chart(chart: Chart, ids: _Ids) -> Text:
    asked = {
        "datasource": {"id": 0, "type": "table"},  # the import puts its own id there
        "force": False,
        "queries": [{"filters": [], "extras": {}, **query} for query in chart.queries],
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": chart.name,
        "viz_type": chart.kind,
        "params": {"viz_type": chart.kind, **chart.params},
        "query_context": json.dumps(asked),
        "uuid": ids.of("chart", chart.key),
        "version": VERSION,
        "dataset_uuid": ids.of("dataset", chart.query),
    }


def _dashboard(warehouse: Path, rows: list[list[Chart]], ids: _Ids) -> Text:
    return {
        "dashboard_title": f"Cekura agents: {warehouse.stem}",
        "slug": None,
        "published": True,
        "position": _position(rows, ids),
        "metadata": {
            "native_filter_configuration": [_agent_filter(rows, ids)],
            "cross_filters_enabled": True,
            "color_scheme": "supersetColors",
        },
        "uuid": ids.of("dashboard"),
        "version": VERSION,
    }


def _position(rows: list[list[Chart]], ids: _Ids) -> Text:
    """Rows of charts, one below the other."""
    places: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {
            "id": "GRID_ID",
            "type": "GRID",
            "parents": ["ROOT_ID"],
            "children": [f"ROW-{number}" for number, _ in enumerate(rows)],
        },
    }
    for number, row in enumerate(rows):
        name = f"ROW-{number}"
        charts = [_place(chart, name, _COLUMNS // len(row), ids) for chart in row]
        places[name] = {
            "id": name,
            "type": "ROW",
            "parents": ["ROOT_ID", "GRID_ID"],
            "children": [place["id"] for place in charts],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        places |= {place["id"]: place for place in charts}
    return places


def _place(chart: Chart, row: str, width: int, ids: _Ids) -> dict[str, Any]:
    return {
        "id": f"CHART-{chart.key}",
        "type": "CHART",
        "parents": ["ROOT_ID", "GRID_ID", row],
        "children": [],
        "meta": {
            "chartId": _number(chart),
            "uuid": ids.of("chart", chart.key),
            "sliceName": chart.name,
            "width": width,
            "height": chart.height,
        },
    }


def _agent_filter(rows: list[list[Chart]], ids: _Ids) -> Text:
    """Choose agents for every chart that has some."""
    without = [_number(chart) for row in rows for chart in row if chart.query == "freshness"]
    return {
        "id": "NATIVE_FILTER-agent",
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "name": "Agent",
        "targets": [{"datasetUuid": ids.of("dataset", "last_week"), "column": {"name": "agent"}}],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": without},
        "controlValues": {"multiSelect": True, "enableEmptyFilter": False, "defaultToFirstItem": False},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
    }


def _number(chart: Chart) -> int:
    """By which a layout means a chart; the import puts its own id there."""
    keys = [each.key for row in all_charts() for each in row]
    return 1 + keys.index(chart.key)
