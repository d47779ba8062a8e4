"""Values graded by hand from the wording of CTCAE 5.0, one line a context.

A context is an analyte with the limits of normal, in the protocol's unit, and what is known
of the baseline. `2` is grade 2, `≥2` is grade 2 at least, `?reason` is not gradable.
"""

from __future__ import annotations

from typing import NamedTuple


class Context(NamedTuple):
    analyte: str
    low: str = ""
    high: str = ""
    #: The baseline and where it lies in its range: "320 high"; "" is none, "-" before treatment.
    baseline: str = ""
    anticoagulated: bool | None = False


#: Clinical.md T17: bilirubin of 320 before treatment, upper limit 23.
BILI_ABNORMAL = Context("BILI", "3", "23", "320 high")
BILI_NORMAL = Context("BILI", "3", "23", "15 normal")
BILI_UNKNOWN = Context("BILI", "3", "23", "320 unknown")
BILI_NONE = Context("BILI", "3", "23")
BILI_BEFORE = Context("BILI", "3", "23", "-")
ALT_NORMAL, ALT_ABNORMAL = (
    Context("ALT", "9", "50", "30 normal"),
    Context("ALT", "9", "50", "400 high"),
)
AST_NORMAL, AST_ABNORMAL = (
    Context("AST", "15", "40", "25 normal"),
    Context("AST", "15", "40", "200 high"),
)
ALP_NORMAL, ALP_ABNORMAL = (
    Context("ALP", "45", "125", "80 normal"),
    Context("ALP", "45", "125", "200 high"),
)
GGT_NORMAL, GGT_ABNORMAL = (
    Context("GGT", "10", "60", "40 normal"),
    Context("GGT", "10", "60", "100 high"),
)
FIB_NORMAL, FIB_ABNORMAL = (
    Context("FIBRINO", "2.0", "4.0", "2.6 normal"),
    Context("FIBRINO", "2.0", "4.0", "1.6 low"),
)
CREAT = Context("CREAT", "57", "97", "60 normal")
CREAT_HIGH = Context("CREAT", "57", "97", "120 high")
CREAT_NONE = Context("CREAT", "57", "97")
CREAT_BEFORE = Context("CREAT", "57", "97", "-")
INR = Context("INR", "0.8", "1.2", "2.0 high")
INR_TREATED = Context("INR", "0.8", "1.2", "2.0 high", anticoagulated=True)
INR_UNKNOWN = Context("INR", "0.8", "1.2", "2.0 high", anticoagulated=None)
INR_BEFORE = Context("INR", "0.8", "1.2", "-", anticoagulated=None)
NO_LIMITS = {
    key: Context(key, baseline="5 normal")
    for key in ("BILI", "K", "PLAT", "SODIUM", "HGB", "GLUC", "LYM", "FIBRINO")
}

