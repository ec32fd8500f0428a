use super::*;

/// With names that the config gives, where there are some.
fn parse(texts: &[&str], target: Target, classes: Option<&[&str]>) -> Result<Targets, DataError> {
    let texts: Vec<String> = texts.iter().map(|s| s.to_string()).collect();
    let lines: Vec<u64> = (2..).take(texts.len()).collect();
    let labels = Labels { path: Path::new("list.csv"), texts: &texts, lines: &lines, separator: "|" };
    let classes: Option<Vec<String>> = classes.map(|c| c.iter().map(|s| s.to_string()).collect());
    Targets::parse(&labels, target, Known::of(classes.as_deref(), None))
}

fn classes(indices: &[usize], names: &[&str]) -> Targets {
    Targets::Classes(indices.to_vec(), names.iter().map(|s| s.to_string()).collect())
}

#[test]
fn whole_numbers_are_indices_and_other_labels_sorted_names() {
    assert_eq!(
        parse(&["2", "0", "2"], Target::Class, None).expect("valid"),
        classes(&[2, 0, 2], &["0", "1", "2"])
    );
    assert_eq!(
        parse(&["dog", "cat", " dog"], Target::Class, None).expect("valid"),
        classes(&[1, 0, 1], &["cat", "dog"])
    );
}

#[test]
fn a_given_list_of_classes_orders_them() {
    let names = ["dog", "cat"];
    assert_eq!(
        parse(&["dog", " cat"], Target::Class, Some(&names)).expect("valid"),
        classes(&[0, 1], &names)
    );
    for wrong in ["1", "2", "cow", "-1", ""] {
        let error = parse(&["dog", wrong], Target::Class, Some(&names)).expect_err(wrong);
        let text = error.to_string();
        assert!(text.contains("list.csv, line 3"), "{text}");
        assert!(text.contains("dog, cat"), "{text}");
    }
}

#[test]
fn labels_that_are_all_indices_are_places_in_a_list_of_other_names() {
    let names = ["dog", "cat"];
    assert_eq!(
        parse(&["1", "0", "1"], Target::Class, Some(&names)).expect("valid"),
        classes(&[1, 0, 1], &names)
    );
    let text = parse(&["0", "2"], Target::Class, Some(&names)).expect_err("2 of 2").to_string();
    assert!(text.contains("line 3") && text.contains("an index below 2"), "{text}");
}

#[test]
fn a_number_is_never_taken_for_a_place_in_a_list_of_numbers() {
    let stars = ["3", "4", "5"];
    for (texts, line) in [(&["1", "2"][..], "line 2"), (&["4", "1"], "line 3"), (&["0", "1"], "line 2")] {
        let text = parse(texts, Target::Class, Some(&stars)).expect_err("no star").to_string();
        assert!(text.contains(line) && text.contains("3, 4, 5") && !text.contains("index"), "{text}");
    }
    let grades = ["1", "2", "4", "K"].map(str::to_string);
    let labels = |texts| Labels { path: Path::new("v.csv"), texts, lines: &[2], separator: "|" };
    let texts = ["3".to_string()];
    let text = Targets::parse(&labels(&texts), Target::Class, Known::Training(&grades));
    assert!(text.expect_err("no grade").to_string().contains("1, 2, 4, K"));
    let names = ["cat", "dog"].map(str::to_string);
    let texts = ["1".to_string()];
    let text = Targets::parse(&labels(&texts), Target::Class, Known::Training(&names));
    assert!(text.expect_err("training had names").to_string().contains("cat, dog"));
}

#[test]
fn numbers_that_are_not_counted_from_0_are_names_in_their_order() {
    for (texts, names) in [
        (&["10", "9", "1", "10"][..], &["1", "9", "10"][..]),
        (&["-1", "1", "-1"], &["-1", "1"]),
        (&["1.0", "10.0", "2.0"], &["1.0", "2.0", "10.0"]),
        (&["001", "000"], &["000", "001"]),
        (&["K", "2", "10"], &["10", "2", "K"]),
    ] {
        let Ok(Targets::Classes(indices, found)) = parse(texts, Target::Class, None) else {
            panic!("{texts:?}");
        };
        assert_eq!(found, names);
        for (text, index) in texts.iter().zip(indices) {
            assert_eq!(found[index], *text);
        }
    }
}

#[test]
fn values_are_numbers() {
    assert_eq!(parse(&["1.5", "-2"], Target::Value, None).expect("valid"), Targets::Values(vec![1.5, -2.0]));
    for wrong in ["much", "NaN", "inf"] {
        let error = parse(&[wrong], Target::Value, None).expect_err(wrong);
        assert!(error.to_string().contains("a number"), "{error}");
    }
}

#[test]
fn a_giant_index_is_taken_for_a_slip() {
    let error = parse(&["0", "1000000000"], Target::Class, None).expect_err("giant");
    assert!(error.to_string().contains("line 3"), "{error}");
    assert!(parse(&[" "], Target::Class, None).is_err());
}

#[test]
fn samples_have_several_labels_or_none() {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let found = parse(&["dog| cat", "", "[\"dog\", \"a|b\"]", "[]"], Target::Labels, None).expect("valid");
    let expected = vec![vec![2, 1], vec![], vec![2, 0], vec![]];
    assert_eq!(found, Targets::Labels(expected, names(&["a|b", "cat", "dog"])));
    let tensor = found.tensor(&[2, 1, 0]).expect("made").expect("there");
    let rows = Vec::<Vec<f32>>::try_from(tensor).expect("f32");
    assert_eq!(rows, [[1.0, 0.0, 1.0], [0.0; 3], [0.0, 1.0, 1.0]]);
    let by_index = parse(&["0|2", "[1]"], Target::Labels, None).expect("valid");
    assert_eq!(by_index, Targets::Labels(vec![vec![0, 2], vec![1]], names(&["0", "1", "2"])));
    let listed = parse(&["b", ""], Target::Labels, Some(&["b", "a", "c"])).expect("valid");
    assert_eq!(listed, Targets::Labels(vec![vec![0], vec![]], names(&["b", "a", "c"])));
}

#[test]
fn labels_that_cannot_be_meant_are_refused_with_their_line() {
    let refused =
        |texts: &[&str], classes| parse(texts, Target::Labels, classes).expect_err("wrong").to_string();
    for (cell, expected) in [("a||b", "a class"), ("a|b|a", "each label once"), ("[{}]", "texts or numbers")]
    {
        let text = refused(&["a", cell], None);
        assert!(text.contains("line 3") && text.contains(expected), "{text}");
    }
    let text = refused(&["a", "a|x"], Some(&["a", "b"]));
    assert!(text.contains("line 3") && text.contains("\"x\"") && text.contains("a, b"), "{text}");
    assert!(refused(&["", "[]"], None).contains("no sample has a label"));
}
