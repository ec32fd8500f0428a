use super::*;

fn find(variables: &[(&str, &str)]) -> Result<Option<Launch>, LaunchError> {
    find_launch(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

const TORCHRUN: [(&str, &str); 4] =
    [("RANK", "3"), ("WORLD_SIZE", "8"), ("MASTER_ADDR", "node1"), ("MASTER_PORT", "29500")];

#[test]
fn torchruns_variables_say_which_process_it_is() {
    let local = [("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "2"), ("TORCHELASTIC_USE_AGENT_STORE", "True")];
    let launch = find(&[&TORCHRUN[..], &local].concat()).unwrap().unwrap();
    assert_eq!((launch.rank, launch.world_size, launch.local_rank), (3, 8, 1));
    assert_eq!(launch.place(), "node1:29500");
    assert!(!launch.hosts_store() && !launch.is_one_machine());
    let first = find(&[&[("RANK", "0")], &TORCHRUN[1..]].concat()).unwrap().unwrap();
    assert!(first.hosts_store(), "without an agent the first process does");
    assert_eq!(find(&[]), Ok(None));
    assert_eq!(find(&[("MASTER_ADDR", "node1"), ("MASTER_PORT", "1")]), Ok(None), "set for a whole job");
}

#[test]
fn variables_that_are_missing_or_wrong_are_named() {
    let error = find(&[("RANK", "0"), ("MASTER_ADDR", "here")]).unwrap_err().to_string();
    assert!(error.starts_with("RANK, MASTER_ADDR are set, but not WORLD_SIZE, MASTER_PORT: "), "{error}");
    let rank = find(&[&[("RANK", "8")], &TORCHRUN[1..]].concat()).unwrap_err().to_string();
    assert_eq!(rank, "RANK=8 in the environment: expected a number below that of the processes, 8");
    let port = find(&[&TORCHRUN[..3], &[("MASTER_PORT", "70000")]].concat()).unwrap_err().to_string();
    assert!(port.contains("MASTER_PORT=70000") && port.contains("from 1 to 65535"), "{port}");
}

#[test]
fn kubeflows_variables_alone_are_for_torchrun() {
    let error = find(&[("PET_NNODES", "2"), ("PET_MASTER_ADDR", "node")]).unwrap_err().to_string();
    assert!(error.contains("PET_NNODES") && error.contains("torchrun --no-python"), "{error}");
    assert!(find(&[&TORCHRUN[..], &[("PET_NNODES", "2")]].concat()).unwrap().is_some());
}

#[test]
fn tasks_of_a_slurm_step_meet_on_its_first_machine() {
    let step = [
        ("SLURM_PROCID", "5"),
        ("SLURM_NTASKS", "8"),
        ("SLURM_LOCALID", "1"),
        ("SLURM_JOB_ID", "4123456"),
        ("SLURM_STEP_ID", "0"),
        ("SLURM_JOB_NODELIST", "gpu[03-05,9],cpu7"),
    ];
    let launch = find(&step).unwrap().unwrap();
    assert_eq!((launch.rank, launch.world_size, launch.local_rank), (5, 8, 1));
    assert_eq!(launch.place(), "gpu03:18456");
    assert_eq!(find(&[&step[..4], &step[5..]].concat()), Ok(None), "a batch script is no task");
    let named = find(&[&step[..], &[("MASTER_ADDR", "head"), ("MASTER_PORT", "5")]].concat());
    assert_eq!(named.unwrap().unwrap().place(), "head:5");
    for (list, first) in [("a1", "a1"), ("a1,b2", "a1"), ("a,b[1-2]", "a"), ("n[7]", "n7")] {
        assert_eq!(first_machine(list), first);
    }
}

#[test]
fn processes_that_are_started_anew_do_not_hear_those_before() {
    let prefix = |restarts: &str| {
        let variables = [&TORCHRUN[..], &[("TORCHELASTIC_RESTART_COUNT", restarts)]].concat();
        find(&variables).unwrap().unwrap().prefix()
    };
    assert_ne!(prefix("1"), prefix("0"));
    assert_eq!(prefix("0"), find(&TORCHRUN).unwrap().unwrap().prefix());
}
