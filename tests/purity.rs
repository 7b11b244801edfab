//! The walls between the rooms, read off the sources: what is pure stays pure, and nobody depends on whom they must not know.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What a pure room may not speak of: waiting, the network, files, the environment, clocks, chance and logs.
const FORBIDDEN: [&str; 12] = [
    "tokio",
    "reqwest",
    "sled",
    "std::fs",
    "std::env",
    "std::net",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "rand",
    "tracing",
];

const PURE: [&str; 3] = ["src/agreement", "src/decide", "src/report"];

#[test]
fn pure_rooms_name_nothing_impure() {
    let rooms: Vec<PathBuf> = PURE
        .iter()
        .flat_map(|room| [root().join(room), root().join(format!("{room}.rs"))])
        .filter(|path| path.exists())
        .collect();
    assert!(rooms.len() >= 2, "the pure rooms have moved: {rooms:?}");
    let mut found = Vec::new();
    for file in rooms.iter().flat_map(|room| sources(room)) {
        found.extend(breaches(
            &shown(&file),
            &fs::read_to_string(&file).unwrap(),
            &FORBIDDEN,
        ));
    }
    assert!(
        found.is_empty(),
        "pure rooms take values and give values:\n{}",
        found.join("\n")
    );
}

#[test]
fn only_the_store_knows_sled() {
    let store = root().join("src/store");
    let outside = sources(&root().join("src"))
        .into_iter()
        .filter(|file| !file.starts_with(&store));
    let found: Vec<String> = outside
        .flat_map(|file| {
            breaches(
                &shown(&file),
                &fs::read_to_string(&file).unwrap(),
                &["sled"],
            )
        })
        .collect();
    assert!(
        found.is_empty(),
        "rows and bytes belong to src/store:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_check_bites() {
    for name in FORBIDDEN {
        let text = format!("//! A room.\n\nuse {name}::thing;\n");
        assert_eq!(
            breaches("made/up.rs", &text, &FORBIDDEN),
            [format!("made/up.rs:3: {name}")]
        );
    }
    for (text, expected) in [
        ("let x = { use std::{fs, io}; };", "made/up.rs:1: std::fs"),
        (
            "use std::{\n    collections::BTreeMap,\n    env,\n};",
            "made/up.rs:3: std::env",
        ),
        (
            "use jiff::Timestamp as T;\nlet now = jiff::Timestamp::now ();",
            "made/up.rs:2: Timestamp::now",
        ),
        (
            "let now = Timestamp\n    ::now();",
            "made/up.rs:2: Timestamp::now",
        ),
        ("a\n#[tracing::instrument]", "made/up.rs:2: tracing"),
    ] {
        assert_eq!(
            breaches("made/up.rs", text, &FORBIDDEN),
            [expected],
            "{text}"
        );
    }
}

#[test]
fn the_check_lets_pass_what_is_pure() {
    for text in [
        "//! No tokio here, no sled.\n/// Nor rand.\nlet brand = 3; // std::fs would be wrong",
        "const TEMPLATE: &str = include_str!(\"template.toml\");",
        "let why = \"sled, tokio and rand are words\";",
        "fn instant_of(operand: Operand) {}",
        "use std::{collections::BTreeMap, fmt};",
    ] {
        assert_eq!(
            breaches("made/up.rs", text, &FORBIDDEN),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

#[test]
fn crates_know_only_whom_they_may() {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("connectors")).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        if path.exists() {
            let folder = path
                .parent()
                .and_then(Path::file_name)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            found.extend(strangers(&folder, &fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_of_crates_bites() {
    for (folder, dependency) in [
        ("contract", "kit.workspace = true"),
        ("kit", "simulator = { path = \"../simulator\" }"),
        ("hubspot", "salesforce.workspace = true"),
        ("hubspot", "simulator.workspace = true"),
        ("salesforce", "leadloop = { path = \"../..\" }"),
        (
            "marketo",
            "other = { package = \"leadloop-hubspot\", path = \"../hubspot\" }",
        ),
    ] {
        let manifest = format!(
            "[package]\nname = \"leadloop-x\"\n[dependencies]\nserde.workspace = true\n{dependency}\n"
        );
        assert_eq!(
            strangers(folder, &manifest).len(),
            1,
            "{folder}: {dependency}"
        );
        let tested = manifest.replace("[dependencies]", "[dev-dependencies]");
        assert!(
            strangers(folder, &tested).is_empty(),
            "tests may know more: {folder}: {dependency}"
        );
    }
}

/// Ours in `[dependencies]` that the crate in this folder must not know.
fn strangers(folder: &str, manifest: &str) -> Vec<String> {
    let may: BTreeSet<&str> = match folder {
        "contract" => BTreeSet::new(),
        "kit" => BTreeSet::from(["contract"]),
        _ => BTreeSet::from(["contract", "kit"]),
    };
    let manifest: toml::Table = manifest.parse().unwrap();
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let shared = workspace["workspace"]["dependencies"].as_table().unwrap();
    let mut tables: Vec<&toml::Table> = Vec::new();
    tables.extend(manifest.get("dependencies").and_then(toml::Value::as_table));
    tables.extend(
        manifest
            .get("build-dependencies")
            .and_then(toml::Value::as_table),
    );
    let mut found = Vec::new();
    for (name, value) in tables.into_iter().flatten() {
        let named = |value: &toml::Value| {
            value
                .get("package")
                .and_then(toml::Value::as_str)
                .map(str::to_owned)
        };
        let package = named(value)
            .or_else(|| shared.get(name).and_then(named))
            .unwrap_or_else(|| name.clone());
        let ours = package == "leadloop"
            || package.starts_with("leadloop-")
            || value.get("path").is_some();
        let plain = package.strip_prefix("leadloop-").unwrap_or(&package);
        if ours && !may.contains(plain) {
            found.push(format!(
                "connectors/{folder}/Cargo.toml: it must not depend on {package}"
            ));
        }
    }
    found
}

/// `file:line: name` for each forbidden name in code: words in comments and in texts are free.
fn breaches(file: &str, source: &str, forbidden: &[&'static str]) -> Vec<String> {
    let tokens = tokens(source);
    let mut found = BTreeMap::new();
    for path in paths(&tokens) {
        for name in forbidden {
            let parts: Vec<&str> = name.split("::").collect();
            for (place, window) in path.windows(parts.len()).enumerate() {
                if window
                    .iter()
                    .map(|token| token.text.as_str())
                    .eq(parts.iter().copied())
                {
                    found
                        .entry((path[place + parts.len() - 1].line, *name))
                        .or_insert(());
                }
            }
        }
    }
    found
        .into_keys()
        .map(|(line, name)| format!("{file}:{line}: {name}"))
        .collect()
}

#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// Every path that the code names, with the groups of `use` spelt out: `std::{fs, io}` is `std::fs` and `std::io`.
fn paths(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut found: Vec<Vec<Token>> = Vec::new();
    let mut path: Vec<Token> = Vec::new();
    let mut groups: Vec<Option<Vec<Token>>> = Vec::new();
    let mut joined = false;
    for token in tokens {
        match token.text.as_str() {
            "::" => joined = true,
            "{" => {
                groups.push(joined.then(|| std::mem::take(&mut path)));
                path = groups.last().cloned().flatten().unwrap_or_default();
                joined = path.last().is_some();
            }
            "," | "}" => {
                found.push(std::mem::take(&mut path));
                if token.text == "}" {
                    groups.pop();
                }
                path = groups.last().cloned().flatten().unwrap_or_default();
                joined = path.last().is_some();
            }
            word if word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                if !joined {
                    found.push(std::mem::take(&mut path));
                }
                path.push(token.clone());
                joined = false;
            }
            _ => {
                found.push(std::mem::take(&mut path));
                joined = false;
            }
        }
    }
    found.push(path);
    found
}

/// Words and signs of Rust, without comments and without what stands in texts.
fn tokens(source: &str) -> Vec<Token> {
    let characters: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let starts = |at: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(offset, c)| characters.get(at + offset) == Some(&c))
    };
    while at < characters.len() {
        let begin = at;
        let c = characters[at];
        if starts(at, "//") {
            while at < characters.len() && characters[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < characters.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if let Some(hashes) = raw_text(&characters[at..]) {
            let end: String = std::iter::once('"')
                .chain(std::iter::repeat_n('#', hashes))
                .collect();
            at += hashes + 2;
            while at < characters.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '"' {
            at += 1;
            while at < characters.len() && characters[at] != '"' {
                at += if characters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\''
            && (characters.get(at + 1) == Some(&'\\') || characters.get(at + 2) == Some(&'\''))
        {
            // A character, not a lifetime.
            at += 2;
            while at < characters.len() && characters[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if c.is_alphanumeric() || c == '_' {
            while at < characters.len()
                && (characters[at].is_alphanumeric() || characters[at] == '_')
            {
                at += 1;
            }
            tokens.push(Token {
                text: characters[begin..at].iter().collect(),
                line,
            });
        } else if starts(at, "::") {
            at += 2;
            tokens.push(Token {
                text: "::".to_owned(),
                line,
            });
        } else {
            at += 1;
            if !c.is_whitespace() {
                tokens.push(Token {
                    text: c.to_string(),
                    line,
                });
            }
        }
        at = at.min(characters.len());
        line += characters[begin..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// How many `#` a raw text that begins here has.
fn raw_text(rest: &[char]) -> Option<usize> {
    let rest = rest.strip_prefix(&['r'])?;
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root())
        .unwrap_or(file)
        .display()
        .to_string()
}

/// Every Rust file below a folder, or the file itself, in order.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return if path.extension().is_some_and(|extension| extension == "rs") {
            vec![path.to_path_buf()]
        } else {
            Vec::new()
        };
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries.iter().flat_map(|entry| sources(entry)).collect()
}
