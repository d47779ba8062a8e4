"""The invented persons who consented: what is theirs, as data; `course` lives it through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from screening.models.consent import Signer
from screening.models.forms import Allergies, Examination, MedicalHistory
from screening.models.log import Source
from trialsite.demo.against import Against
from trialsite.demo.severity import USUAL, Illness, Trend
from visits.models import VitalSigns


@dataclass(frozen=True, slots=True)
class Person:
    """An invented participant: where, whose, and how far from the first contact to today."""

    #: How the story calls them.
    key: str
    site: str
    nurse: str
    #: The day before this one, counted from today, was the screening visit.
    zero: int
    sex: str = "M"
    age: int = 44
    weight: float = 66
    illness: Illness = USUAL
    source: Source = Source.WARD
    #: Whether an investigator has decided yet; the engine says what.
    decided: bool = True
    #: What an investigator judges against the person.
    against: tuple[Against, ...] = ()
    signer: Signer = Signer.PARTICIPANT
    #: What the screening's forms say other than usual.
    says: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: A consented person who goes home before a decision.
    withdrew: bool = False
    #: Panels drawn at screening beyond those that the schedule expects.
    also_drawn: tuple[str, ...] = ()
    #: Bilirubin of the ward's draw on the day before screening.
    ward_bilirubin: float | None = None
    #: The ward had exchanged plasma before.
    exchanged: bool = False
    #: Days, from day zero, of the treatments.
    treated: tuple[int, ...] = (0, 2)
    #: Day zero's session stood still twice, with a hypotension.
    troubled: bool = False
    #: Days of the schedule nobody was seen on, as was said; of others nothing was said yet.
    missed: tuple[int, ...] = ()
    forgotten: tuple[int, ...] = ()
    #: Days of the schedule seen so many days late.
    late: tuple[int, ...] = ()
    #: The last day of the schedule on which anything was seen of them.
    until: int | None = None

    def is_seen(self, day: int) -> bool:
        """Whether anything is entered of this day of the schedule."""
        return day not in self.forgotten and (self.until is None or day <= self.until)


#: MELD far above the limit; coagulation beyond its range on either side, bilirubin below;
#: no marker of inflammation high; bleeding; a failing circulation; a value that asks a query;
#: one result not yet there.
KIDNEYS_FAIL = Illness(
    worst={"BILI": 430, "INR": 2.5, "CREAT": 290, "UREA": 17, "SODIUM": 131, "LACTICAC": 3.4}
)
DOES_NOT_CLOT = Illness(worst={"INR": 3.05, "BILI": 260, "FIBRINO": 0.9, "AMMONIA": 92})
HARDLY_ILL = Illness(worst={"INR": 1.32, "BILI": 148, "AMMONIA": 41, "LACTICAC": 1.6})
NOT_INFLAMED = Illness(worst={"CRP": 4.1, "INTLK6": 3.8, "TNF": 5.2, "PCT": 0.12, "WBC": 5.9})
BLEEDS = Illness(worst={"FIBRINO": 0.7, "PLAT": 31, "HGB": 74, "INR": 2.5})
IN_SHOCK = Illness(worst={"LACTICAC": 5.6, "CREAT": 118, "UREA": 9.4, "BICARB": 19.5})
IRON_IS_HIGH = Illness(Trend.STABLE, worst={"FERRITIN": 24500, "BILI": 358}, grafted=23)
INR_AWAITED = Illness(unknown=("INR",))
WORSENS = Illness(Trend.DETERIORATING, worst={"CREAT": 96, "UREA": 7.8, "PLAT": 74, "BILI": 362})
SEPTIC = Illness(Trend.DETERIORATING, worst={"CRP": 64, "PCT": 2.4, "INTLK6": 118})

_STUPOROUS = {
    "grade": "III",
    "wrong_in_time": "5",
    "wrong_in_place": "4",
    "asterixis": "true",
    "gcs_eye": "3",
    "gcs_verbal": "3",
}
_ALLERGIC = {
    "heparin": "SEVERE",
    "heparin_reaction": "Anaphylaxis in 2019 (SYNTHETIC)",
    "none_known": "false",
}
_BLEEDING = {"bleeding": "true", "bleeding_described": "Melaena, 600 mL since dawn (SYNTHETIC)"}
_LATE_STAGE = {"failure_type": "CLF", "failure_stage": "LATE", "cirrhosis": "true",
               "chronic_liver_disease": "true", "ascites_before": "true",
               "diabetes": "true"}  # fmt: skip
_LOW = "On noradrenaline (SYNTHETIC)"
_SHOCKED = {"systolic": "76", "systolic.confirm": _LOW, "diastolic": "44",
            "diastolic.confirm": _LOW, "heart_rate": "118"}  # fmt: skip

ENROLLED = (
    Person("first", "003", "nurse-c", -92, age=37, weight=71),
    Person("snow", "002", "nurse-b", -57, sex="F", age=29, weight=54, troubled=True, missed=(14,),
           treated=(0, 2, 5)),
    Person("sepsis", "002", "nurse-b", -45, age=58, illness=SEPTIC, until=7),
    Person("lost", "003", "nurse-c", -34, age=33, weight=62, until=5),
    Person("grafted", "001", "nurse", -29, age=46, illness=IRON_IS_HIGH, exchanged=True,
           late=(14,)),
    Person("never", "003", "nurse-c", -24, sex="F", age=61, weight=58, treated=(), until=0),
    Person("fails", "002", "nurse-b", -19, age=52, weight=78, illness=WORSENS, until=7),
    Person("weary", "001", "nurse", -14, sex="F", age=49, weight=60, forgotten=(7,),
           treated=(0, 3)),
    Person("running", "002", "nurse-b", -5, age=41, weight=73, source=Source.REFERRAL,
           treated=(0, 2, 5)),
    Person("newest", "001", "nurse", 0, age=35, weight=69),
)  # fmt: skip

#: Those who consented and were not eligible; the engine or an investigator says why.
FAILED = (
    Person("unclotting", "002", "nurse-b", -74, illness=DOES_NOT_CLOT, age=55),
    Person("mild", "001", "nurse2", -66, illness=HARDLY_ILL, sex="F", age=27, weight=52,
           ward_bilirubin=146),
    Person("late", "003", "nurse-c", -61, against=(Against.STAGE, Against.HISTORY), age=60,
           says={MedicalHistory.form_oid: _LATE_STAGE}),
    Person("allergic", "001", "nurse", -52, sex="F", age=39, weight=57,
           says={Allergies.form_oid: _ALLERGIC}),
    Person("bleeding", "003", "nurse-c", -48, illness=BLEEDS, against=(Against.BLEEDING,), age=50,
           says={Examination.form_oid: _BLEEDING}),
    Person("kidneys", "003", "nurse-c", -37, illness=KIDNEYS_FAIL, source=Source.REFERRAL),
    Person("stuporous", "001", "nurse2", -31, age=63, against=(Against.COMMUNICATION,),
           says={Examination.form_oid: _STUPOROUS}),
    Person("shock", "002", "nurse-b", -26, illness=IN_SHOCK, against=(Against.CIRCULATION,), age=57,
           says={VitalSigns.form_oid: _SHOCKED}),
    Person("spoken-for", "002", "nurse-b", -22, signer=Signer.REPRESENTATIVE, age=67),
    Person("quiet", "001", "nurse", -17, illness=NOT_INFLAMED, also_drawn=("cytokines",), age=31),
    Person("abroad", "003", "nurse-c", -12, against=(Against.OTHER,), age=24,
           source=Source.REFERRAL),
)  # fmt: skip

#: Those of whom nothing is decided.
UNDECIDED = (
    Person("homesick", "001", "nurse2", -8, decided=False, withdrew=True, sex="F", age=43),
    Person("waiting", "001", "nurse", 0, decided=False, illness=INR_AWAITED, exchanged=True),
)

CONSENTED = (*ENROLLED, *FAILED, *UNDECIDED)
