//! What a fold looks up for every case, put in order once for the whole rulebook.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Policy, Route, Tier};
use crate::fact::Code;

/// The policies of one stage and tier that may apply to a hotline, by their places in the rulebook.
#[derive(Clone, Debug)]
pub struct Stage {
    pub stage: Code,
    pub tier: Tier,
    /// The most specific first.
    pub policies: Vec<usize>,
}

/// Policies and routing rules by hotline, each in the order in which the first that matches is the one that applies.
#[derive(Clone, Debug, Default)]
pub struct Index {
    stages: BTreeMap<Code, Vec<Stage>>,
    /// For hotlines that no policy names.
    stages_elsewhere: Vec<Stage>,
    routes: BTreeMap<Code, Vec<usize>>,
}

impl Index {
    pub(super) fn of(policies: &[Policy], routes: &[Route]) -> Self {
        let named = policies.iter().flat_map(|policy| &policy.matches.hotline);
        let of_named = named.map(|hotline| (hotline.clone(), stages(policies, Some(hotline))));
        let mut of_hotline: BTreeMap<Code, Vec<usize>> = BTreeMap::new();
        for (place, route) in routes.iter().enumerate() {
            of_hotline.entry(route.hotline.clone()).or_default().push(place);
        }
        for places in of_hotline.values_mut() {
            places.sort_by_key(|place| Reverse(routes[*place].rank()));
        }
        Self { stages: of_named.collect(), stages_elsewhere: stages(policies, None), routes: of_hotline }
    }

    /// Every stage and tier that has policies for this hotline; close always, for every round counts there.
    pub fn stages(&self, hotline: &Code) -> &[Stage] {
        self.stages.get(hotline).unwrap_or(&self.stages_elsewhere)
    }

    /// The hotline's routing rules, the one that wins first.
    pub fn routes(&self, hotline: &str) -> &[usize] {
        self.routes.get(hotline).map_or(&[], Vec::as_slice)
    }
}

fn stages(policies: &[Policy], hotline: Option<&Code>) -> Vec<Stage> {
    let mut stages = vec![Stage { stage: "close".into(), tier: Tier::Statutory, policies: Vec::new() }];
    for (place, policy) in policies.iter().enumerate() {
        let hotlines = &policy.matches.hotline;
        if !hotlines.is_empty() && !hotline.is_some_and(|hotline| hotlines.contains(hotline)) {
            continue;
        }
        let same = |known: &&mut Stage| known.stage == policy.stage && known.tier == policy.tier;
        if let Some(known) = stages.iter_mut().find(same) {
            known.policies.push(place);
        } else {
            let (stage, tier) = (policy.stage.clone(), policy.tier);
            stages.push(Stage { stage, tier, policies: vec![place] });
        }
    }
    for stage in &mut stages {
        stage.policies.sort_by_key(|place| Reverse(policies[*place].rank()));
    }
    stages
}
