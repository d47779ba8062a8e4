"""Whose figures these are, of which sites and moment; and the numbers that come of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.dashboard.overview.figures import FIGURES


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The sites that the figures are of, for one person at one moment."""

    user: User
    sites: tuple[Site, ...]
    now: dt.datetime

    @property
    def keys(self) -> list[int]:
        return [site.pk for site in self.sites]

    @property
    def codes(self) -> list[str]:
        return [site.code for site in self.sites]

    @property
    def opens_casebook(self) -> bool:
        """Whether pages of participants are this person's."""
        return self.may_open(Capability.VIEW_CASEBOOK)

    def at(self, code: str) -> Scope | None:
        """The same for one of its sites; None where it is none of them."""
        found = tuple(site for site in self.sites if site.code == code)
        return Scope(user=self.user, sites=found, now=self.now) if found else None

    def may_open(self, needs: Capability, code: str = "") -> bool:
        """Whether the person may read the rows behind a figure of one site, or of all here."""
        held = self.user.access.sites(needs)
        asked = {site.pk for site in self.sites if code in ("", site.code)}
        return bool(asked) and asked <= held


def scope_of(user: User, *, now: dt.datetime, site: Site | None = None) -> Scope:
    """What a person sees of the study: the sites of their roles, or the one they chose."""
    own = Site.objects.filter(pk__in=user.access.sites(Capability.VIEW_OVERVIEW)).order_by("code")
    chosen = [each for each in own if site is None or each.pk == site.pk]
    return Scope(user=user, sites=tuple(chosen), now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A count on the page, and the address of the rows it counts: as many as it says.

    Without an address the person may know how many, and not who: the sponsor's view.
    """

    figure: str
    part: str
    site: str
    count: int
    href: str
    label: str = ""


@dataclass(slots=True)
class Tally:
    """Makes the numbers of one page, and remembers each."""

    scope: Scope
    numbers: list[Number] = field(default_factory=list)

    def number(
        self,
        figure: str,
        count: int,
        *,
        part: str = "",
        site: str = "",
        label: str = "",
        href: str | None = None,
    ) -> Number:
        """A number of a registered figure; `href` where its address is not made of its part."""
        known = FIGURES[figure]
        one = self.scope.codes[0] if len(self.scope.sites) == 1 else ""
        opens = self.scope.may_open(known.needs, site)
        address = known.address(part, site or one) if href is None else href
        made = Number(
            figure=figure,
            part=part,
            site=site,
            count=count,
            href=address if opens else "",
            label=label or str(known.title),
        )
        self.numbers.append(made)
        return made

    def by_site(
        self, figure: str, counts: dict[str, int], *, part: str = "", label: str = ""
    ) -> list[Number]:
        """A number for each site, where there are several."""
        if len(self.scope.sites) < 2:
            return []
        return [
            self.number(figure, counts.get(code, 0), part=part, site=code, label=label)
            for code in self.scope.codes
        ]