GRADED: list[tuple[Context, str]] = [
    (BILI_ABNORMAL, "23=0 319=0 320=0 320.1=1 480=1 480.1=2 500=2 960=2 960.1=3 961=3 3200=3 "
                    "3200.1=4 3201=4"),
    (BILI_NORMAL, "2=0 3=0 22.9=0 23=0 23.1=1 34.5=1 34.6=2 69=2 69.1=3 230=3 230.1=4 900=4"),
    (BILI_UNKNOWN, "20=0 23=0 23.5=?baseline_range 321=?baseline_range 3201=4"),
    (BILI_NONE, "15=0 23=0 24=?no_baseline 500=?no_baseline"),
    (BILI_BEFORE, "23=0 24=1 34.5=1 35=2 69=2 70=3 230=3 231=4 320=4"),
    (ALT_NORMAL, "8=0 50=0 50.1=1 51=1 150=1 150.1=2 250=2 250.5=3 1000=3 1000.1=4 5000=4"),
    (ALT_ABNORMAL, "40=0 400=0 599=0 599.9=0 600=1 601=1 1200=1 1200.1=2 2000=2 2001=3 8000=3 "
                   "8001=4"),
    (AST_NORMAL, "40=0 41=1 120=1 121=2 200=2 201=3 800=3 801=4"),
    (AST_ABNORMAL, "200=0 299=0 300=1 600=1 601=2 1000=2 1001=3 4000=3 4001=4"),
    (ALP_NORMAL, "125=0 126=1 312.5=1 312.6=2 625=2 626=3 2500=3 2501=4"),
    (ALP_ABNORMAL, "200=0 399=0 400=1 500=1 501=2 1000=2 1001=3 4000=3 4001=4"),
    (GGT_NORMAL, "60=0 61=1 150=1 151=2 300=2 301=3 1200=3 1201=4"),
    (GGT_ABNORMAL, "199=0 200=1 250=1 251=2 500=2 501=3 2000=3 2001=4"),
    (FIB_NORMAL, "2.0=0 1.99=1 1.5=1 1.49=2 1.0=2 0.99=3 0.5=3 0.49=4 0.2=4"),
    (FIB_ABNORMAL, "2.5=0 1.6=0 1.59=1 1.21=1 1.2=2 0.81=2 0.8=3 0.5=3 0.49=4 0.41=4 0.4=4"),
    (CREAT, "57=0 90=0 90.1=2 97=2 100=2 180=2 180.1=3 291=3 582=3 583=4"),
    (CREAT_HIGH, "97=0 98=1 145.5=1 146=2 181=2 291=2 291.1=3 360=3 582=3 582.1=4"),
    (CREAT_NONE, "98=≥1 145.5=≥1 146=≥2 291=≥2 292=3 582=3 583=4 60=?no_baseline"),
    (CREAT_BEFORE, "97=0 98=1 145.5=1 146=2 291=2 292=3 582=3 583=4"),
    # "Bleeding" makes it grade 3 at any number: below that, of the grade at least.
    (INR, "0.9=0 1.2=0 1.21=≥1 1.5=≥1 1.51=≥2 2.4=≥2 2.5=≥2 2.51=3 6=3"),
    (INR_TREATED, "1.9=0 2.0=0 2.01=≥1 3.0=≥1 3.01=≥2 5.0=≥2 5.01=3"),
    (INR_UNKNOWN, "1.1=0 1.3=?anticoagulation 2.4=?anticoagulation 4.0=?anticoagulation 5.1=3"),
    (INR_BEFORE, "1.2=0 1.3=≥1 2.4=≥2 2.51=3"),
    (Context("APTT", "25", "37"), "37=0 37.1=≥1 55.5=≥1 55.6=≥2 92.5=≥2 92.6=3"),
    (Context("ALB", "40", "55"), "56=0 40=0 39.9=≥1 30=≥1 29.9=≥2 20=≥2 19.9=≥3"),
    (Context("LDH", "120", "250"), "250=0 251=1 4000=1"),
    (Context("HAPTOG", "0.3", "2"), "0.3=0 0.29=1 0=1"),
    (Context("PLAT", "125", "350"), "400=0 125=0 124.9=1 75=1 74.9=2 50=2 49.9=3 25=3 24.9=4 0=4"),
    (Context("WBC", "3.5", "9.5"), "3.5=0 3.4=1 3=1 2.9=2 2=2 1.9=3 1=3 0.9=4 100=0 100.1=≥3"),
    (Context("NEUT", "1.8", "6.3"), "1.8=0 1.7=1 1.5=1 1.49=2 1=2 0.99=3 0.5=3 0.49=4 30=0"),
    (Context("LYM", "1.1", "3.2"), "1.1=0 1.0=1 0.8=1 0.79=2 0.5=2 0.49=3 0.2=3 0.19=4 3.9=0 "
                                   "4=0 4.1=2 20=2 20.1=3"),
    (Context("HGB", "130", "175"), "130=0 129=≥1 100=≥1 99=≥2 80=≥2 79=≥3 175=0 176=1 195=1 "
                                   "195.1=2 215=2 216=3"),
    (Context("SODIUM", "137", "147"), "137=0 136=≥1 130=≥1 129.5=≥2 129=≥2 125=≥2 124.9=≥3 "
                                      "120=≥3 119.9=4 147=0 148=≥1 150=≥1 151=≥2 155=≥2 156=≥3 "
                                      "160=≥3 161=4"),
    (Context("K", "3.5", "5.3"), "3.5=0 3.4=≥1 3.0=≥1 2.9=≥3 2.5=≥3 2.4=4 5.3=0 5.4=≥1 5.5=≥1 "
                                 "5.6=≥2 6.0=≥2 6.1=≥3 7.0=≥3 7.1=4"),
    (Context("CAION", "1.10", "1.34"), "1.10=0 1.09=≥1 1.0=≥1 0.99=≥2 0.9=≥2 0.89=≥3 0.8=≥3 "
                                       "0.79=4 1.35=≥1 1.5=≥1 1.51=≥2 1.6=≥2 1.61=≥3 1.8=≥3 "
                                       "1.81=4"),
    (Context("GLUC", "3.9", "6.1", "5 normal"), "3.9=0 3.8=≥1 3.0=≥1 2.9=≥2 2.2=≥2 2.1=≥3 1.7=≥3 "
                                                "1.6=4 6.1=0 6.2=≥1 30=≥1"),
    (Context("GLUC", "3.9", "6.1", "9 high"), "7=0 9=0 9.1=≥1 5=0 2.9=≥2"),
    (Context("PH", "7.35", "7.45"), "7.40=0 7.35=0 7.34=≥1 7.30=≥1 7.29=≥3 7.45=0 7.46=≥1 7.5=≥1 "
                                    "7.51=≥3"),
    # A limit is graded where every value it may be has the same grade.
    (Context("PLAT", "125", "350"), "<25=4 <10=4 <50=?limit <125=?limit >25=?limit >125=0 >=125=0 "
                                    "<=24=4 <=25=?limit"),
    (Context("INR", "0.8", "1.2", "2.0 high"), ">2.5=3 >=2.5=?limit >2.4=?limit >10=3 <0.8=0 "
                                               "<1.2=0 <=1.2=0 <1.3=?limit"),
    (BILI_ABNORMAL, ">3200=4 >=3200=?limit >1000=?limit <320=0 <=320=0 <321=?limit"),
    (ALT_NORMAL, "<5=0 >1000=4 >900=?limit <51=?limit"),
    (Context("BILI", "3", "23", ">500 high"), "20=?baseline_limit 800=?baseline_limit"),
    (Context("BILI", "3", "23", "<5 normal"), "23=0 24=1 230.1=4"),
    (Context("K", "3.5", "5.3"), ">7=4 >=7=?limit <2.5=4 <3=?limit"),
    # Without limits of normal only what absolute limits decide is graded.
    (NO_LIMITS["BILI"], "20=?no_range 900=?no_range"),
    (NO_LIMITS["K"], "4.0=?no_range 2.9=≥3 5.6=≥2 7.2=4 3.2=?no_range"),
    (NO_LIMITS["PLAT"], "74=2 49.9=3 10=4 75=?no_range 300=?no_range"),
    (NO_LIMITS["SODIUM"], "128=≥2 119=4 161=4 140=?no_range"),
    (NO_LIMITS["HGB"], "99=≥2 79=≥3 130=?no_range"),
    (NO_LIMITS["GLUC"], "1.6=4 5=?no_range"),
    (NO_LIMITS["LYM"], "0.1=4 4.1=2 20.1=3 2=?no_range"),
    (NO_LIMITS["FIBRINO"], "0.49=4 0.6=?no_range"),
    (Context("BILI", "", "23", "15 normal"), "23=0 24=1"),
    (Context("PLAT", "125", ""), "124=1 125=0"),
    (Context("HGB", "130", ""), "129=≥1 140=?no_range"),
    # CTCAE has no grade by numbers for these.
    (Context("BILDIR", "0", "6.8"), "3=?no_term 100=?no_term"),
    (Context("AMMONIA", "9", "30"), "200=?no_term"),
    (Context("LACTICAC", "0.5", "2.2"), "9=?no_term"),
    (Context("PTA", "70", "130"), "20=?no_term"),
]  # fmt: skip


def cases() -> list[tuple[Context, str, str]]:
    """Context, value and what is expected of it."""
    found = []
    for context, line in GRADED:
        for pair in line.split():
            value, _, expected = pair.rpartition("=")
            found.append((context, value, expected))
    return found
