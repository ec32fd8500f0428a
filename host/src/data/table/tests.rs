use super::*;

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join(name);
    std::fs::write(&path, content).expect("written");
    (dir, path)
}

fn columns() -> [Column<'static>; 3] {
    [
        Column::required("text", "text"),
        Column::optional("text_pair", "text_pair"),
        Column::required("label", "label"),
    ]
}

fn texts(table: &Table, column: usize) -> Vec<&str> {
    (0..table.lines.len()).map(|row| table.cell(column, row)).collect()
}

#[test]
fn csv_tsv_and_jsonl_give_the_same_columns() {
    for (name, content) in [
        ("a.csv", "label,text,other\n1,\"a, b\",x\n0,c \"d\",y\n"),
        ("a.tsv", "other\ttext\tlabel\nx\ta, b\t1\ny\tc \"d\"\t0\n"),
        (
            "a.jsonl",
            "{\"text\": \"a, b\", \"label\": 1, \"tree\": [1]}\n\n{\"label\": \"0\", \"text\": \"c \\\"d\\\"\"}\n",
        ),
    ] {
        let (_dir, path) = file(name, content.as_bytes());
        let table = Table::read(&path, &columns()).expect(name);
        assert_eq!(texts(&table, 0), ["a, b", "c \"d\""], "{name}");
        assert_eq!(texts(&table, 2), ["1", "0"], "{name}");
        assert!(!table.has(1), "{name}");
        assert_eq!(table.lines, if name == "a.jsonl" { [1, 3] } else { [2, 3] });
    }
}

#[test]
fn a_missing_column_is_named_with_the_nearest() {
    for (name, content) in [("a.csv", "txt,label\na,1\n"), ("a.jsonl", "{\"txt\": \"a\", \"label\": 1}\n")] {
        let (_dir, path) = file(name, content.as_bytes());
        let text = Table::read(&path, &columns()).expect_err("refused").to_string();
        assert!(text.contains("column `text`") && text.contains("`txt`"), "{text}");
    }
}

#[test]
fn a_bad_row_is_named_by_its_line() {
    for (name, content, line) in [
        ("a.csv", &b"text,label\na,1\nb,1,2\n"[..], "line 3"),
        ("a.csv", b"text,label\na,1\nb,\xff\n", "line 3"),
        ("a.jsonl", b"{\"text\": \"a\", \"label\": 1}\n{\"text\": null, \"label\": 1}\n", "line 2"),
        (
            "a.jsonl",
            b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 1, \"text_pair\": \"c\"}\n",
            "line 2",
        ),
        ("a.jsonl", b"{\"text\": \"a\", \"label\": 1}\n[1]\n", "line 2"),
    ] {
        let (_dir, path) = file(name, content);
        let text = Table::read(&path, &columns()).expect_err("refused").to_string();
        assert!(text.contains(line) && text.contains(name), "{text}");
    }
    let (_dir, path) = file("a.csv", b"");
    assert!(Table::read(&path, &columns()).is_err());
    let (_dir, path) = file("a.doc", b"x");
    let text = Table::read(&path, &columns()).expect_err("refused").to_string();
    assert!(text.contains("`.doc`"), "{text}");
}

#[test]
fn a_list_may_do_without_a_line_of_names() {
    let wanted = [Column::required("path", "path_column"), Column::required("label", "label_column")];
    for content in [
        "a.png,cat\nb.png,dog\n",
        "\u{feff}path,label\na.png,cat\nb.png,dog\n",
        "label,path\ncat,a.png\ndog,b.png\n",
    ] {
        let (_dir, path) = file("a.csv", content.as_bytes());
        let table = Table::read_list(&path, &wanted).expect(content);
        assert_eq!(texts(&table, 0), ["a.png", "b.png"]);
        assert_eq!(texts(&table, 1), ["cat", "dog"]);
    }
}
