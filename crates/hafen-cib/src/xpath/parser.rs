//! From tokens to an expression, by the grammar of XPath 1.0, section 3.

use super::error::{XPathError, XPathErrorKind};
use super::functions::Function;
use super::lexer::{Token, tokens};
use super::syntax::{Axis, Expression, NodeTest, Operator, Path, Step};

/// Expressions within expressions; people write five.
const DEPTH_MAXIMUM: usize = 64;

/// Operators by how tightly they bind, the loosest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[("=", Operator::Equal), ("!=", Operator::NotEqual)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("div", Operator::Divide), ("mod", Operator::Modulo)],
];

pub(super) fn parse(source: &str) -> Result<Expression, XPathError> {
    let mut parser = Parser { source, tokens: tokens(source)?, at: 0, depth: 0 };
    let expression = parser.expression()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn error(&self, kind: XPathErrorKind) -> XPathError {
        let position = self.tokens.get(self.at).map_or(self.source.len(), |(position, _)| *position);
        XPathError { source: self.source.to_owned(), position: Some(position), kind }
    }

    fn unexpected(&self, expected: &'static str) -> XPathError {
        let found = self.peek().map_or_else(|| "the end".to_owned(), Token::words);
        self.error(XPathErrorKind::Unexpected { expected, found })
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_it = match self.peek() {
            Some(Token::Sign(text) | Token::Operator(text)) => *text == wanted,
            _ => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    fn must_take(&mut self, wanted: &'static str) -> Result<(), XPathError> {
        if self.takes(wanted) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    fn expression(&mut self) -> Result<Expression, XPathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAXIMUM {
            return Err(self.error(XPathErrorKind::Depth));
        }
        let expression = self.level(0);
        self.depth -= 1;
        expression
    }

    /// Operators of a level, from left to right, and between them what binds tighter.
    fn level(&mut self, level: usize) -> Result<Expression, XPathError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        'more: loop {
            for (text, operator) in *operators {
                if self.takes(text) {
                    let right = self.level(level + 1)?;
                    left = Expression::Binary(*operator, Box::new(left), Box::new(right));
                    continue 'more;
                }
            }
            return Ok(left);
        }
    }

    fn unary(&mut self) -> Result<Expression, XPathError> {
        let mut negative = false;
        while self.takes("-") {
            negative = !negative;
        }
        let mut left = self.path()?;
        while self.takes("|") {
            let right = self.path()?;
            left = Expression::Binary(Operator::Union, Box::new(left), Box::new(right));
        }
        Ok(if negative { Expression::Negate(Box::new(left)) } else { left })
    }

    fn path(&mut self) -> Result<Expression, XPathError> {
        let value = match self.peek() {
            Some(Token::Literal(text)) => Some(Expression::Literal(text.clone())),
            Some(Token::Number(number)) => Some(Expression::Number(*number)),
            _ => None,
        };
        let value = match (value, self.peek()) {
            (Some(value), _) => {
                self.at += 1;
                value
            }
            (None, Some(Token::Sign("("))) => {
                self.at += 1;
                let inner = self.expression()?;
                self.must_take(")")?;
                inner
            }
            (None, Some(Token::Function(name))) if !is_node_type(name) => {
                let name = name.clone();
                self.call(&name)?
            }
            _ => return self.location_path().map(Expression::Path),
        };
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        if matches!(self.peek(), Some(Token::Sign("/" | "//"))) {
            self.more_steps(&mut steps)?;
        }
        if predicates.is_empty() && steps.is_empty() {
            return Ok(value);
        }
        Ok(Expression::Filter(Box::new(value), predicates, steps))
    }

    fn call(&mut self, name: &str) -> Result<Expression, XPathError> {
        let function =
            Function::named(name).ok_or_else(|| self.error(XPathErrorKind::Function(name.to_owned())))?;
        let start = self.at;
        self.at += 1;
        self.must_take("(")?;
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.takes(",") {
                    break;
                }
            }
            self.must_take(")")?;
        }
        if !function.takes(arguments.len()) {
            self.at = start;
            let kind = XPathErrorKind::Arguments { name: function.name(), given: arguments.len() };
            return Err(self.error(kind));
        }
        Ok(Expression::Call(function, arguments))
    }

    fn location_path(&mut self) -> Result<Path, XPathError> {
        let mut path = Path { from_root: false, steps: Vec::new() };
        match self.peek() {
            Some(Token::Sign("//")) => {
                path.from_root = true;
                self.more_steps(&mut path.steps)?;
            }
            Some(Token::Sign("/")) => {
                path.from_root = true;
                self.at += 1;
                if self.begins_step() {
                    path.steps.push(self.step()?);
                    self.more_steps(&mut path.steps)?;
                }
            }
            _ => {
                path.steps.push(self.step()?);
                self.more_steps(&mut path.steps)?;
            }
        }
        Ok(path)
    }

    fn begins_step(&self) -> bool {
        match self.peek() {
            Some(Token::Name(_) | Token::Axis(_)) => true,
            Some(Token::Function(name)) => is_node_type(name),
            Some(Token::Sign(sign)) => matches!(*sign, "." | ".." | "@" | "*"),
            _ => false,
        }
    }

    fn more_steps(&mut self, steps: &mut Vec<Step>) -> Result<(), XPathError> {
        loop {
            if self.takes("//") {
                steps.push(Step::any(Axis::DescendantOrSelf));
            } else if !self.takes("/") {
                return Ok(());
            }
            steps.push(self.step()?);
        }
    }

    fn step(&mut self) -> Result<Step, XPathError> {
        if self.takes("..") {
            return Ok(Step::any(Axis::Parent));
        }
        if self.takes(".") {
            return Ok(Step::any(Axis::Itself));
        }
        let axis = match self.peek() {
            Some(Token::Sign("@")) => {
                self.at += 1;
                Axis::Attribute
            }
            Some(Token::Axis(name)) => {
                let axis = Axis::named(name).ok_or_else(|| self.error(XPathErrorKind::Axis(name.clone())))?;
                self.at += 1;
                self.must_take("::")?;
                axis
            }
            _ => Axis::Child,
        };
        let test = match self.peek() {
            Some(Token::Name(name)) => NodeTest::Name(name.clone()),
            Some(Token::Sign("*")) => NodeTest::Any,
            Some(Token::Function(name)) if name == "node" => {
                self.at += 1;
                self.must_take("(")?;
                if !matches!(self.peek(), Some(Token::Sign(")"))) {
                    return Err(self.unexpected(")"));
                }
                NodeTest::Node
            }
            Some(Token::Function(name)) if is_node_type(name) => {
                return Err(self.error(XPathErrorKind::NodeTest(name.clone())));
            }
            _ => return Err(self.unexpected("a name, an axis, *, @, . or ..")),
        };
        self.at += 1;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn predicates(&mut self) -> Result<Vec<Expression>, XPathError> {
        let mut predicates = Vec::new();
        while self.takes("[") {
            predicates.push(self.expression()?);
            self.must_take("]")?;
        }
        Ok(predicates)
    }
}

fn is_node_type(name: &str) -> bool {
    matches!(name, "node" | "text" | "comment" | "processing-instruction")
}
