//! Files that are no programs, damaged or malicious.

use super::*;

fn refused(name: &str) -> String {
    let Err(message) = built(name, &json!({})) else { panic!("{name} was accepted") };
    message
}

#[test]
fn what_is_not_a_program_is_called_by_its_name() {
    let message = refused("odd/torchscript");
    assert!(
        message.contains("it holds TorchScript") && message.contains("use the model `torchscript`"),
        "{message}"
    );
    assert!(refused("odd/state_dict").contains("weights without a program"));
    let decomposed = refused("odd/decomposed");
    assert!(
        decomposed.contains("its verifier is ATEN") && decomposed.contains("run_decompositions"),
        "{decomposed}"
    );
    assert!(refused("missing").contains("there is no such file"));
}

/// What each file says, in words that name the place.
const HOSTILE: [(&str, &str); 28] = [
    ("truncated", "it has not the end of a zip archive"),
    ("flipped_bit", "data/weights/weight_0: Invalid checksum"),
    ("not_json", "models/model.json: EOF while parsing"),
    ("deep_json", "models/model.json: "),
    ("no_program", "there is no program"),
    ("missing_weight", "data/weights/weight_0: it is missing"),
    ("short_weight", "needs 24 elements of 4 bytes, data/weights/weight_0 has 92 bytes"),
    ("shape_mismatch", "`0.weight`: it is [4, 6], the program has [6, 4]"),
    ("beyond_the_bytes", "needs 20004 elements of 4 bytes"),
    ("negative_offset", "are not whole numbers from 0"),
    ("size_overflow", "too large for any memory"),
    ("path_outside", "`../../weight_0`, expected a plain name"),
    ("pickled_weight", "pickles are not read"),
    ("big_endian", "byteorder: found `big`, expected `little`"),
    ("schema_major_9", "its schema has version 9, expected 8"),
    ("unknown_operator", "aten.relu_of_tomorrow.default, in `1`): libtorch has no such operator"),
    ("unknown_overload", "aten.relu.tomorrow, in `1`): libtorch has no such operator"),
    ("foreign_operator", "operators of `mylib` are not part of libtorch"),
    ("python_call", "(os.system, in `1`): it is no operator on numbers"),
    ("opens_a_file", "it reaches outside of the program"),
    ("unknown_argument", "it has no argument `slope`"),
    ("missing_argument", "its argument `weight` is missing"),
    ("wrong_argument_type", "its argument `weight` is a text, expected Tensor"),
    ("unknown_argument_kind", "an argument of the kind as_tomorrow"),
    ("two_kinds", "has the kinds [as_int, as_tensor], expected one"),
    ("value_before_made", "it takes `relu`, which nothing before it makes"),
    ("output_of_nothing", "gives `linear_9`, which nothing makes"),
    ("no_such_parameter", "`9.weight`: the program uses it, and it is not in the file"),
];

#[test]
fn damaged_and_malicious_files_are_refused_before_anything_runs() {
    for (name, reason) in HOSTILE {
        let message = refused(&format!("hostile/{name}"));
        assert!(message.contains(&format!("{name}.pt2: ")), "{message}");
        assert!(message.contains(reason), "{name}: {message}");
    }
    assert!(!PathBuf::from("made_by_a_model").exists());
}

#[test]
fn every_hostile_file_has_its_row_here() {
    let files = std::fs::read_dir(folder().join("hostile")).unwrap();
    let stems = files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let mut stems: Vec<String> = stems.filter(|stem| stem != "good" && stem != "nan_and_infinity").collect();
    let mut rows: Vec<&str> = HOSTILE.iter().map(|(name, _)| *name).collect();
    stems.sort_unstable();
    rows.sort_unstable();
    assert_eq!(stems, rows);
}

#[test]
fn infinities_are_numbers() {
    let input = || Tensors::one("input", Tensor::from_slice(&[1.0_f32, -2.0, 3.0, -4.0]).view([1, 4]));
    let mut good = built("hostile/good", &json!({})).unwrap();
    let mut clamped = built("hostile/nan_and_infinity", &json!({})).unwrap();
    let _guard = tch::no_grad_guard();
    let (good, clamped) = (first(&mut good, input()), first(&mut clamped, input()));
    assert_eq!(good.size(), clamped.size());
    assert!(clamped.isfinite().all().int64_value(&[]) == 1);
}
