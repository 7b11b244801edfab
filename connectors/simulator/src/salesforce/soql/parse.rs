use super::{
    SoqlError,
    range::Range,
    token::{Comparison, Token, TokenKind, tokens},
};
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

/// A query as it is written, before the schema has been asked.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Select {
    /// What is asked for.
    pub(in super::super) columns: Vec<Column>,
    /// The object, or in a subquery the name of the child relationship.
    pub(in super::super) from: Field,
    /// Which rows.
    pub(in super::super) filter: Option<Filter>,
    /// In which order.
    pub(in super::super) order: Vec<Order>,
    /// At most so many.
    pub(in super::super) limit: Option<usize>,
    /// Without the first so many.
    pub(in super::super) offset: usize,
}

/// One thing asked for.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Column {
    /// A field, perhaps of a parent.
    Field(Field),
    /// `COUNT()`
    Count,
    /// `FIELDS(…)`: all, standard or custom.
    Fields(Group),
    /// The rows of a child relationship.
    Child(Box<Select>),
}

/// What `FIELDS(…)` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Group {
    All,
    Standard,
    Custom,
}

/// A dotted name and where it stands in the query.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Field {
    /// `Account.Name`
    pub(in super::super) name: String,
    /// In bytes from the start of the query.
    pub(in super::super) at: usize,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Field, Comparison, Literal),
    In {
        field: Field,
        negated: bool,
        values: Vec<Literal>,
    },
    InSelect {
        field: Field,
        negated: bool,
        select: Box<Select>,
    },
    Includes {
        field: Field,
        negated: bool,
        values: Vec<String>,
    },
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Literal {
    Null,
    Bool(bool),
    Number(Decimal),
    Text(String),
    Time(Timestamp),
    Date(Date),
    /// `TODAY`, `LAST_N_DAYS:7` and their like.
    Range(Range),
}

/// One sort key.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Order {
    pub(in super::super) field: Field,
    pub(in super::super) descending: bool,
    pub(in super::super) nulls_last: bool,
}

/// Reads a query.
///
/// # Errors
/// `MALFORMED_QUERY` with the place.
pub(in super::super) fn parse(query: &str) -> Result<Select, SoqlError> {
    let mut parser = Parser {
        query,
        tokens: tokens(query)?,
        next: 0,
        depth: 0,
    };
    let select = parser.select()?;
    match parser.peek() {
        TokenKind::End => Ok(select),
        _ => Err(parser.unexpected()),
    }
}

/// Deeper nesting than any client writes; it keeps hostile text from exhausting the stack.
const DEEPEST: usize = 100;

