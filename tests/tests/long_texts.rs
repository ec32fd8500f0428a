//! A text is never longer than its model takes, nor a name longer than a line.

use thaw_tests::{Run, tiny_text};

#[test]
fn texts_are_cut_to_what_the_model_takes_and_no_more_can_be_asked_for() {
    let run = Run::new(
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"weights/minilm/config.json\"\n\
         [data]\nkind = \"text\"\npath = \"long.csv\"\ntokenizer \
         = \"weights/minilm/tokenizer.json\"\n[trainer]\nmax_steps = 1\n",
    );
    tiny_text::write(&run);
    run.write("long.csv", format!("text,label\n{},x\nshort,y\n", "word ".repeat(100)));
    let said = run.fit(&[]).succeeded().stdout;
    assert!(said.contains("up to 64 tokens"), "{said}");
    run.host(["fit", "run.toml", "--set", "data.max_length=65"])
        .failed(2, &["`max_length`", "found 65", "at most 64"]);
}

#[test]
fn a_label_of_any_length_is_told_in_a_few_words() {
    let run = Run::new(
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"weights/minilm/config.json\"\n\
         [data]\nkind = \"text\"\npath = \"d.jsonl\"\nval_path = \"d.jsonl\"\ntokenizer \
         = \"weights/minilm/tokenizer.json\"\n\
         [trainer]\nmax_steps = 1\n",
    );
    tiny_text::write(&run);
    let row = |text: &str, label: &str| format!("{{\"text\": \"{text}\", \"label\": \"{label}\"}}\n");
    run.write("d.jsonl", row("a b", &"L".repeat(66_000)) + &row("c d", "short"));
    let told =
        run.fit(&[]).succeeded().stdout + &run.host(["validate", "--checkpoint", "run"]).succeeded().stdout;
    assert!(told.contains("(66000 characters)") && told.len() < 10_000, "{} bytes", told.len());
}
