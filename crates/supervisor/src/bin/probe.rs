//! What the tests run inside containers: says what it sees and tries what must not work; never shipped.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::process::exit;
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let name = args[0].rsplit('/').next().unwrap_or_default().to_owned();
    // As `true` it is the smallest program there is.
    let words: Vec<&str> =
        if name == "true" { vec!["exit", "0"] } else { args[1..].iter().map(String::as_str).collect() };
    match words.split_first() {
        Some((word, rest)) => run(word, rest),
        None => say(&format!("probe {}", args.join(" "))),
    }
}

fn run(word: &str, rest: &[&str]) {
    match (word, rest) {
        ("exit", [code]) => exit(code.parse().unwrap_or(99)),
        ("die", [signal]) => die(number(signal)),
        ("echo", words) => say(&words.join(" ")),
        ("err", words) => drop(writeln!(io::stderr(), "{}", words.join(" "))),
        ("cat", paths) => paths.iter().for_each(|path| say(&read(path))),
        ("ls", paths) => paths.iter().for_each(|path| say(&list(path))),
        ("env", _) => std::env::vars().for_each(|(key, value)| say(&format!("{key}={value}"))),
        ("pwd", _) => say(&std::env::current_dir().map_or_else(|e| e.to_string(), |d| d.display().to_string())),
        ("id", _) => id(),
        ("threads", _) => threads(),
        ("fds", _) => say(&list("/proc/self/fd")),
        ("ns", _) => namespaces(),
        ("eat", [mib]) => eat(number(mib) as usize),
        ("fork", [count]) => fork_many(number(count)),
        ("orphan", _) => orphan(),
        ("sleep", _) => sleep_for_ever(),
        ("signals", _) => print_signals(),
        ("flood", [bytes]) => flood(number(bytes) as usize),
        ("write", [path, text]) => say(&outcome(fs::write(path, text))),
        ("append", [path, text]) => {
            say(&outcome(
                fs::OpenOptions::new().append(true).open(path).and_then(|mut f| f.write_all(text.as_bytes())),
            ));
        }
        ("stdin", _) => stdin(),
        ("tty", _) => tty(),
        ("try", attempts) => attempts.iter().for_each(|attempt| attempt_escape(attempt)),
        ("then", [path, next @ ..]) => wait_for(path, next),
        ("overwrite-runner", [seconds]) => overwrite_runner(number(seconds)),
        _ => exit(98),
    }
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .map_or_else(|e| format!("{path}: {}", e.raw_os_error().unwrap_or(0)), |t| t.trim_end().to_owned())
}

fn list(path: &str) -> String {
    let Ok(entries) = fs::read_dir(path) else { return format!("{path}: unreadable") };
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.join(" ")
}

fn outcome<T>(result: io::Result<T>) -> String {
    result.map_or_else(|e| format!("errno {}", e.raw_os_error().unwrap_or(0)), |_| "done".to_owned())
}

fn die(signal: i64) {
    // SAFETY: plain numbers.
    unsafe {
        libc::signal(signal as i32, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal as i32);
    }
    std::thread::sleep(Duration::from_secs(1));
}

fn id() {
    let mut groups = [0; 64];
    // SAFETY: the buffer holds the stated number of groups.
    let (uid, gid, count) = unsafe { (libc::getuid(), libc::getgid(), libc::getgroups(64, groups.as_mut_ptr())) };
    let mut groups = groups[..count.max(0) as usize].to_vec();
    groups.sort_unstable();
    say(&format!("uid={uid} gid={gid} groups={groups:?} home={}", std::env::var("HOME").unwrap_or_default()));
}

/// The security lines of every thread, a second one included.
fn threads() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv().is_ok());
    for entry in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let wanted = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:"];
        let lines = status.lines().filter(|line| wanted.iter().any(|w| line.starts_with(w)));
        say(&lines.map(|l| l.split_whitespace().collect::<Vec<_>>().join("")).collect::<Vec<_>>().join(" "));
    }
    drop(done);
    let _ = thread.join();
}

fn namespaces() {
    for kind in ["pid", "net", "ipc", "uts", "mnt", "cgroup"] {
        let link = fs::read_link(format!("/proc/self/ns/{kind}")).map(|l| l.display().to_string()).unwrap_or_default();
        say(&link);
    }
}

fn eat(mib: usize) {
    let mut kept = Vec::new();
    for _ in 0..mib {
        kept.push(vec![1_u8; 1 << 20]);
    }
    say(&format!("ate {}", kept.len()));
}

fn fork_many(count: i64) {
    let mut made = 0;
    for _ in 0..count {
        // SAFETY: the child only sleeps.
        match unsafe { libc::fork() } {
            0 => sleep_for_ever(),
            pid if pid > 0 => made += 1,
            _ => break,
        }
    }
    say(&format!("forked {made}"));
}

/// Leaves a grandchild behind that ends at once, then counts zombies.
fn orphan() {
    // SAFETY: the children only fork and end.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            if libc::fork() == 0 {
                libc::usleep(1000);
            }
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(child, &raw mut status, 0);
    }
    let zombies = || {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = pids.filter_map(|e| fs::read_to_string(e.path().join("stat")).ok());
        stats.filter(|s| s.contains(") Z ") || s.starts_with("0 ")).count()
    };
    let others = || list("/proc").split(' ').filter(|n| n.parse::<u32>().is_ok()).count();
    for _ in 0..2000 {
        if others() <= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    say(&format!("zombies {} processes {}", zombies(), others()));
}

