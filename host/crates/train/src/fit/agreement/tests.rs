use super::*;

fn word(samples: usize, weight: f64, values: &[f64]) -> Word {
    let names = ["train_loss", "train_acc"].into_iter().take(values.len()).map(str::to_owned).collect();
    Word {
        samples,
        weight: weight.to_bits(),
        names,
        values: values.iter().map(|value| value.to_bits()).collect(),
        lacks_outputs: false,
        leave: false,
        late: false,
        rates: vec![("head".to_owned(), 0.5_f64.to_bits())],
        stop: None,
        checkpoints: Vec::new(),
        asked: None,
    }
}

fn values(of_all: &OfAll) -> Vec<f64> {
    of_all.values.iter().map(|value| value.read().unwrap()).collect()
}

#[test]
fn a_batch_is_that_of_all_processes_whatever_their_shares() {
    // A process without samples says nothing; the others' labels count 3 and 1 in the loss.
    let words = [word(2, 3.0, &[1.0, 0.5]), word(2, 1.0, &[5.0, 1.0]), word(0, 0.0, &[])];
    let all = of_all(&words, 1.0);
    assert_eq!((all.samples, all.share, values(&all)), (4, 0.25, vec![2.0, 0.75]));
}

#[test]
fn labels_that_do_not_count_make_no_loss_that_is_no_number() {
    let words = [word(2, 0.0, &[f64::NAN, 0.5]), word(2, 2.0, &[5.0, 0.5])];
    assert_eq!(values(&of_all(&words, 2.0)), [5.0, 0.5]);
    let none = [word(2, 0.0, &[f64::NAN, 0.5]), word(2, 0.0, &[f64::NAN, 0.5])];
    assert_eq!(values(&of_all(&none, 0.0))[1], 0.5);
}

#[test]
fn the_process_that_differs_is_named_with_what_differs() {
    let groups = |lr: f64, parameters: &[&str]| {
        let head = json!({ "lr": lr, "parameters": parameters });
        json!({ "the groups": { "head": head } })
    };
    let same = groups(0.5, &["w", "b"]);
    assert!(compare("here", &[same.clone(), same.clone()]).is_ok());
    let error =
        |other: Value| compare("epoch 1", &[same.clone(), same.clone(), other]).unwrap_err().to_string();
    let rate = error(groups(0.25, &["w", "b"]));
    let expected =
        "rank 2 differs from rank 0 at epoch 1: the groups, `head`, `lr` is 0.25, and 0.5 on rank 0.";
    assert!(rate.starts_with(expected), "{rate}");
    let more = error(groups(0.5, &["w", "b", "c"]));
    assert!(more.contains("`parameters` is with \"c\", and without these on rank 0"), "{more}");
    assert!(error(json!({ "the groups": {} })).contains("`head` is not there, and {"));
}
