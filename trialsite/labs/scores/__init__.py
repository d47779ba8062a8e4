"""Computed scores: exact, versioned, each with its inputs and why it could not be computed.

Plain Python. A score never guesses: a missing or censored input gives no score.
"""

from .albi import albi
from .child_pugh import child_pugh
from .clif import clif_aclf, clif_of
from .coagulation import expected_pta
from .daily_rise import daily_rise
from .grades import Ascites, Encephalopathy
from .haemodynamics import mean_arterial_pressure, plasma_volume
from .kdigo import EarlierCreatinine, kdigo_stage
from .meld import AETIOLOGY, MELD_3_0, MELD_NA_2016, UNOS, VERSIONS, meld
from .r_ratio import r_ratio
from .score import Given, Number, Score, ScoreInput, Why, half_up

__all__ = [
    "AETIOLOGY",
    "MELD_3_0",
    "MELD_NA_2016",
    "UNOS",
    "VERSIONS",
    "Ascites",
    "EarlierCreatinine",
    "Encephalopathy",
    "Given",
    "Number",
    "Score",
    "ScoreInput",
    "Why",
    "albi",
    "child_pugh",
    "clif_aclf",
    "clif_of",
    "daily_rise",
    "expected_pta",
    "half_up",
    "kdigo_stage",
    "mean_arterial_pressure",
    "meld",
    "plasma_volume",
    "r_ratio",
]
