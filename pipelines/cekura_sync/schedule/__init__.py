"""Files for schedulers: templates filled with this installation's paths and settings, quoted for their readers."""

from cekura_sync.schedule.gates import GATES, render_gate
from cekura_sync.schedule.job import Job
from cekura_sync.schedule.kinds import ELSEWHERE, KINDS, render

__all__ = ["ELSEWHERE", "GATES", "KINDS", "Job", "render", "render_gate"]
