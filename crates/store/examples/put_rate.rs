//! Measures durable puts per second of the SQLite engine in this process, beside the raw fdatasync of the same folder.
//!
//! `cargo run --release -p store --example put_rate -- [FOLDER] [CLIENTS] [SECONDS] [KEYS]`
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement reads the time and prints")]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{KeyRange, SqliteOptions, SqliteStore, Store, WatchEvent, Write};
use tokio::task::JoinSet;

const VALUE_BYTES: usize = 340;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let clients: u64 = arguments.next().map_or(Ok(256), |n| n.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |n| n.parse())?;
    let keys: u64 = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let folder = tempfile::tempdir_in(folder)?;

    report("raw fdatasync of 4 KiB", &mut sync_times(folder.path())?, None);

    let store = Arc::new(SqliteStore::open(SqliteOptions::new(folder.path().join("store.db"))).await?);
    let seen = follow(&store).await?;
    let (cpu, began) = (cpu_seconds(), Instant::now());
    let until = began + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        tasks.spawn(put_until(store.clone(), client, keys, until));
    }
    let mut times = Vec::new();
    for of_client in tasks.join_all().await {
        times.extend(of_client?);
    }
    let (elapsed, cpu) = (began.elapsed(), cpu_seconds() - cpu);
    let puts = times.len();
    report(&format!("{clients} clients, {VALUE_BYTES} B"), &mut times, Some(elapsed));
    let status = store.status().await?;
    println!("  {:.1} us of CPU per put, all threads; {} KiB on disk", cpu * 1e6 / puts as f64, status.bytes / 1024);
    println!("  a watcher saw {} of {} revisions so far", seen.load(Ordering::Relaxed), status.revision.0 - 1);

    store.close().await;
    let reopened = Instant::now();
    let again = SqliteStore::open(SqliteOptions::new(folder.path().join("store.db"))).await?;
    println!(
        "  reopened in {:.1} ms, revision {}",
        reopened.elapsed().as_secs_f64() * 1e3,
        again.status().await?.revision
    );
    again.close().await;
    Ok(())
}

async fn put_until(store: Arc<SqliteStore>, client: u64, keys: u64, until: Instant) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    let mut n = client;
    while Instant::now() < until {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = format!("/bench/{:08}", (n >> 33) % keys);
        let began = Instant::now();
        store.commit(vec![], vec![Write::put(key, vec![b'v'; VALUE_BYTES])]).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// Counts the revisions that a watcher gets while the puts run; it is allowed to lose the race against the retention.
async fn follow(store: &Arc<SqliteStore>) -> Result<Arc<AtomicU64>, Failure> {
    let seen = Arc::new(AtomicU64::new(0));
    let mut watch = store.watch(KeyRange::all(), store.status().await?.revision.next());
    let counter = seen.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map(|runtime| {
            runtime.block_on(async {
                while let Ok(WatchEvent::Revision { .. }) = watch.next().await {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        })
    });
    Ok(seen)
}

fn sync_times(folder: &Path) -> Result<Vec<Duration>, Failure> {
    let mut file = File::create(folder.join("probe"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for block in 0..256 {
        let began = Instant::now();
        file.seek(SeekFrom::Start(block * 4096))?;
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn report(what: &str, times: &mut [Duration], elapsed: Option<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let rate = times.len() as f64 / elapsed.unwrap_or_else(|| times.iter().sum()).as_secs_f64();
    println!("{what}: {rate:.0}/s, p50 {:.3} ms, p99 {:.3} ms, longest {:.3} ms", at(0.5), at(0.99), at(0.9999));
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.map_or(0.0, |usage| {
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}
