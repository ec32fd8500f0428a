//! Pickles made by hand, for what no reference file has.

use super::*;

/// What a pickle of protocol 2 leaves on the stack, without its frame.
fn body(pickle: &[u8]) -> &[u8] {
    &pickle[2..pickle.len() - 1]
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// `{key: what the pickle held, "epoch": 3}`.
fn under(key: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = text(key);
    move |pickle| [b"\x80\x02}(", &key[..], body(pickle), &text("epoch"), b"K\x03u."].concat()
}

#[test]
fn a_state_dict_is_found_under_the_usual_keys() {
    let expected = json("files/expected.json");
    for key in ["state_dict", "model", "model_state_dict", "module", "net"] {
        let (_directory, path) = repickled("small.pt", under(key));
        let found = read(&path).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_holds(&found, &expected["contents"]["small"], None);
        assert_eq!(found.data(), &serde_json::json!({ "epoch": 3 }));
    }
}

#[test]
fn a_whole_module_is_found_under_a_key_too() {
    let expected = json("files/expected.json");
    let (_directory, path) = repickled("autoencoder_module.pt", under("model"));
    assert_holds(&read(&path).expect("it loads"), &expected["contents"]["autoencoder"], None);
}

#[test]
fn a_child_called_model_does_not_hide_the_others() {
    let (from, to) = (text("encoder"), text("model"));
    let (_directory, path) = repickled("autoencoder_module.pt", |pickle| {
        let at = pickle.windows(from.len()).position(|window| window == from).expect("it is there");
        [&pickle[..at], &to, &pickle[at + from.len()..]].concat()
    });
    let found = read(&path).expect("it loads");
    let names: Vec<_> = found.names().filter(|name| name.ends_with("0.weight")).collect();
    assert_eq!(names, ["decoder.0.weight", "model.0.weight"]);
    assert_eq!(found.len(), 8);
}

/// Reads a bare pickle; the error's text.
fn refused(pickle: &[u8]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("made.pkl");
    std::fs::write(&path, pickle).expect("written");
    refusal(&path).to_string()
}

#[test]
fn calls_are_refused_wherever_they_hide() {
    let call = |function: &str| [b"c", function.as_bytes(), b"\n", &text("echo pwned"), b"\x85R"].concat();
    let alone = |function: &str| [b"\x80\x02", &call(function)[..], b"."].concat();
    for (expected, pickle) in [
        ("calls subprocess.Popen", alone("subprocess\nPopen")),
        ("calls my.package.load", alone("my.package\nload")),
        ("calls torch.hub.load", alone("torch.hub\nload")),
        // Its result thrown away; in a list; by the old instructions; by one that only names it.
        ("calls os.system", [b"\x80\x02", &call("os\nsystem")[..], b"0}."].concat()),
        ("calls os.system", [b"\x80\x02](", &call("os\nsystem")[..], b"e."].concat()),
        ("calls os.system", b"(ios\nsystem\n.".to_vec()),
        ("calls os.system", b"(cos\nsystem\no.".to_vec()),
        ("refers to posix.system", b"cposix\nsystem\n.".to_vec()),
    ] {
        let error = refused(&pickle);
        assert!(error.contains(expected) && error.contains("Nothing was run"), "{expected}: {error}");
    }
}

#[test]
fn a_call_of_a_calls_result_is_refused() {
    let error = refused(b"\x80\x02cfunctools\npartial\n)R)R.");
    assert!(error.contains("calls the result of another call"), "{error}");
}

#[test]
fn plain_objects_beside_the_weights_are_data() {
    let (_directory, path) = repickled("small.pt", |pickle| {
        let namespace = [b"cargparse\nNamespace\n)\x81}", &text("lr")[..], b"K\x01sb"].concat();
        let colour = b"cmy.package\nColour\nK\x01\x85R";
        let hyper = [b"}(", &text("args")[..], &namespace, &text("colour"), colour, b"u"].concat();
        [b"\x80\x02}(", &text("state_dict")[..], body(pickle), &text("hyper_parameters"), &hyper, b"u."]
            .concat()
    });
    let found = read(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.len(), 9);
    let hyper = found.hyper_parameters().expect("hyperparameters");
    assert_eq!(hyper, serde_json::json!({ "args": "<argparse.Namespace>", "colour": "<my.package.Colour>" }));
}

#[test]
fn a_pickle_without_tensors_says_what_it_holds() {
    let error = refused(&[b"\x80\x02}(", &text("b")[..], b"K\x01", &text("a"), b"K\x02u."].concat());
    assert!(error.contains("no tensors") && error.contains("a dict with the keys a, b"), "{error}");
    assert!(refused(b"\x80\x02]K\x01a.").contains("its pickle holds a list"));
}

#[test]
fn tuples_nested_without_end_do_no_harm() {
    let mut pickle = b"\x80\x02N".to_vec();
    pickle.extend(std::iter::repeat_n(0x85, 2_000_000));
    pickle.push(b'.');
    assert!(refused(&pickle).contains("nesting"));
}
