//! Plugin files: refused with exit code 3 before any of their code runs.

use thaw_tests::{Finished, Run, case, plugin};

fn fit_with(run: &Run, plugin: &str) -> Finished {
    run.fit(&["--plugin", plugin])
}

fn run() -> Run {
    Run::new(&case("bb_steplr"))
}

#[test]
fn a_missing_file_is_named() {
    fit_with(&run(), "missing/libmine.so").failed(3, &["missing/libmine.so", "was not found"]);
}

#[test]
fn a_missing_name_is_looked_for_and_the_nearest_one_named() {
    let texts =
        ["`fautly` was not found", "libthaw_fautly.so and libfautly.so", "there is `faulty`", "--plugin-dir"];
    fit_with(&run(), "fautly").failed(3, &texts);
}

#[test]
fn a_file_that_is_no_library_is_named() {
    let run = run();
    let path = run.write(
        "text.so",
        "This is a text, and it is long enough to hold what the head of a library would hold.\n".repeat(9),
    );
    fit_with(&run, "./text.so").failed(3, &["text.so: not a library", "cdylib"]);
    std::fs::write(path, "").unwrap();
    fit_with(&run, "./text.so").failed(3, &["text.so: not a library"]);
}

#[test]
fn a_library_that_is_cut_off_is_named() {
    let run = run();
    let whole = std::fs::read(plugin("faulty")).unwrap();
    run.write("cut.so", &whole[..whole.len() / 10]);
    fit_with(&run, "./cut.so").failed(3, &["cut.so: not a library"]);
}

#[test]
fn a_library_that_is_no_plugin_is_told_apart() {
    fit_with(&run(), "bad_no_plugin")
        .failed(3, &["libthaw_bad_no_plugin.so", "a library, but no Thaw plugin", "export_plugin!"]);
}

#[test]
fn a_plugin_of_another_major_version_is_refused_with_both_versions() {
    let texts = [
        "libthaw_bad_major.so",
        "thaw-plugin-api 2.0.0",
        "this host has 1.",
        "rebuild the plugin against 1.x",
    ];
    let finished = fit_with(&run(), "bad_major").failed(3, &texts);
    assert!(finished.error().len() < 300, "the layout's report is for -v: {finished}");
}

#[test]
fn a_model_plugin_for_another_libtorch_is_refused_with_both_versions() {
    let texts = [
        "libthaw_bad_libtorch.so",
        "libtorch 2.4.0 (tch 0.17.0, pre-C++11 ABI)",
        "this host has libtorch 2.11.0",
        "same libtorch",
    ];
    fit_with(&run(), "bad_libtorch").failed(3, &texts);
}

#[test]
fn a_plugin_that_aborts_on_a_panic_is_refused() {
    let texts = ["libthaw_bad_abort.so", "panic = \"abort\"", "panic = \"unwind\""];
    fit_with(&run(), "bad_abort").failed(3, &texts);
}

#[test]
fn an_id_in_two_files_is_refused_with_both_files() {
    let run = run();
    run.write("copy.so", std::fs::read(plugin("faulty")).unwrap());
    let finished = run.fit(&["--plugin", "faulty", "--plugin", "./copy.so"]);
    finished.failed(3, &["`faulty` is offered twice", "libthaw_faulty.so", "copy.so", "load one of them"]);
}

#[test]
fn the_same_file_twice_is_one_plugin() {
    let run = Run::new(&(case("bb_steplr") + "[trainer]\nmax_epochs = 1\n"));
    let file = plugin("faulty").display().to_string();
    run.fit(&["--plugin", "faulty", "--plugin", &file]).succeeded();
    assert_eq!(run.json("plugins.json").as_array().unwrap().len(), 2);
}

#[test]
fn an_unknown_id_names_the_nearest_one() {
    let finished = run().fit(&["--plugin", "faulty", "--set", "callbacks=[{ id = \"fauty\" }]"]);
    finished.failed(2, &["run.toml", "callbacks[0]", "`fauty`", "did you mean `faulty`?"]);
    run()
        .fit(&["--set", "model.id=case-modle"])
        .failed(2, &["run.toml", "`case-modle`", "did you mean `case-model`?"]);
}

#[test]
fn an_id_without_a_plugin_says_how_to_load_one() {
    run()
        .fit(&["--set", "callbacks=[{ id = \"faulty\" }]"])
        .failed(2, &["`faulty`", "`plugins`", "--plugin"]);
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_refused() {
    let digest = "0".repeat(64);
    let finished =
        run().fit(&["--set", &format!("plugins=[{{ path = \"case_model\", sha256 = \"{digest}\" }}]")]);
    finished.failed(3, &["libthaw_case_model.so", "SHA-256", &digest]);
}
