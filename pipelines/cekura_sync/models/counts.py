"""Stores with each result how its runs came out, so that no view has to count the runs of all results."""

from cekura_sync.models import runner
from cekura_sync.models.runner import Model
from cekura_sync.tables import COUNTED, SCHEMA

# Another text of the views may count them otherwise; and `build` is to repair whatever is wrong.
FORGET = f"update {SCHEMA}.results set _runs_listed = null where _runs_listed is not null"


def uncounted() -> Model:
    """The query of sql/stored/: the counts of each live result that has none."""
    (model,) = runner.read_models(runner.models_dir() / "stored")
    return model


def storing(query: str) -> str:
    """The statement that stores what this query finds: `uncounted`, in an engine's words."""
    values = ", ".join(f"{column} = counted.{column}" for column in COUNTED)
    return f"update {SCHEMA}.results as results set {values} from ({query}) as counted where results.id = counted.result_id"
