//! From an expression and a document to a value.

use std::cell::{Cell, OnceCell};

use super::error::XPathErrorKind;
use super::functions;
use super::node::XPathNode;
use super::syntax::{Axis, Expression, NodeTest, Operator, Path, Step};
use super::value::{XPathValue, number_of};
use crate::xml::Document;

/// How many nodes may be looked at: a hundred times as many as a large CIB has.
const WORK_MAXIMUM: u64 = 50_000_000;

type Evaluated<'a> = Result<XPathValue<'a>, XPathErrorKind>;

pub(super) fn evaluate<'a>(expression: &Expression, document: &'a Document) -> Evaluated<'a> {
    let evaluation = Evaluation { document, order: OnceCell::new(), work: Cell::new(0) };
    let context = Context { node: XPathNode::Root(document), position: 1, size: 1 };
    evaluation.value(expression, context)
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) node: XPathNode<'a>,
    pub(super) position: usize,
    pub(super) size: usize,
}

pub(super) struct Evaluation<'a> {
    pub(super) document: &'a Document,
    /// The elements' places in the document, by number.
    order: OnceCell<Vec<u32>>,
    work: Cell<u64>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn value(&self, expression: &Expression, context: Context<'a>) -> Evaluated<'a> {
        Ok(match expression {
            Expression::Literal(text) => XPathValue::Text(text.clone()),
            Expression::Number(number) => XPathValue::Number(*number),
            Expression::Negate(inner) => XPathValue::Number(-self.value(inner, context)?.number()),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right, context)?,
            Expression::Call(function, arguments) => functions::call(self, *function, arguments, context)?,
            Expression::Path(path) => XPathValue::Nodes(self.path(path, context)?),
            Expression::Filter(inner, predicates, steps) => {
                let mut nodes = self.nodes(inner, context)?;
                for predicate in predicates {
                    nodes = self.filtered(nodes, predicate)?;
                }
                XPathValue::Nodes(self.steps(nodes, steps)?)
            }
        })
    }

    fn nodes(
        &self,
        expression: &Expression,
        context: Context<'a>,
    ) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        match self.value(expression, context)? {
            XPathValue::Nodes(nodes) => Ok(nodes),
            _ => Err(XPathErrorKind::NotNodes),
        }
    }

    fn binary(
        &self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
        context: Context<'a>,
    ) -> Evaluated<'a> {
        let number = |test: fn(f64, f64) -> f64| {
            let (left, right) = (self.value(left, context)?, self.value(right, context)?);
            Ok(XPathValue::Number(test(left.number(), right.number())))
        };
        match operator {
            Operator::Or => Ok(XPathValue::Boolean(
                self.value(left, context)?.boolean() || self.value(right, context)?.boolean(),
            )),
            Operator::And => Ok(XPathValue::Boolean(
                self.value(left, context)?.boolean() && self.value(right, context)?.boolean(),
            )),
            Operator::Add => number(|left, right| left + right),
            Operator::Subtract => number(|left, right| left - right),
            Operator::Multiply => number(|left, right| left * right),
            Operator::Divide => number(|left, right| left / right),
            Operator::Modulo => number(|left, right| left % right),
            Operator::Union => {
                let mut nodes = self.nodes(left, context)?;
                nodes.extend(self.nodes(right, context)?);
                Ok(XPathValue::Nodes(self.in_document_order(nodes)))
            }
            comparison => {
                let (left, right) = (self.value(left, context)?, self.value(right, context)?);
                self.compare(comparison, &left, &right).map(XPathValue::Boolean)
            }
        }
    }

    /// Comparisons (section 3.4): with nodes, whether it holds for any of them.
    fn compare(
        &self,
        operator: Operator,
        left: &XPathValue<'a>,
        right: &XPathValue<'a>,
    ) -> Result<bool, XPathErrorKind> {
        Ok(match (left, right) {
            (XPathValue::Nodes(left), XPathValue::Nodes(right)) => {
                self.spend(left.len().saturating_mul(right.len()))?;
                let right: Vec<String> = right.iter().map(|node| node.text()).collect();
                left.iter()
                    .map(|node| node.text())
                    .any(|left| right.iter().any(|right| texts(operator, &left, right)))
            }
            (XPathValue::Nodes(nodes), value) => {
                nodes.iter().any(|node| node_and_value(operator, *node, value, left))
            }
            (value, XPathValue::Nodes(nodes)) => {
                nodes.iter().any(|node| node_and_value(mirrored(operator), *node, value, right))
            }
            (left, right) if is_equality(operator) => {
                values_equal(left, right) == (operator == Operator::Equal)
            }
            (left, right) => numbers(operator, left.number(), right.number()),
        })
    }

    fn path(&self, path: &Path, context: Context<'a>) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        let start = if path.from_root { XPathNode::Root(self.document) } else { context.node };
        self.steps(vec![start], &path.steps)
    }

    fn steps(
        &self,
        mut nodes: Vec<XPathNode<'a>>,
        steps: &[Step],
    ) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        for step in steps {
            let mut next = Vec::new();
            let several = nodes.len() > 1;
            for node in nodes {
                let mut found = self.along(step.axis, node)?;
                found.retain(|node| fits(&step.test, step.axis, *node));
                for predicate in &step.predicates {
                    found = self.filtered(found, predicate)?;
                }
                next.extend(found);
            }
            let backward =
                matches!(step.axis, Axis::Ancestor | Axis::AncestorOrSelf | Axis::PrecedingSibling);
            // An element's attributes, and the element itself, are in order wherever they come from.
            let in_order = !several && !backward || matches!(step.axis, Axis::Attribute | Axis::Itself);
            nodes = if in_order { next } else { self.in_document_order(next) };
        }
        Ok(nodes)
    }

    /// The nodes for which a predicate holds; positions count in their order.
    fn filtered(
        &self,
        nodes: Vec<XPathNode<'a>>,
        predicate: &Expression,
    ) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        let size = nodes.len();
        let mut kept = Vec::new();
        for (at, node) in nodes.into_iter().enumerate() {
            let position = at + 1;
            let holds = match self.value(predicate, Context { node, position, size })? {
                #[allow(
                    clippy::float_cmp,
                    clippy::cast_precision_loss,
                    reason = "a position is a small whole number"
                )]
                XPathValue::Number(number) => number == position as f64,
                value => value.boolean(),
            };
            if holds {
                kept.push(node);
            }
        }
        Ok(kept)
    }

    /// The nodes along an axis, the nearest first.
    fn along(&self, axis: Axis, node: XPathNode<'a>) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        let siblings = || {
            let all = match node {
                XPathNode::Attribute(..) => Vec::new(),
                _ => node.parent().map(XPathNode::children).unwrap_or_default(),
            };
            let at = all.iter().position(|sibling| sibling.key() == node.key());
            (all, at.unwrap_or(usize::MAX))
        };
        let found: Vec<XPathNode<'a>> = match axis {
            Axis::Child => node.children(),
            Axis::Itself => vec![node],
            Axis::Parent => node.parent().into_iter().collect(),
            Axis::Attribute => node.attributes(),
            Axis::Descendant => below(node),
            Axis::DescendantOrSelf => {
                let mut all = vec![node];
                all.extend(below(node));
                all
            }
            Axis::Ancestor => std::iter::successors(node.parent(), |node| node.parent()).collect(),
            Axis::AncestorOrSelf => std::iter::successors(Some(node), |node| node.parent()).collect(),
            Axis::FollowingSibling => {
                let (all, at) = siblings();
                all.into_iter().skip(at.saturating_add(1)).collect()
            }
            Axis::PrecedingSibling => {
                let (mut all, at) = siblings();
                self.spend(all.len())?;
                all.truncate(if at == usize::MAX { 0 } else { at });
                all.reverse();
                all
            }
        };
        self.spend(found.len() + 1)?;
        Ok(found)
    }

    pub(super) fn spend(&self, work: usize) -> Result<(), XPathErrorKind> {
        let spent = self.work.get().saturating_add(u64::try_from(work).unwrap_or(u64::MAX));
        self.work.set(spent);
        if spent > WORK_MAXIMUM { Err(XPathErrorKind::TooExpensive) } else { Ok(()) }
    }

    /// Sorted, each node once.
    pub(super) fn in_document_order(&self, mut nodes: Vec<XPathNode<'a>>) -> Vec<XPathNode<'a>> {
        if nodes.len() < 2 {
            return nodes;
        }
        let order = self.order.get_or_init(|| places(self.document));
        let place = |node: &XPathNode<'a>| {
            let (number, attribute) = node.key();
            // The document stands before its root.
            let place = order.get(number as usize).copied().unwrap_or(0);
            (place, attribute)
        };
        nodes.sort_by_key(place);
        nodes.dedup_by_key(|node| node.key());
        nodes
    }
}

