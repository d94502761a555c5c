//! An import that is killed leaves nothing that anyone could see, and nothing that stands in the way of the next one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a real process is waited for, with a deadline")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Place, image_of, name};
use image::{ImportOptions, Store, build};

const PLACE: &str = "BAYPLAN_TEST_IMPORT_PLACE";

/// Not a test of its own: the process that is killed. It imports as long as it lives.
#[test]
fn child_that_imports() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let store = Store::open(&place.join("images")).unwrap();
    loop {
        store.import(&place.join("app.tar"), &ImportOptions::default()).unwrap();
        store.remove(&name("app:1")).unwrap();
    }
}

fn spawn(place: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_imports", "--nocapture"])
        .env(PLACE, place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn archive(place: &Place) {
    let files: Vec<(String, Vec<u8>)> = (0..100).map(|n| (format!("d{}/f{n}", n % 7), vec![n; 3000])).collect();
    let files: Vec<(&str, &[u8], u32)> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice(), 0o644)).collect();
    let layers = files.chunks(25).map(|files| build::layer(files).unwrap()).collect();
    build::oci_tar(&place.path("app.tar"), &[(Some(&name("app:1")), &image_of(layers))]).unwrap();
}

/// Whatever a store shows is whole.
fn assert_sound(place: &Place, round: u32) {
    let store = place.store();
    assert_eq!(fs::read_dir(place.path("images/tmp")).unwrap().count(), 0, "round {round}");
    let shown = store.list().unwrap();
    match store.resolve(&name("app:1")).unwrap() {
        None => assert!(shown.is_empty(), "round {round}"),
        Some(image) => {
            let files: usize = image
                .layer_dirs
                .iter()
                .map(|dir| common::listing(dir).iter().filter(|line| line.contains(" = ")).count())
                .sum();
            assert_eq!((files, shown.len()), (100, 1), "round {round}");
        }
    }
    store.import(&place.path("app.tar"), &ImportOptions::default()).unwrap();
    assert_eq!(store.resolve(&name("app:1")).unwrap().unwrap().layer_dirs.len(), 4);
    assert!(store.remove(&name("app:1")).unwrap());
    for dir in ["layers", "blobs/sha256", "refs"] {
        assert_eq!(fs::read_dir(place.path("images").join(dir)).unwrap().count(), 0, "round {round}: {dir}");
    }
}

#[test]
fn killed_at_any_moment_the_store_opens_clean() {
    let place = Place::new();
    archive(&place);
    let mut cut_off = 0;
    for round in 0..40 {
        let mut child = spawn(&place);
        let tmp = place.path("images/tmp");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !fs::read_dir(&tmp).is_ok_and(|mut entries| entries.next().is_some()) {
            assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "the child imports");
            std::hint::spin_loop();
        }
        // A different moment of the import each time; not a wait for anything.
        let moment = Instant::now() + Duration::from_micros(u64::from(round) * 300);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        cut_off += usize::from(fs::read_dir(&tmp).unwrap().next().is_some());
        assert_sound(&place, round);
    }
    assert!(cut_off >= 10, "only {cut_off} of 40 kills hit an import");
}

#[test]
fn an_import_in_progress_is_not_cleaned_away_by_others() {
    let place = Place::new();
    archive(&place);
    let mut child = spawn(&place);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut seen = 0;
    while seen < 20 {
        assert!(Instant::now() < deadline, "the child imports");
        seen += usize::from(place.store().resolve(&name("app:1")).is_ok_and(|image| image.is_some()));
        assert!(child.try_wait().unwrap().is_none(), "the child never fails, whoever opens the store");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
