"""Files for the schedulers that people have: this installation's paths and settings in a template, quoted for its reader."""

from cekura_sync.schedule.job import Job
from cekura_sync.schedule.kinds import ELSEWHERE, KINDS, render

__all__ = ["ELSEWHERE", "KINDS", "Job", "render"]
