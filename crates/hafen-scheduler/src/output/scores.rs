//! What `crm_simulate -s` and `-U` tell: the scores by which resources are placed, and the capacities that they use.

use std::fmt::{self, Write as _};

use super::graph::escape;
use crate::score;

/// Amounts of what is limited, by name.
pub(crate) type Amounts = Vec<(String, i64)>;

/// One line of the scores; its text is that of Pacemaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoreRow {
    /// A resource's score for a node, when a step of the assignment begins.
    Assignment {
        /// The step, by the name that Pacemaker gives it.
        function: &'static str,
        /// The resource.
        resource: String,
        /// The node's name.
        node: String,
        /// The score.
        score: i32,
    },
    /// An instance's score for promotion.
    Promotion {
        /// The instance.
        resource: String,
        /// Where it will run, if anywhere.
        node: Option<String>,
        /// The score.
        score: i32,
    },
    /// What a node has to give.
    Capacity {
        /// Before or after the assignment: `Original` or `Remaining`.
        when: &'static str,
        /// The node's name.
        node: String,
        /// What it has.
        amounts: Amounts,
    },
    /// What a resource takes of its node.
    Utilization {
        /// The resource.
        resource: String,
        /// The node's name.
        node: String,
        /// What it takes.
        amounts: Amounts,
    },
}

/// The step at which a node's capacity is used.
const USED_BY: &str = "pcmk__assign_resource";

impl fmt::Display for ScoreRow {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = match self {
            ScoreRow::Assignment { function, resource, node, score } => {
                let score = score::text(*score);
                return write!(to, "{function}: {resource} allocation score on {node}: {score}");
            }
            ScoreRow::Promotion { resource, node, score } => {
                write!(to, "{resource} promotion score ")?;
                match node {
                    Some(node) => write!(to, "on {node}")?,
                    None => to.write_str("(inactive)")?,
                }
                return write!(to, ": {}", score::text(*score));
            }
            ScoreRow::Capacity { when, node, amounts } => {
                write!(to, "{when}: {node} capacity:")?;
                amounts
            }
            ScoreRow::Utilization { resource, node, amounts } => {
                write!(to, "{USED_BY}: {resource} utilization on {node}:")?;
                amounts
            }
        };
        amounts.iter().try_for_each(|(name, amount)| write!(to, " {name}={amount}"))
    }
}

impl ScoreRow {
    /// As an element, with lines and indentation.
    pub(crate) fn to_xml(&self) -> String {
        let (head, name, amounts): (_, _, &[_]) = match self {
            ScoreRow::Assignment { function, resource, node, score } => (
                format!(
                    "<node_weight function=\"{function}\" node=\"{}\" score=\"{}\" id=\"{}\"",
                    escape(node),
                    score::text(*score),
                    escape(resource)
                ),
                "node_weight",
                &[],
            ),
            ScoreRow::Promotion { resource, node, score } => {
                let place =
                    node.as_ref().map_or_else(String::new, |node| format!(" node=\"{}\"", escape(node)));
                (
                    format!(
                        "<promotion_score id=\"{}\" score=\"{}\"{place}",
                        escape(resource),
                        score::text(*score)
                    ),
                    "promotion_score",
                    &[],
                )
            }
            ScoreRow::Capacity { when, node, amounts } => {
                (format!("<capacity node=\"{}\" comment=\"{when}\"", escape(node)), "capacity", amounts)
            }
            ScoreRow::Utilization { resource, node, amounts } => (
                format!(
                    "<utilization resource=\"{}\" node=\"{}\" function=\"{USED_BY}\"",
                    escape(resource),
                    escape(node)
                ),
                "utilization",
                amounts,
            ),
        };
        if amounts.is_empty() {
            return format!("{head}/>\n");
        }
        let mut text = format!("{head}>\n");
        for (name, amount) in amounts {
            let _ = writeln!(text, "  <{name}>{amount}</{name}>");
        }
        let _ = writeln!(text, "</{name}>");
        text
    }
}