/// The elements' places in the document, by their numbers; from 1.
fn places(document: &Document) -> Vec<u32> {
    let root = document.root();
    let mut order = Vec::new();
    let all = std::iter::once(root).chain(root.descendants());
    for (place, element) in (1_u32..).zip(all) {
        let number = element.node().0 as usize;
        if order.len() <= number {
            order.resize(number + 1, 0);
        }
        order[number] = place;
    }
    order
}

fn below(node: XPathNode<'_>) -> Vec<XPathNode<'_>> {
    match node {
        XPathNode::Root(document) => {
            let root = document.root();
            std::iter::once(root).chain(root.descendants()).map(XPathNode::Element).collect()
        }
        XPathNode::Element(element) => element.descendants().map(XPathNode::Element).collect(),
        XPathNode::Attribute(..) => Vec::new(),
    }
}

fn fits(test: &NodeTest, axis: Axis, node: XPathNode<'_>) -> bool {
    // `*` and names are of the axis' main kind of nodes.
    let of_main_kind = match node {
        XPathNode::Root(_) => false,
        XPathNode::Element(_) => axis != Axis::Attribute,
        XPathNode::Attribute(..) => axis == Axis::Attribute,
    };
    match test {
        NodeTest::Node => true,
        NodeTest::Any => of_main_kind,
        NodeTest::Name(name) => of_main_kind && node.name() == name,
    }
}

fn is_equality(operator: Operator) -> bool {
    matches!(operator, Operator::Equal | Operator::NotEqual)
}

/// The comparison with its sides exchanged.
fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        same => same,
    }
}

fn node_and_value(
    operator: Operator,
    node: XPathNode<'_>,
    value: &XPathValue<'_>,
    all: &XPathValue<'_>,
) -> bool {
    match value {
        // Whether there are any nodes is compared, not what they say.
        XPathValue::Boolean(value) if is_equality(operator) => {
            (all.boolean() == *value) == (operator == Operator::Equal)
        }
        XPathValue::Text(text) if is_equality(operator) => texts(operator, &node.text(), text),
        value => numbers(operator, number_of(&node.text()), value.number()),
    }
}

fn texts(operator: Operator, left: &str, right: &str) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        other => numbers(other, number_of(left), number_of(right)),
    }
}

#[allow(clippy::float_cmp, reason = "XPath compares exactly")]
fn numbers(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        _ => false,
    }
}

#[allow(clippy::float_cmp, reason = "XPath compares exactly")]
fn values_equal(left: &XPathValue<'_>, right: &XPathValue<'_>) -> bool {
    match (left, right) {
        (XPathValue::Boolean(_), _) | (_, XPathValue::Boolean(_)) => left.boolean() == right.boolean(),
        (XPathValue::Number(_), _) | (_, XPathValue::Number(_)) => left.number() == right.number(),
        _ => left.text() == right.text(),
    }
}