struct Parser<'q> {
    query: &'q str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    fn error(&self, complaint: String) -> SoqlError {
        SoqlError::malformed(self.query, self.at(), complaint)
    }

    fn unexpected(&self) -> SoqlError {
        self.error(format!("unexpected token: '{}'", self.peek().shown()))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SoqlError> {
        if self.accept_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn accept(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, kind: &TokenKind) -> Result<(), SoqlError> {
        if self.accept(kind) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn field(&mut self) -> Result<Field, SoqlError> {
        let at = self.at();
        match self.peek() {
            TokenKind::Word(word) => {
                let name = word.clone();
                self.next += 1;
                Ok(Field { name, at })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn deeper(&mut self) -> Result<(), SoqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("the query is nested too deeply".to_owned()));
        }
        Ok(())
    }

    fn select(&mut self) -> Result<Select, SoqlError> {
        self.deeper()?;
        self.expect_word("SELECT")?;
        let mut columns = vec![self.column()?];
        while self.accept(&TokenKind::Comma) {
            columns.push(self.column()?);
        }
        self.expect_word("FROM")?;
        let from = self.field()?;
        let filter = if self.accept_word("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.accept_word("ORDER") {
            self.expect_word("BY")?;
            order.push(self.order()?);
            while self.accept(&TokenKind::Comma) {
                order.push(self.order()?);
            }
        }
        let limit = if self.accept_word("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.accept_word("OFFSET") {
            self.count()?
        } else {
            0
        };
        self.depth -= 1;
        Ok(Select {
            columns,
            from,
            filter,
            order,
            limit,
            offset,
        })
    }

    fn column(&mut self) -> Result<Column, SoqlError> {
        if self.accept(&TokenKind::Open) {
            let select = self.select()?;
            self.expect(&TokenKind::Close)?;
            return Ok(Column::Child(Box::new(select)));
        }
        let called = self
            .tokens
            .get(self.next + 1)
            .is_some_and(|next| next.kind == TokenKind::Open);
        if called && self.accept_word("COUNT") {
            self.expect(&TokenKind::Open)?;
            self.expect(&TokenKind::Close)?;
            return Ok(Column::Count);
        }
        if called && self.accept_word("FIELDS") {
            self.expect(&TokenKind::Open)?;
            let group = match self.field()?.name.to_ascii_uppercase().as_str() {
                "ALL" => Group::All,
                "STANDARD" => Group::Standard,
                "CUSTOM" => Group::Custom,
                _ => {
                    self.next -= 1;
                    return Err(self.unexpected());
                }
            };
            self.expect(&TokenKind::Close)?;
            return Ok(Column::Fields(group));
        }
        Ok(Column::Field(self.field()?))
    }

    fn order(&mut self) -> Result<Order, SoqlError> {
        let field = self.field()?;
        let descending = self.accept_word("DESC");
        if !descending {
            self.accept_word("ASC");
        }
        let mut nulls_last = false;
        if self.accept_word("NULLS") {
            nulls_last = self.accept_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order {
            field,
            descending,
            nulls_last,
        })
    }

    fn count(&mut self) -> Result<usize, SoqlError> {
        let count = match self.peek() {
            TokenKind::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        let count = count.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(count)
    }

    /// `AND` and `OR` on one level are refused, as the vendor does: they need parentheses.
    fn condition(&mut self) -> Result<Filter, SoqlError> {
        self.deeper()?;
        let first = self.term()?;
        let filter = if self.is_word("AND") {
            let terms = self.chain(first, "AND")?;
            Filter::All(terms)
        } else if self.is_word("OR") {
            let terms = self.chain(first, "OR")?;
            Filter::Any(terms)
        } else {
            first
        };
        if self.is_word("AND") || self.is_word("OR") {
            return Err(self.unexpected());
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn chain(&mut self, first: Filter, word: &str) -> Result<Vec<Filter>, SoqlError> {
        let mut terms = vec![first];
        while self.accept_word(word) {
            terms.push(self.term()?);
        }
        Ok(terms)
    }

    fn term(&mut self) -> Result<Filter, SoqlError> {
        if self.accept_word("NOT") {
            self.deeper()?;
            let negated = self.term()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(negated)));
        }
        if self.accept(&TokenKind::Open) {
            let inner = self.condition()?;
            self.expect(&TokenKind::Close)?;
            return Ok(inner);
        }
        let field = self.field()?;
        if let TokenKind::Compare(comparison) = *self.peek() {
            self.next += 1;
            return Ok(Filter::Compare(field, comparison, self.literal()?));
        }
        if self.accept_word("LIKE") {
            return Ok(Filter::Compare(field, Comparison::Like, self.literal()?));
        }
        if self.accept_word("NOT") {
            self.expect_word("IN")?;
            return self.membership(field, true);
        }
        if self.accept_word("IN") {
            return self.membership(field, false);
        }
        let negated = self.is_word("EXCLUDES");
        if negated || self.is_word("INCLUDES") {
            self.next += 1;
            let values = self
                .list()?
                .into_iter()
                .map(|value| match value {
                    Literal::Text(text) => Ok(text),
                    _ => Err(self.unexpected()),
                })
                .collect::<Result<_, _>>()?;
            return Ok(Filter::Includes {
                field,
                negated,
                values,
            });
        }
        Err(self.unexpected())
    }

    fn membership(&mut self, field: Field, negated: bool) -> Result<Filter, SoqlError> {
        let selects = self.tokens.get(self.next + 1).is_some_and(
            |next| matches!(&next.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case("SELECT")),
        );
        if selects {
            self.expect(&TokenKind::Open)?;
            let select = Box::new(self.select()?);
            self.expect(&TokenKind::Close)?;
            return Ok(Filter::InSelect {
                field,
                negated,
                select,
            });
        }
        Ok(Filter::In {
            field,
            negated,
            values: self.list()?,
        })
    }

    fn list(&mut self) -> Result<Vec<Literal>, SoqlError> {
        self.expect(&TokenKind::Open)?;
        let mut values = vec![self.literal()?];
        while self.accept(&TokenKind::Comma) {
            values.push(self.literal()?);
        }
        self.expect(&TokenKind::Close)?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, SoqlError> {
        let literal = match self.peek() {
            TokenKind::Text(text) => Literal::Text(text.clone()),
            TokenKind::Number(number) => Literal::Number(*number),
            TokenKind::Time(time) => Literal::Time(*time),
            TokenKind::Date(date) => Literal::Date(*date),
            TokenKind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "NULL" => Literal::Null,
                "TRUE" => Literal::Bool(true),
                "FALSE" => Literal::Bool(false),
                _ => return self.range(),
            },
            TokenKind::Colon => {
                return Err(self.error("Bind variables only allowed in Apex code".to_owned()));
            }
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(literal)
    }

    fn range(&mut self) -> Result<Literal, SoqlError> {
        let word = self.field()?.name;
        let count = if self.accept(&TokenKind::Colon) {
            Some(self.count()?)
        } else {
            None
        };
        Range::named(&word, count)
            .map(Literal::Range)
            .ok_or_else(|| {
                self.next -= 1;
                self.unexpected()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        parse(query).expect_err(query).message
    }

    #[test]
    fn a_query_is_read_with_all_its_parts() {
        let select = parse(
            "select Id, Account.Name, (SELECT ContactId FROM OpportunityContactRoles) FROM Opportunity \
             WHERE (StageName = 'It\\'s \\u0041' OR Amount >= -1.5) AND NOT Name LIKE 'A\\%%' \
             AND SystemModstamp > 2026-01-02T03:04:05+02:00 AND CloseDate IN (2026-01-02, null) \
             ORDER BY SystemModstamp DESC NULLS LAST, Id LIMIT 10 OFFSET 3",
        )
        .unwrap();
        assert_eq!(select.columns.len(), 3);
        assert_eq!(
            (select.limit, select.offset, select.order.len()),
            (Some(10), 3, 2)
        );
        assert!(select.order[0].descending && select.order[0].nulls_last);
        let Some(Filter::All(terms)) = select.filter else {
            panic!("a conjunction")
        };
        let Filter::Any(either) = &terms[0] else {
            panic!("a disjunction")
        };
        assert!(
            matches!(&either[0], Filter::Compare(_, _, Literal::Text(text)) if text == "It's A")
        );
        assert!(
            matches!(&terms[2], Filter::Compare(_, Comparison::Greater, Literal::Time(time))
            if time.to_string() == "2026-01-02T01:04:05Z")
        );
    }

    #[test]
    fn text_that_is_no_query_is_refused_with_its_place() {
        assert!(
            refused("SELECT Id FORM Lead")
                .ends_with("ERROR at Row:1:Column:11\nunexpected token: 'FORM'")
        );
        assert!(refused("SELECT Id FROM Lead WHERE Email = :x").contains("Bind variables"));
        assert!(refused("SELECT Id FROM Lead WHERE Email = 'x").contains("unterminated"));
        assert!(refused("SELECT Id FROM Lead WHERE A = 1 AND B = 2 OR C = 3").contains("'OR'"));
        assert!(refused("SELECT Id FROM Lead LIMIT -1").contains("'-1'"));
        assert!(refused("SELECT COUNT(Id) FROM Lead").contains("'Id'"));
        assert!(
            refused(&format!("SELECT Id FROM Lead WHERE {}", "(".repeat(5000))).contains("deeply")
        );
        refused("");
    }
}