fn sleep_for_ever() {
    loop {
        // SAFETY: no arguments.
        unsafe { libc::pause() };
    }
}

/// Prints each signal it gets; 15 ends it.
fn print_signals() {
    // SAFETY: the set is filled before use; both live across the calls.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        say("ready");
        loop {
            let mut signal = 0;
            libc::sigwait(&raw const all, &raw mut signal);
            say(&format!("signal {signal}"));
            if signal == libc::SIGTERM {
                exit(0);
            }
        }
    }
}

fn flood(bytes: usize) {
    let line = [b'x'; 99];
    let mut left = bytes;
    let mut out = io::stdout().lock();
    while left > 0 {
        let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        left = left.saturating_sub(100);
    }
    let _ = out.flush();
    drop(out);
    let _ = writeln!(io::stderr(), "flooded");
}

fn stdin() {
    let mut text = String::new();
    let _ = io::stdin().read_to_string(&mut text);
    say(&format!("read {text:?}"));
}

fn tty() {
    let size = || {
        // SAFETY: an all-zero winsize is valid and is what the call overwrites.
        unsafe {
            let mut size: libc::winsize = std::mem::zeroed();
            libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size);
            format!("{}x{}", size.ws_row, size.ws_col)
        }
    };
    // SAFETY: plain numbers; the set is filled before use.
    unsafe {
        let mut winch = std::mem::zeroed();
        libc::sigemptyset(&raw mut winch);
        libc::sigaddset(&raw mut winch, libc::SIGWINCH);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const winch, std::ptr::null_mut());
        let console = fs::metadata("/dev/console").is_ok();
        say(&format!("tty {} {} console {console}", libc::isatty(0), size()));
        let mut signal = 0;
        libc::sigwait(&raw const winch, &raw mut signal);
    }
    say(&format!("resized {}", size()));
    let mut line = String::new();
    let _ = io::stdin().read_line(&mut line);
    say(&format!("typed {}", line.trim()));
}

/// Runs on once a file appears.
fn wait_for(path: &str, next: &[&str]) {
    while fs::metadata(path).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    if let Some((word, rest)) = next.split_first() {
        run(word, rest);
    }
}

/// Opens the program of every process it can see for writing, again and again: what a runtime must survive.
fn overwrite_runner(seconds: i64) {
    let mut hits = 0;
    let mut seen = 0;
    for _ in 0..seconds * 1000 {
        for name in list("/proc").split(' ').filter(|n| n.parse::<u32>().is_ok()) {
            let exe = format!("/proc/{name}/exe");
            let runner = fs::read_link(&exe).is_ok_and(|to| to.to_string_lossy().contains("bayplan"));
            seen += i64::from(runner);
            if runner && fs::OpenOptions::new().write(true).open(&exe).and_then(|mut f| f.write_all(b"gone")).is_ok() {
                hits += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    say(&format!("overwrote {hits} of {seen}"));
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn last(result: i64) -> String {
    if result < 0 {
        format!("errno {}", io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        "done".to_owned()
    }
}

fn attempt_escape(attempt: &str) {
    let (what, argument) = attempt.split_once('=').unwrap_or((attempt, ""));
    // SAFETY: every pointer is null or a string that lives to the end of its statement.
    let result = unsafe {
        match what {
            "mknod-disk" => {
                let path = c("/tmp-disk");
                // A loop device: the host itself may be forbidden to open its real disk.
                let device = libc::makedev(7, 0);
                match libc::mknod(path.as_ptr(), libc::S_IFBLK | 0o600, device) {
                    0 => format!("made, open {}", outcome(fs::File::open("/tmp-disk"))),
                    _ => last(-1),
                }
            }
            "mount" => {
                let (kind, at) = (c("tmpfs"), c("/mnt"));
                last(libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, std::ptr::null()).into())
            }
            "umount" => last(libc::umount2(c(argument).as_ptr(), libc::MNT_DETACH).into()),
            "unshare-user" => last(libc::unshare(libc::CLONE_NEWUSER).into()),
            "unshare-mnt" => last(libc::unshare(libc::CLONE_NEWNS).into()),
            "clone-user" => last(libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0)),
            "clone3" => last(libc::syscall(libc::SYS_clone3, 0, 0)),
            "setns" => match fs::File::open("/proc/1/ns/mnt") {
                Ok(file) => last(libc::setns(std::os::fd::AsRawFd::as_raw_fd(&file), 0).into()),
                Err(e) => outcome(Err::<(), _>(e)),
            },
            "socket" => last(libc::socket(number(argument) as i32, libc::SOCK_SEQPACKET, 0).into()),
            "syscall" => last(libc::syscall(number(argument), 0, 0, 0, 0, 0, 0)),
            "ptrace" => last(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0)),
            "chroot" => last(libc::chroot(c("/").as_ptr()).into()),
            "keyctl" => last(libc::syscall(libc::SYS_keyctl, 0, -3, 0)),
            "open" => outcome(fs::File::open(argument)),
            "write" => outcome(fs::OpenOptions::new().write(true).open(argument).and_then(|mut f| f.write_all(b"1"))),
            "create" => outcome(fs::File::create(argument)),
            "remount-rw" => {
                let flags = libc::MS_REMOUNT | libc::MS_BIND;
                last(
                    libc::mount(std::ptr::null(), c(argument).as_ptr(), std::ptr::null(), flags, std::ptr::null())
                        .into(),
                )
            }
            _ => "unknown".to_owned(),
        }
    };
    say(&format!("{attempt}: {result}"));
}
