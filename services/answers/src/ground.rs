//! On what measurements were made: on real peers, or on a model. What a model says is never taken for a measurement.

use std::collections::{BTreeMap, BTreeSet};

use parsec_measure::{ArchivedNode, NodeId};
use parsec_output as output;
use parsec_results::run::is_simulated;
use parsec_store::Selection;

use crate::Unanswerable;

/// The networks of some servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ground {
    /// Those that are models.
    models: BTreeSet<String>,
    /// Whether any is not. Servers that do not say it measure real peers.
    real: bool,
}

impl Ground {
    /// That of the servers of the selected fleets and regions.
    ///
    /// # Errors
    /// [`Unanswerable`] if some of them are simulated and others are not.
    pub(crate) fn of(nodes: &BTreeMap<NodeId, ArchivedNode>, selection: &Selection) -> anyhow::Result<Self> {
        let mut ground = Self::default();
        for node in nodes.values().filter(|node| selection.is_of(node)) {
            match node.network.as_deref().filter(|network| is_simulated(network)) {
                Some(model) => ground.models.extend([model.to_owned()]),
                None => ground.real = true,
            }
        }
        match &ground {
            Self { models, real: true } if !models.is_empty() => Err(Unanswerable(format!(
                "some of these servers are simulated ({}), and others measured real peers: what a model says and what was measured are not \
                 mixed; expected one of the two, by --fleets or --regions, or a database of each",
                ground.named()
            ))
            .into()),
            _ => Ok(ground),
        }
    }

    /// Whether it is a model.
    pub(crate) fn is_model(&self) -> bool {
        !self.models.is_empty()
    }

    /// What is to be said of it, if it is a model.
    pub(crate) fn remark(&self) -> Option<String> {
        self.is_model().then(|| format!("Network {}, a model: nothing of this was measured.", self.named()))
    }

    /// The same, to be put before or behind other remarks.
    pub(crate) fn line(&self) -> String {
        self.remark().map(|remark| format!("\n{remark}")).unwrap_or_default()
    }

    /// Says it beside a result that has no remarks.
    pub(crate) fn note(&self) {
        self.remark().iter().for_each(|remark| output::note(remark));
    }

    /// Whether both are models, or neither is. Servers of which there are none are like any.
    ///
    /// # Errors
    /// [`Unanswerable`] if not.
    pub(crate) fn same(&self, other: &Self) -> anyhow::Result<()> {
        let model = [self, other].into_iter().find(|ground| ground.is_model());
        let Some(model) = model.filter(|_| self.real || other.real) else { return Ok(()) };
        let why = format!(
            "one side was simulated ({}), and the other one was measured on real peers: what a model says and what was measured are not \
             compared; expected both simulated, or both measured",
            model.named()
        );
        Err(Unanswerable(why).into())
    }

    fn named(&self) -> String {
        self.models.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(nodes: &[(&str, Option<&str>)], fleets: &[&str]) -> Result<Ground, String> {
        let node = |(fleet, network): &(&str, Option<&str>)| ArchivedNode {
            fleet: (*fleet).to_owned(),
            network: network.map(str::to_owned),
            ..ArchivedNode::default()
        };
        let nodes = (0..).map(NodeId).zip(nodes.iter().map(node)).collect();
        let fleets = fleets.iter().map(|name| name.parse().unwrap()).collect();
        Ground::of(&nodes, &Selection { fleets, ..Selection::default() }).map_err(|error| error.to_string())
    }

    const MODEL: Option<&str> = Some("simulated:amino-2022");

    #[test]
    fn what_a_model_says_is_called_a_model_and_all_else_is_measured() {
        let model = ground(&[("a", MODEL), ("b", MODEL)], &[]).unwrap();
        let says = "Network simulated:amino-2022, a model: nothing of this was measured.";
        assert_eq!(model.remark().as_deref(), Some(says));
        for real in [None, Some("/ipfs/kad/1.0.0"), Some("local")] {
            assert_eq!(ground(&[("a", real)], &[]).unwrap().remark(), None);
        }
    }

    #[test]
    fn a_model_and_real_peers_are_neither_mixed_nor_compared_unless_they_are_told_apart() {
        let both = [("a", MODEL), ("b", None)];
        let mixed = ground(&both, &[]).unwrap_err();
        assert!(mixed.contains("some of these servers are simulated (simulated:amino-2022)"), "{mixed}");
        let [model, real] = [["a"], ["b"]].map(|fleets| ground(&both, &fleets).unwrap());
        assert!(model.remark().is_some() && real.remark().is_none());
        for (one, other, fits) in
            [(&model, &real, false), (&real, &model, false), (&model, &model, true), (&real, &real, true)]
        {
            assert_eq!(one.same(other).is_ok(), fits);
        }
        assert!(model.same(&Ground::default()).is_ok() && Ground::default().same(&real).is_ok());
    }
}
