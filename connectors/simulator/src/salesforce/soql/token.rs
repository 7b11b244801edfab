use super::SoqlError;
use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

/// One token and where it starts, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A keyword, a field or a dotted path; keywords are told apart by the parser, since SOQL reserves almost none.
    Word(String),
    Text(String),
    Number(Decimal),
    Time(Timestamp),
    Date(Date),
    Open,
    Close,
    Comma,
    Colon,
    Compare(Comparison),
    End,
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `LIKE`
    Like,
}

impl TokenKind {
    /// As an error message names it.
    pub(super) fn shown(&self) -> String {
        match self {
            TokenKind::Word(word) => word.clone(),
            TokenKind::Text(text) => format!("'{text}'"),
            TokenKind::Number(number) => number.to_string(),
            TokenKind::Time(time) => time.to_string(),
            TokenKind::Date(date) => date.to_string(),
            TokenKind::Open => "(".to_owned(),
            TokenKind::Close => ")".to_owned(),
            TokenKind::Comma => ",".to_owned(),
            TokenKind::Colon => ":".to_owned(),
            TokenKind::Compare(comparison) => comparison.symbol().to_owned(),
            TokenKind::End => "<EOF>".to_owned(),
        }
    }
}

impl Comparison {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
            Comparison::Like => "LIKE",
        }
    }
}

/// Splits a query into tokens; the last one is [`TokenKind::End`].
pub(super) fn tokens(query: &str) -> Result<Vec<Token>, SoqlError> {
    let bytes = query.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = match byte {
            b'(' => (TokenKind::Open, at + 1),
            b')' => (TokenKind::Close, at + 1),
            b',' => (TokenKind::Comma, at + 1),
            b':' => (TokenKind::Colon, at + 1),
            b'=' | b'!' | b'<' | b'>' => comparison(query, at)?,
            b'\'' => text(query, at)?,
            b'0'..=b'9' | b'+' | b'-' | b'.' => number_or_time(query, at)?,
            _ if word_byte(byte) => {
                let end = end_of(bytes, at, |byte| word_byte(byte) || byte == b'.');
                (TokenKind::Word(query[at..end].to_owned()), end)
            }
            _ => {
                let odd = query[at..].chars().next().unwrap_or(' ');
                return Err(SoqlError::malformed(
                    query,
                    at,
                    format!("unexpected char: '{odd}'"),
                ));
            }
        };
        tokens.push(Token { kind, at });
        at = end;
    }
    tokens.push(Token {
        kind: TokenKind::End,
        at: query.len(),
    });
    Ok(tokens)
}

fn word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|byte| !belongs(*byte))
        .map_or(bytes.len(), |length| from + length)
}

fn comparison(query: &str, at: usize) -> Result<(TokenKind, usize), SoqlError> {
    let rest = &query.as_bytes()[at..];
    let (comparison, length) = match rest {
        [b'!', b'=', ..] | [b'<', b'>', ..] => (Comparison::NotEqual, 2),
        [b'<', b'=', ..] => (Comparison::AtMost, 2),
        [b'>', b'=', ..] => (Comparison::AtLeast, 2),
        [b'<', ..] => (Comparison::Less, 1),
        [b'>', ..] => (Comparison::Greater, 1),
        [b'=', ..] => (Comparison::Equal, 1),
        _ => {
            return Err(SoqlError::malformed(
                query,
                at,
                "unexpected token: '!'".to_owned(),
            ));
        }
    };
    Ok((TokenKind::Compare(comparison), at + length))
}

/// A quoted string with the escapes that SOQL knows. `\_` and `\%` are left for `LIKE` to read.
fn text(query: &str, at: usize) -> Result<(TokenKind, usize), SoqlError> {
    let mut text = String::new();
    let mut characters = query[at + 1..].char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '\'' => return Ok((TokenKind::Text(text), at + 1 + offset + 1)),
            '\\' => match characters.next() {
                Some((_, 'n' | 'N')) => text.push('\n'),
                Some((_, 'r' | 'R')) => text.push('\r'),
                Some((_, 't' | 'T')) => text.push('\t'),
                Some((_, 'b' | 'B')) => text.push('\u{8}'),
                Some((_, 'f' | 'F')) => text.push('\u{c}'),
                Some((_, escaped @ ('\'' | '"' | '\\'))) => text.push(escaped),
                Some((_, escaped @ ('_' | '%'))) => text.extend(['\\', escaped]),
                Some((_, 'u')) => {
                    let digits: String = characters
                        .by_ref()
                        .take(4)
                        .map(|(_, digit)| digit)
                        .collect();
                    let code = u32::from_str_radix(&digits, 16)
                        .ok()
                        .and_then(char::from_u32);
                    text.push(code.ok_or_else(|| illegal(query, at + 1 + offset))?);
                }
                _ => return Err(illegal(query, at + 1 + offset)),
            },
            other => text.push(other),
        }
    }
    Err(SoqlError::malformed(
        query,
        at,
        "unterminated string literal".to_owned(),
    ))
}

fn illegal(query: &str, at: usize) -> SoqlError {
    SoqlError::malformed(
        query,
        at,
        "Invalid string literal. Illegal character sequence".to_owned(),
    )
}

fn number_or_time(query: &str, at: usize) -> Result<(TokenKind, usize), SoqlError> {
    let bytes = query.as_bytes();
    let end = end_of(bytes, at, |byte| {
        word_byte(byte) || matches!(byte, b'.' | b':' | b'+' | b'-')
    });
    let literal = &query[at..end];
    let looks_like_a_date = literal.len() >= 10 && literal.as_bytes()[4] == b'-';
    let kind = if looks_like_a_date {
        if literal.len() == 10 {
            literal.parse::<Date>().ok().map(TokenKind::Date)
        } else {
            literal.parse::<Timestamp>().ok().map(TokenKind::Time)
        }
    } else {
        literal.parse::<Decimal>().ok().map(TokenKind::Number)
    };
    let kind = kind
        .ok_or_else(|| SoqlError::malformed(query, at, format!("unexpected token: '{literal}'")))?;
    Ok((kind, end))
}
