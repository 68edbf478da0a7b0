//! What a process takes away from itself before it reads anything: files, sockets, other processes, memory and time without end.
//!
//! Landlock forbids every file and every TCP port, seccomp every system call but those of an allocator and two pipes, limits the rest.
//! Each of the two would do for most of it alone. Afterwards the process tries what it must not be able to do, and says what it could.

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus};
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Bytes of data that the process may have: libraries, a message of 256 KiB in libxml2's tree, and its canonical forms.
const MEMORY: u64 = 64 * 1024 * 1024;
/// Seconds of processor time in the process's whole life; its parent ends it long before.
const PROCESSOR: u64 = 120;
/// The oldest kernel interface that is enough: files (Linux 5.13). What a newer kernel can forbid besides is forbidden as well.
const NEEDED: ABI = ABI::V1;
const NEWEST: ABI = ABI::V6;

/// Closes the sandbox around this process, which has one thread.
///
/// # Errors
/// What could not be forbidden.
pub(super) fn close() -> Result<(), String> {
    // Afterwards nobody is told who the parent is.
    let parent = rustix::process::getppid();
    limits()?;
    files_and_ports()?;
    calls()?;
    let possible = possible(parent);
    if possible.is_empty() { Ok(()) } else { Err(format!("the process still can {}", possible.join(", "))) }
}

fn said(what: &str, why: &dyn Display) -> String {
    format!("{what}: {why}")
}

fn limits() -> Result<(), String> {
    let all = [
        (Resource::Data, MEMORY),
        (Resource::Cpu, PROCESSOR),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
    ];
    for (resource, most) in all {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|why| said("limits", &why))?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|why| said("dumps", &why))
}

fn files_and_ports() -> Result<(), String> {
    let landlock = |why: &dyn Display| said("landlock", why);
    let needed = AccessFs::from_all(NEEDED);
    let rules = Ruleset::default()
        .handle_access(needed)
        .and_then(|rules| rules.handle_access(AccessFs::from_all(NEWEST)))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(|why| landlock(&why))?;
    let status = rules.restrict_self().map_err(|why| landlock(&why))?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err("landlock: the kernel does not enforce it".to_owned());
    }
    Ok(())
}

/// What is left: reading requests, writing answers, memory that cannot be run, the clock, random bytes, and the end.
fn calls() -> Result<(), String> {
    let seccomp = |why: &dyn Display| said("seccomp", why);
    let is = |place, value| SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let masked =
        |place, mask, value| SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value);
    let bits = |flags: i32| u64::try_from(flags).unwrap_or_default();
    let not_run = |place| masked(place, bits(libc::PROT_EXEC), 0);
    let anonymous = || masked(3, bits(libc::MAP_ANONYMOUS), bits(libc::MAP_ANONYMOUS));
    let rule = |conditions: Vec<Result<SeccompCondition, seccompiler::BackendError>>| {
        conditions.into_iter().collect::<Result<Vec<_>, _>>().and_then(SeccompRule::new).map(|rule| vec![rule])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = [
        libc::SYS_brk,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_sched_yield,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ]
    .map(|call| (call, Vec::new()))
    .into();
    let within = [
        (libc::SYS_read, rule(vec![is(0, 0)])),
        (libc::SYS_write, rule(vec![is(0, 1)])),
        (libc::SYS_mmap, rule(vec![not_run(2), anonymous()])),
        (libc::SYS_mprotect, rule(vec![not_run(2)])),
    ];
    for (call, rule) in within {
        rules.insert(call, rule.map_err(|why| seccomp(&why))?);
    }
    let refused = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    let arch = std::env::consts::ARCH.try_into().map_err(|why: seccompiler::BackendError| seccomp(&why))?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch).map_err(|why| seccomp(&why))?;
    let program: BpfProgram = filter.try_into().map_err(|why: seccompiler::BackendError| seccomp(&why))?;
    seccompiler::apply_filter(&program).map_err(|why| seccomp(&why))
}

/// What the process can do and must not, tried.
fn possible(parent: Option<Pid>) -> Vec<&'static str> {
    use rustix::net::{AddressFamily, SocketType, socket};
    let tried = [
        ("open a file", std::fs::File::open("/etc/passwd").is_ok()),
        ("look into /proc", std::fs::read("/proc/self/environ").is_ok()),
        ("look into its parent", parent.is_some_and(|parent| open_memory(parent.as_raw_nonzero().get()))),
        ("write a file", std::fs::File::create("/tmp/fedgate-second-opinion").is_ok()),
        ("list a folder", std::fs::read_dir("/").is_ok()),
        ("open a socket", socket(AddressFamily::INET, SocketType::STREAM, None).is_ok()),
        ("open a local socket", socket(AddressFamily::UNIX, SocketType::STREAM, None).is_ok()),
        ("start a thread", std::thread::Builder::new().spawn(|| ()).is_ok()),
        ("start a process", std::process::Command::new("/bin/true").spawn().is_ok()),
        ("signal its parent", parent.is_some_and(|parent| rustix::process::test_kill_process(parent).is_ok())),
        ("raise its limits", setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok()),
        ("duplicate its pipes", rustix::io::dup(std::io::stdin()).is_ok()),
    ];
    tried.into_iter().filter_map(|(what, could)| could.then_some(what)).collect()
}

fn open_memory(process: i32) -> bool {
    std::fs::File::open(format!("/proc/{process}/mem")).is_ok()
}
