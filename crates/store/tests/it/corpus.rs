//! Every committed input of the fuzz targets, run through its function.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portcullis_store::fuzz;

type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("store_envelope", fuzz::envelope),
    ("store_keys", fuzz::keys),
];

#[test]
fn sec_st_03_every_corpus_file_passes_its_function() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (target, function) in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(root.join("corpus").join(target)).unwrap() {
            let whole = fs::read(entry.unwrap().path()).unwrap();
            for end in 0..=whole.len() {
                function(&whole[..end]);
            }
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
        .filter(|name| name.starts_with("store_"))
        .collect();
    assert_eq!(named, committed);
}
