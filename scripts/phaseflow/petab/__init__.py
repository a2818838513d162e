"""PEtab problems (version 1): an SBML model and tables that say what was measured of it, read into a calibration.

Source: Schmiester et al. (2021), PLoS Comput. Biol. 17, e1008646; the SBML specification, level 3 version 2.
"""

from __future__ import annotations


class PetabError(ValueError):
    """What cannot be read of a PEtab problem; all of it at once.

    Attributes
    ----------
    problems : a sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
