//! Several processes of the program that train together, started as a launcher does.

use std::net::TcpListener;

use crate::{Finished, Live, Run};

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
    listener.local_addr().expect("it has a number").port()
}

impl Run {
    /// Starts the command in so many processes: what a launcher sets is in their environment.
    pub fn start_processes(&self, processes: usize, arguments: &[&str]) -> Vec<Live> {
        self.start_each(&vec![arguments; processes])
    }

    /// The same with the arguments of each process.
    pub fn start_each<'a, A: AsRef<[&'a str]>>(&self, arguments: &[A]) -> Vec<Live> {
        let port = free_port().to_string();
        let start = |(rank, own): (usize, &A)| {
            let (rank, size) = (rank.to_string(), arguments.len().to_string());
            let variables = [
                ("RANK", rank.as_str()),
                ("LOCAL_RANK", &rank),
                ("WORLD_SIZE", &size),
                ("LOCAL_WORLD_SIZE", &size),
                ("MASTER_ADDR", "127.0.0.1"),
                ("MASTER_PORT", &port),
            ];
            self.start_with(own.as_ref(), &variables)
        };
        arguments.iter().enumerate().map(start).collect()
    }

    /// `host fit run.toml --run-dir DIR` and more arguments in so many processes, to their end; by rank.
    pub fn fit_in(&self, processes: usize, run_dir: &str, more: &[&str]) -> Vec<Finished> {
        let arguments = [&["fit", "run.toml", "--run-dir", run_dir], more].concat();
        self.start_processes(processes, &arguments).into_iter().map(Live::finish).collect()
    }
}
