//! How containers behave: the name of the image that they run says it.

use crate::chance::Chance;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Temper {
    /// Anything may happen: what single tasks run.
    Moody,
    /// Runs until it is stopped, or dies once in a long while.
    Good,
    /// The same, with a health check that says so.
    Checked,
    /// Exits as soon as it runs.
    Exits,
    /// Its image is nowhere.
    Missing,
    /// Its health check always fails.
    Sick,
    /// Its health check changes its mind.
    Flaps,
}

/// Those that services are made of.
pub(crate) const OF_SERVICES: [Temper; 6] =
    [Temper::Good, Temper::Checked, Temper::Exits, Temper::Missing, Temper::Sick, Temper::Flaps];

/// How much happens by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Season {
    /// Whatever may happen.
    Rough,
    /// What runs well goes on to, and what cannot work does not.
    Calm,
    /// Whatever a service runs has been mended.
    Mended,
}

impl Temper {
    pub(crate) fn of(image: &str) -> Self {
        let name = image.split(':').next().unwrap_or(image);
        OF_SERVICES.into_iter().find(|temper| temper.image() == name).unwrap_or(Temper::Moody)
    }

    pub(crate) fn image(self) -> &'static str {
        match self {
            Temper::Moody => "app",
            Temper::Good => "good",
            Temper::Checked => "checked",
            Temper::Exits => "exits",
            Temper::Missing => "missing",
            Temper::Sick => "sick",
            Temper::Flaps => "flaps",
        }
    }

    /// What it is in a season.
    pub(crate) fn in_season(self, season: Season) -> Self {
        match (self, season) {
            (Temper::Exits | Temper::Missing, Season::Mended) => Temper::Good,
            (Temper::Sick, Season::Mended) | (Temper::Flaps, Season::Calm | Season::Mended) => Temper::Checked,
            (temper, _) => temper,
        }
    }

    pub(crate) fn has_check(self) -> bool {
        matches!(self, Temper::Checked | Temper::Sick | Temper::Flaps)
    }

    /// Whether it does not come up.
    pub(crate) fn fails_to_start(self, season: Season, chance: &mut Chance) -> bool {
        match self.in_season(season) {
            Temper::Moody => chance.one_in(8),
            Temper::Missing => true,
            _ => season == Season::Rough && chance.one_in(40),
        }
    }
}
