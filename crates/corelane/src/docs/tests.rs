//! What the pages say of files and tests is there.

use std::fs;
use std::path::PathBuf;

const PAGES: [(&str, &str); 10] = [
    ("a_frames_way", include_str!("a_frames_way.rs")),
    ("accounting", include_str!("accounting.rs")),
    ("architecture", include_str!("architecture.rs")),
    ("behaviours", include_str!("behaviours.rs")),
    ("delivery", include_str!("delivery.rs")),
    ("embedding", include_str!("embedding.rs")),
    ("limits", include_str!("limits.rs")),
    ("measuring", include_str!("measuring.rs")),
    ("memory_model", include_str!("memory_model.rs")),
    ("real_links", include_str!("real_links.rs")),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between backquotes in the doc comments of a page.
fn quoted(page: &'static str) -> impl Iterator<Item = &'static str> {
    page.lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn files_that_are_named_exist() {
    for (name, page) in PAGES {
        let paths = quoted(page).filter(|path| {
            let first = path.split('/').next().unwrap_or_default();
            path.contains('/') && ["crates", "benches", "tools", "ci"].contains(&first)
        });
        for path in paths {
            assert!(root().join(path).exists(), "{name}: {path}");
        }
    }
}

#[test]
fn models_that_are_named_exist() {
    let mut models = String::new();
    let tests = root().join("crates/sync/tests");
    for file in fs::read_dir(tests).expect("the folder of the models") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            models += &fs::read_to_string(path).expect("a model");
        }
    }
    models += &fs::read_to_string(root().join("crates/frame/src/orphans.rs")).expect("a model");
    let declared = |name: &str| models.contains(&format!("fn {name}()"));
    let (_, page) = PAGES
        .into_iter()
        .find(|(name, _)| *name == "memory_model")
        .expect("the page");
    // A name of three words or more in snake case is that of a test.
    let named: Vec<_> = quoted(page)
        .filter(|word| word.matches('_').count() >= 2 && !word.contains(['/', ':', '(']))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(declared(name), "there is no model {name}");
    }
}

#[test]
fn the_readme_has_the_example() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let example = include_str!("../../examples/echo.rs");
    assert!(
        readme.contains(example),
        "README.md differs from examples/echo.rs"
    );
}
