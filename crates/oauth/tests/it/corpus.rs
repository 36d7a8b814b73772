//! Every committed input of the fuzz targets, run through its function.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portcullis_oauth::fuzz;

type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("challenge", fuzz::challenge),
    ("compact", fuzz::compact),
    ("form", fuzz::form),
    ("json", fuzz::json),
    ("jwks", fuzz::jwks),
    ("metadata", fuzz::metadata),
    ("redirect", fuzz::redirect),
];

#[test]
fn every_corpus_file_passes_its_function() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (target, function) in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(root.join("corpus").join(target)).unwrap() {
            function(&fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "no corpus for {target}");
        let source = root.join("fuzz_targets").join(format!("{target}.rs"));
        assert!(source.is_file(), "no fuzz target for {target}");
    }
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let committed: BTreeSet<String> = fs::read_dir(root.join("corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // Those of another crate have its name.
        .filter(|name| !name.starts_with("store_"))
        .collect();
    assert_eq!(named, committed);
}
