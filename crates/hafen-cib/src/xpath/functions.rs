//! The core functions (XPath 1.0, section 4).

use super::error::XPathErrorKind;
use super::evaluate::{Context, Evaluation};
use super::node::XPathNode;
use super::syntax::Expression;
use super::value::XPathValue;

macro_rules! functions {
    ($($variant:ident $name:literal $least:literal ..= $most:literal)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            pub(super) fn named(name: &str) -> Option<Function> {
                match name { $($name => Some(Function::$variant),)* _ => None }
            }

            pub(super) fn name(self) -> &'static str {
                match self { $(Function::$variant => $name),* }
            }

            /// Whether it takes so many arguments.
            pub(super) fn takes(self, count: usize) -> bool {
                match self { $(Function::$variant => ($least..=$most).contains(&count)),* }
            }
        }
    };
}

functions! {
    Last "last" 0..=0
    Position "position" 0..=0
    Count "count" 1..=1
    Name "name" 0..=1
    LocalName "local-name" 0..=1
    Text "string" 0..=1
    Concat "concat" 2..=1000
    StartsWith "starts-with" 2..=2
    Contains "contains" 2..=2
    SubstringBefore "substring-before" 2..=2
    SubstringAfter "substring-after" 2..=2
    Substring "substring" 2..=3
    StringLength "string-length" 0..=1
    NormalizeSpace "normalize-space" 0..=1
    Translate "translate" 3..=3
    Boolean "boolean" 1..=1
    Not "not" 1..=1
    True "true" 0..=0
    False "false" 0..=0
    Number "number" 0..=1
    Sum "sum" 1..=1
    Floor "floor" 1..=1
    Ceiling "ceiling" 1..=1
    Round "round" 1..=1
}

/// A function's arguments; those that are missing are the context node.
struct Arguments<'e, 'a> {
    evaluation: &'e Evaluation<'a>,
    expressions: &'e [Expression],
    context: Context<'a>,
}

impl<'a> Arguments<'_, 'a> {
    fn value(&self, at: usize) -> Result<XPathValue<'a>, XPathErrorKind> {
        match self.expressions.get(at) {
            Some(expression) => self.evaluation.value(expression, self.context),
            None => Ok(XPathValue::Nodes(vec![self.context.node])),
        }
    }

    fn text(&self, at: usize) -> Result<String, XPathErrorKind> {
        Ok(self.value(at)?.text())
    }

    fn number(&self, at: usize) -> Result<f64, XPathErrorKind> {
        Ok(self.value(at)?.number())
    }

    fn nodes(&self, at: usize) -> Result<Vec<XPathNode<'a>>, XPathErrorKind> {
        match self.value(at)? {
            XPathValue::Nodes(nodes) => Ok(nodes),
            _ => Err(XPathErrorKind::NotNodes),
        }
    }
}

pub(super) fn call<'a>(
    evaluation: &Evaluation<'a>,
    function: Function,
    expressions: &[Expression],
    context: Context<'a>,
) -> Result<XPathValue<'a>, XPathErrorKind> {
    let given = Arguments { evaluation, expressions, context };
    Ok(match function {
        Function::Last => whole(context.size),
        Function::Position => whole(context.position),
        Function::Count => whole(given.nodes(0)?.len()),
        Function::Name | Function::LocalName => {
            let named = given.nodes(0)?.first().map_or("", |node| node.name());
            XPathValue::Text(named.to_owned())
        }
        Function::Boolean => XPathValue::Boolean(given.value(0)?.boolean()),
        Function::Not => XPathValue::Boolean(!given.value(0)?.boolean()),
        Function::True => XPathValue::Boolean(true),
        Function::False => XPathValue::Boolean(false),
        Function::Number => XPathValue::Number(given.number(0)?),
        Function::Sum => {
            let values = given.nodes(0)?.into_iter().map(|node| XPathValue::Text(node.text()).number());
            XPathValue::Number(values.sum::<f64>() + 0.0)
        }
        Function::Floor => XPathValue::Number(given.number(0)?.floor()),
        Function::Ceiling => XPathValue::Number(given.number(0)?.ceil()),
        Function::Round => XPathValue::Number((given.number(0)? + 0.5).floor()),
        _ => of_texts(function, &given)?,
    })
}

fn of_texts<'a>(function: Function, given: &Arguments<'_, 'a>) -> Result<XPathValue<'a>, XPathErrorKind> {
    let first = given.text(0)?;
    Ok(match function {
        Function::Concat => {
            let mut all = first;
            for at in 1..given.expressions.len() {
                all.push_str(&given.text(at)?);
            }
            given.evaluation.spend(all.len())?;
            XPathValue::Text(all)
        }
        Function::StartsWith => XPathValue::Boolean(first.starts_with(&given.text(1)?)),
        Function::Contains => XPathValue::Boolean(first.contains(&given.text(1)?)),
        Function::SubstringBefore => {
            let second = given.text(1)?;
            XPathValue::Text(first.split_once(&second).map_or("", |(before, _)| before).to_owned())
        }
        Function::SubstringAfter => {
            let second = given.text(1)?;
            XPathValue::Text(first.split_once(&second).map_or("", |(_, after)| after).to_owned())
        }
        Function::Substring => {
            let length = if given.expressions.len() > 2 { given.number(2)? } else { f64::INFINITY };
            XPathValue::Text(substring(&first, given.number(1)?, length))
        }
        Function::StringLength => whole(first.chars().count()),
        Function::NormalizeSpace => {
            let words: Vec<&str> =
                first.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
            XPathValue::Text(words.join(" "))
        }
        Function::Translate => {
            let (from, to): (Vec<char>, Vec<char>) =
                (given.text(1)?.chars().collect(), given.text(2)?.chars().collect());
            let new = |letter: char| match from.iter().position(|known| *known == letter) {
                Some(at) => to.get(at).copied(),
                None => Some(letter),
            };
            XPathValue::Text(first.chars().filter_map(new).collect())
        }
        _ => XPathValue::Text(first),
    })
}

#[allow(clippy::cast_precision_loss, reason = "fewer than 2^52 nodes or letters")]
fn whole<'a>(number: usize) -> XPathValue<'a> {
    XPathValue::Number(number as f64)
}

/// The letters whose places, from 1, lie in the range; its ends are rounded.
#[allow(clippy::cast_precision_loss, reason = "fewer than 2^52 letters")]
fn substring(text: &str, start: f64, length: f64) -> String {
    let round = |number: f64| (number + 0.5).floor();
    let (first, end) = (round(start), round(start) + round(length));
    let inside = |(at, _): &(usize, char)| {
        let place = *at as f64 + 1.0;
        place >= first && place < end
    };
    text.chars().enumerate().filter(inside).map(|(_, letter)| letter).collect()
}
