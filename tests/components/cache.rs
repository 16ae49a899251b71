//! Compiled components are kept, and what is kept is not trusted blindly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateway_tests::Setup;

use crate::GATEWAY;

#[tokio::test]
async fn a_second_start_compiles_nothing_and_a_damaged_entry_is_compiled_again() {
    let setup = Setup::new(GATEWAY)
        .argument("check")
        .variable("DISCORD_TOKEN", "MTIz.test.token")
        .file("[components]\ncache_directory = 'compiled'\n");
    let cache = setup.path("compiled");

    assert_valid(&setup).await;
    let first = entries(&cache);
    assert_eq!(first.len(), 2, "one for each bundled component: {:?}", first.keys());

    assert_valid(&setup).await;
    assert!(entries(&cache) == first, "a second start must leave the entries as they are");

    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.fill(0x5a),
        // The engine would run this one.
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        },
    ];
    for damage in damages {
        let damaged = first.iter().map(|(path, bytes)| {
            let mut bytes = bytes.clone();
            damage(&mut bytes);
            std::fs::write(path, &bytes).unwrap();
            (path.clone(), bytes)
        });
        let damaged: BTreeMap<_, _> = damaged.collect();
        assert_valid(&setup).await;
        let now = entries(&cache);
        assert!(now.keys().eq(first.keys()), "{:?}", now.keys());
        assert!(now.iter().all(|(path, bytes)| damaged[path] != *bytes), "a damaged entry must not stay");
    }
}

async fn assert_valid(setup: &Setup) {
    let output = setup.output().await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The compiled components, without what is noted about their use.
fn entries(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut entries = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            entries.extend(self::entries(&path));
        } else if path.extension().is_none() && !path.ends_with("digests") {
            entries.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    entries
}
