//! Processes of checks as copies of one that has libtorch loaded: loading it takes longer than most checks.
//!
//! A zygote is this program with a hidden command. It reads jobs, a line each, and forks for each; the copy
//! runs the check. It has one thread and has computed nothing, so that a copy is what a new process would be.
//! Only its addresses are those of the other copies: where a second process is to compare, that one is
//! started anew.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::job::{Job, STDERR, STDOUT, single_threaded};

/// Those that wait for a job.
#[derive(Default)]
pub struct Zygotes(Mutex<Vec<Zygote>>);

impl Zygotes {
    /// Runs a job in a copy, or in a process of its own where none can be had (a libtorch that starts threads
    /// when it is loaded); `None` where it was not done in time.
    ///
    /// # Errors
    /// A process that cannot be started.
    pub fn run(&self, job: &Job, limit: Duration) -> io::Result<Option<ExitStatus>> {
        self.run_in_copy(job, limit).or_else(|_| job.spawn_and_wait(limit))
    }

    fn run_in_copy(&self, job: &Job, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut zygote = waiting.map_or_else(Zygote::start, Ok)?;
        let ended = zygote.run(job, limit)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(zygote);
        Ok(ended)
    }
}

struct Zygote {
    process: Child,
    jobs: ChildStdin,
    answers: Receiver<io::Result<i32>>,
}

impl Zygote {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["plugin", "run-check"]).envs(single_threaded());
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(jobs), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(gone());
        };
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let numbers = BufReader::new(output).lines().map(|line| line?.parse().map_err(io::Error::other));
            numbers.map(|number| sender.send(number)).take_while(Result::is_ok).for_each(drop);
        });
        Ok(Self { process, jobs, answers })
    }

    fn run(&mut self, job: &Job, limit: Duration) -> io::Result<Option<ExitStatus>> {
        writeln!(self.jobs, "{}", serde_json::to_string(job)?)?;
        let pid = Pid::from_raw(self.answer()?).ok_or_else(gone)?;
        match self.answers.recv_timeout(limit) {
            Ok(status) => Ok(Some(ExitStatus::from_raw(status?))),
            Err(RecvTimeoutError::Disconnected) => {
                // Whoever runs the job anew has its folder alone.
                let _ = kill_process(pid, Signal::KILL);
                Err(gone())
            }
            Err(RecvTimeoutError::Timeout) => {
                // The zygote has not waited for it yet, or just did: then nobody has its number so soon.
                let _ = kill_process(pid, Signal::KILL);
                self.answer().map(|_| None)
            }
        }
    }

    fn answer(&self) -> io::Result<i32> {
        self.answers.recv().map_err(|_| gone())?
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn gone() -> io::Error {
    io::Error::other("the process that makes those of the checks is gone")
}

/// The zygote's side: forks for every job on standard input, to do `check` there; tells the copy's number,
/// then how it ended.
///
/// # Errors
/// Standard input or output, or a system that makes no more processes.
pub fn serve(check: fn(&Job) -> Result<(), String>) -> io::Result<()> {
    if fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("a process of more than one thread cannot be copied"));
    }
    for line in io::stdin().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        // SAFETY: this process has no other thread whose locks a copy could miss.
        match unsafe { libc::fork() } {
            0 => be_born(&job, check),
            pid => {
                let pid = Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)?;
                println!("{}", pid.as_raw_nonzero());
                let (_, status) = waitpid(Some(pid), WaitOptions::empty())?.ok_or_else(gone)?;
                println!("{}", status.as_raw());
            }
        }
    }
    Ok(())
}

/// The copy: a process like one that was started for the check, but for its end. libtorch's takes longer than
/// most checks; where a second process compares, that one ends in the usual way.
fn be_born(job: &Job, check: fn(&Job) -> Result<(), String>) -> ! {
    let done = settle(job).map_err(|error| error.to_string()).and_then(|()| check(job));
    if let Err(error) = &done {
        eprintln!("{error}");
    }
    // SAFETY: null is for every stream, those of C code in a plugin, too; nothing follows.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(i32::from(done.is_err()))
    }
}

fn settle(job: &Job) -> io::Result<()> {
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(File::create(job.scratch.join(STDOUT))?)?;
    rustix::stdio::dup2_stderr(File::create(job.scratch.join(STDERR))?)?;
    // SAFETY: no other thread reads the environment.
    unsafe { std::env::set_var("TMPDIR", &job.scratch) };
    Ok(())
}
