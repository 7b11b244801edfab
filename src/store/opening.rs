//! How the ledger and the rows of a directory are brought together on opening.
//!
//! | ledger | rows | what happens |
//! |---|---|---|
//! | none | none, or blank | a new store |
//! | none | a table, or damaged | refused: the history is missing |
//! | there | none, or blank | rows rebuilt from the ledger |
//! | there | damaged | put aside, rebuilt from the ledger |
//! | there | behind it | its tail is applied again |
//! | there | level | nothing to do |
//! | there | ahead of it, or of another history | refused: an old or foreign ledger was restored |
//!
//! Nothing is changed before it is clear which line applies; nothing is ever deleted.

use super::{
    Error,
    disk::Options,
    ledger,
    ledger::{Ledger, Position},
    rows::{self, Found, Rows},
    seam::Change,
    survey::{self, Survey},
};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Locks the directory itself, so that no file that is restored or moved takes the lock with it.
pub(super) fn lock(directory: &Path) -> Result<File, Error> {
    let failed = |source| Error::io(format!("lock {}", directory.display()), directory, source);
    let file = File::open(directory).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => {
            Err(Error::Locked {
                path: directory.to_owned(),
            })
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// The table at the top of this file.
pub(super) fn bring_together(
    directory: &Path,
    options: Options,
    notices: &mut Vec<String>,
) -> Result<(Ledger, Rows), Error> {
    let found = rows::find(directory, options.cache_bytes)?;
    let asked = match &found {
        Found::Table(_, position) => Some(position.sequence),
        _ => None,
    };
    let Some(survey) = survey::survey(directory, asked)? else {
        return begin(directory, options, found);
    };
    let (rows, from) = match found {
        Found::Nothing => (None, 0),
        Found::Blank(rows) => (Some(rows), 0),
        Found::Table(rows, position) => {
            same_history(directory, &survey, position)?;
            (Some(rows), position.sequence)
        }
        Found::Damaged(why) => {
            let aside = put_aside(directory, options.now)?;
            notices.push(format!(
                "{why}; it was moved to {}, which can be deleted once everything is well",
                aside.display()
            ));
            (None, 0)
        }
    };
    if survey.torn > 0 {
        notices.push(format!(
            "the ledger ended with {} bytes of an interrupted write; they were cut off and put beside it as ledger.torn-{}",
            survey.torn,
            ledger::stamp(options.now)
        ));
    }
    let ledger = Ledger::open(directory, &survey, options.now)?;
    let rows = match rows {
        Some(rows) if asked.is_some() => rows,
        Some(blank) => {
            blank.begin(survey.start)?;
            blank
        }
        None => rows::create(directory, options.cache_bytes, survey.start)?,
    };
    let applied = apply_again(directory, &rows, from, survey.position)?;
    match asked {
        None if survey.position.sequence > 0 => notices.push(format!(
            "the rows in {} were rebuilt from the {applied} entries of the ledger; everything else is read again from the vendors",
            rows::path_in(directory).display()
        )),
        _ if applied > 0 => tracing::info!(applied, "entries of the ledger were applied again after an interruption"),
        _ => {}
    }
    Ok((ledger, rows))
}

/// A new store; what is there without a ledger must be nothing.
fn begin(directory: &Path, options: Options, found: Found) -> Result<(Ledger, Rows), Error> {
    let blank = match found {
        Found::Nothing => None,
        Found::Blank(rows) => Some(rows),
        Found::Table(..) | Found::Damaged(_) => {
            return Err(Error::Corrupt {
                what: format!(
                    "{} is missing, and {} is there",
                    ledger::path_in(directory).display(),
                    rows::path_in(directory).display()
                ),
                remedy: "restore the ledger from a backup: without it, opt-outs and links are lost"
                    .to_owned(),
            });
        }
    };
    let ledger = Ledger::create(directory, options.now)?;
    let rows = match blank {
        Some(rows) => {
            rows.begin(ledger.position())?;
            rows
        }
        None => rows::create(directory, options.cache_bytes, ledger.position())?,
    };
    Ok((ledger, rows))
}

/// Refuses rows that know more than the ledger, or something else.
fn same_history(directory: &Path, survey: &Survey, rows: Position) -> Result<(), Error> {
    let history = ledger::path_in(directory);
    let table = rows::path_in(directory);
    let what = if rows.sequence > survey.position.sequence {
        format!(
            "{} ends with entry {}, but {} has already seen entry {}: an older ledger was restored, or its end is damaged",
            history.display(),
            survey.position.sequence,
            table.display(),
            rows.sequence
        )
    } else if survey.asked != Some(rows.checksum) {
        format!(
            "{} and {} are not of the same history",
            history.display(),
            table.display()
        )
    } else {
        return Ok(());
    };
    let remedy = format!(
        "restore the newest ledger; or, where none is newer, move {} away: the rows are then rebuilt from this ledger, and what it lacks is lost",
        table.display()
    );
    Err(Error::Corrupt { what, remedy })
}

/// Moves damaged rows out of the way, under a name that is free.
fn put_aside(directory: &Path, now: Timestamp) -> Result<PathBuf, Error> {
    let table = rows::path_in(directory);
    let name = format!("sled.damaged-{}", ledger::stamp(now));
    let mut aside = directory.join(&name);
    let mut again = 1;
    while aside.exists() {
        again += 1;
        aside = directory.join(format!("{name}-{again}"));
    }
    fs::rename(&table, &aside)
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(|source| {
            Error::io(
                format!("move {} to {}", table.display(), aside.display()),
                directory,
                source,
            )
        })?;
    Ok(aside)
}

/// Applies what the ledger kept after a sequence, in steps that can be taken up where they stopped. Returns the number of entries.
fn apply_again(directory: &Path, rows: &Rows, from: u64, to: Position) -> Result<u64, Error> {
    const STEP: usize = 1000;
    let mut waiting: Vec<(Vec<u8>, Change)> = Vec::new();
    let mut applied = 0;
    if from == to.sequence && from > 0 {
        return Ok(0);
    }
    survey::frames(directory, None, from, &mut |frame| {
        applied += 1;
        waiting.extend(
            frame
                .kept
                .into_iter()
                .map(|(key, value)| (key, Change { kept: true, value })),
        );
        if waiting.len() >= STEP {
            rows.apply(waiting.iter().map(|(key, change)| (&key[..], change)), None)?;
            waiting.clear();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    // The position comes last: until then the whole is applied again, which changes nothing.
    rows.apply(
        waiting.iter().map(|(key, change)| (&key[..], change)),
        Some(to),
    )?;
    Ok(applied)
}
