"""What a scenario is expected to cost, from its settings alone, and how many of its members make a job.

A rough model, right to a factor of ten for systems whose time scale is about 1: no result depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

# A unit of time of Lorenz's system by Taylor's method on one core, and how many times more other work takes.
_SECONDS_A_UNIT = 4e-6
_MEASURED, _ESTIMATED, _REFERENCED, _BY_SCIPY = 5, 6, 1000, 200
# A job is to take about so long where there are members enough for that many jobs and more.
_SECONDS_A_JOB = 30
_JOBS = 12
_LARGEST_CHUNK = 6_400
_ROWS = 2_000_000
# Where there are few members: so many a job.
_FEW = {"reference": 25, "measured": 200}


@dataclass(frozen=True)
class Work:
    """What there is to do for one member.

    Attributes
    ----------
    span : how long is integrated, the transient with it.
    rows : how many rows of trajectories are kept, 1 where none are.
    certificate : the method that finds how long it is reliable, or none.
    """

    dimension: int
    span: float
    rows: int
    method: str
    certificate: str
    is_measured: bool

    @property
    def seconds(self) -> float:
        """The seconds that a member takes."""
        weight = self.dimension / 3 * (_MEASURED if self.is_measured else 1)
        weight *= {"reference": _REFERENCED, "estimate": _ESTIMATED}.get(self.certificate, 1)
        return self.span * weight * _SECONDS_A_UNIT * (1 if self.method == "taylor" else _BY_SCIPY)

    def size_chunk(self, n_members: int) -> int:
        """Return about how many of a sweep's members make a job.

        It holds at most two million rows of four states, and is doubled from its least size, so that one value more changes it seldom.
        """
        most = min(_LARGEST_CHUNK, _ROWS // (self.rows * max(1, self.dimension // 4)))
        kind = "reference" if self.certificate == "reference" else "measured" if self.is_measured else ""
        size = max(1, min(_FEW.get(kind, _LARGEST_CHUNK), most))
        limit = min(most, n_members // _JOBS, _SECONDS_A_JOB / max(self.seconds, 1e-9))
        while 2 * size <= limit:
            size *= 2
        return size
