//! What the program gives to shells and to `man`.

use std::process::Command;

use thaw_tests::Run;

#[test]
fn a_shell_completes_commands_and_options() {
    let run = Run::new("");
    let script = run.host(["completions", "bash"]).succeeded().stdout;
    run.write("completions", &script);
    let completed = |words: &str, last: &str| {
        let count = words.split(' ').count();
        let bash = format!(
            "source ./completions; COMP_WORDS=({words} {last}); COMP_CWORD={count}; _host host '{last}' \
             host; printf '%s ' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &bash]).current_dir(run.folder()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut commands: Vec<String> = completed("host", "fi").split(' ').map(str::to_owned).collect();
    commands.sort();
    assert_eq!(commands, ["find-lr", "fit"]);
    assert_eq!(completed("host validate", "--boot"), "--bootstrap");
    for shell in ["zsh", "fish"] {
        let script = run.host(["completions", shell]).succeeded().stdout;
        assert!(script.contains("find-lr") && script.contains("per-sample"), "{shell}: {script}");
    }
    run.host(["completions", "dos"]).failed(2, &["dos", "bash", "zsh", "fish"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let run = Run::new("");
    let told = run.host(["man", "pages/man1"]).succeeded().stdout;
    let pages: Vec<String> = std::fs::read_dir(run.folder().join("pages/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(told, format!("pages/man1: {} pages\n", pages.len()));
    for name in ["host.1", "host-fit.1", "host-runs-compare.1", "host-plugin-check.1"] {
        assert!(pages.iter().any(|page| page == name), "{name} in {pages:?}");
    }
    let text = std::fs::read_to_string(run.folder().join("pages/man1/host-validate.1")).unwrap();
    assert!(text.contains(".TH host-validate 1") && text.contains("per\\-sample"), "{text}");
}
