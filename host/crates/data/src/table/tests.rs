use super::*;
use std::path::PathBuf;

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
            "{\"text\": \"a, b\", \"label\": 1, \"tree\": \
             [1]}\n\n{\"label\": \"0\", \"text\": \"c \\\"d\\\"\"}\n",
        ),
    ] {
        let (_dir, path) = file(name, content.as_bytes());
        let table = Table::read(&path, &columns()).expect(name);
        assert_eq!(texts(&table, 0), ["a, b", "c \"d\""], "{name}");
        assert_eq!(texts(&table, 2), ["1", "0"], "{name}");
        assert!(table.columns[1].is_none(), "{name}");
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
        ("a.csv", b"text,label\r\na,1\r\nb,1,2\r\n", "line 3"),
        ("a.csv", b"text,label\r\n\r\na,1\r\n\"two\r\nlines\",1\r\nb,1,2\r\n", "line 6"),
        ("a.csv", b"text,label\ra,1\r\rb,1,2\r", "line 4"),
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

/// Texts and labels of a file, or its refusal.
fn read(name: &str, content: &[u8]) -> Result<Vec<(String, String)>, String> {
    let (_dir, path) = file(name, content);
    let table = Table::read(&path, &columns()).map_err(|error| error.to_string())?;
    let row = |row| (table.cell(0, row).to_string(), table.cell(2, row).to_string());
    Ok((0..table.lines.len()).map(row).collect())
}

fn rows(rows: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    Ok(rows.iter().map(|(text, label)| (text.to_string(), label.to_string())).collect())
}

fn in_utf16(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn what_spreadsheets_and_data_frames_write_is_read_as_they_read_it() {
    // Of each: what pandas 2 reads with the separator and the encoding that wrote it.
    let expected = rows(&[("a, \"b\"; c", "x"), ("two\nlines", "y"), ("Käse", "x")]);
    let quoted = |s: &str, end: &str| {
        let rows = ["text,label", "\"a, \"\"b\"\"; c\",x", "\"two\nlines\",y", "Käse,x", ""];
        let rows = rows.map(|row| match row.rsplit_once(',') {
            Some((text, label)) => format!("{text}{s}{label}"),
            None => row.to_string(),
        });
        rows.join(end)
    };
    for separator in [",", ";", "\t", "|"] {
        for end in ["\n", "\r\n"] {
            let text = quoted(separator, end);
            let what = format!("{separator:?} {end:?}");
            assert_eq!(read("a.csv", text.as_bytes()), expected, "{what}");
            assert_eq!(read("a.csv", format!("\u{feff}{text}").as_bytes()), expected, "{what} BOM");
            let marked = format!("\u{feff}{text}");
            assert_eq!(read("a.csv", &in_utf16(&marked, u16::to_le_bytes)), expected, "{what} UTF-16 LE");
            assert_eq!(read("a.csv", &in_utf16(&marked, u16::to_be_bytes)), expected, "{what} UTF-16 BE");
        }
    }
    assert_eq!(read("a.tsv", quoted("\t", "\r\n").as_bytes()), expected);
    let hint = format!("sep=;\r\n{}", quoted(";", "\r\n"));
    assert_eq!(read("a.csv", hint.as_bytes()), expected);
    // An index without a name, names in quotes behind a mark, blank lines, the line ends of old Macs.
    for text in [
        ",text,label\n0,a,x\n1,b,y\n",
        "\u{feff}\"text\",\"label\"\n\"a\",x\n\n\r\n\"b\",y\n\n",
        "text,label\ra,x\rb,y\r",
        "text , label\na,x\nb,y",
    ] {
        assert_eq!(read("a.csv", text.as_bytes()), rows(&[("a", "x"), ("b", "y")]), "{text:?}");
    }
}

#[test]
fn what_cannot_be_read_without_a_guess_is_refused_by_its_line() {
    for (name, content, words) in [
        ("a.csv", &b"text,label\na,x\n\"b,x\nc,y\nd,y\n"[..], &["line 3", "not closed"][..]),
        ("a.csv", b"sep=,\ntext,label\na,x\n\"b,x\n", &["line 4", "not closed"]),
        ("a.csv", b"text,label\n\"two\nlines\",x\n\"b,x", &["line 4", "not closed"]),
        ("a.csv", b"text;label\na;x\nb;x;y\n", &["line 3", "3 fields"]),
        ("a.csv", b"text,label\na\n", &["line 2", "1 fields"]),
        ("a.csv", b"text,text,label\na,b,x\n", &["`text`", "2 columns"]),
        ("a.csv", b"text,label\na,x\nK\xe4se,y\n", &["line 3", "UTF-8"]),
        ("a.csv", b"text,label\na,x\nb\0,y\n", &["line 3", "NUL"]),
        ("a.csv", b"\xff\xfet\0e\0x\0t\0,\0l", &["line 1", "UTF-16"]),
        ("a.csv", b"txt;lbl\na;x\n", &["column `text`"]),
        ("a.jsonl", b"{\"text\": \"a\", \"label\": [1, 2]}\n", &["line 1", "`label`", "a list"]),
        ("a.jsonl", b"{\"text\": \"a\"}\n", &["column `label`"]),
        ("a.jsonl", b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n", &["line 2", "`label`"]),
        ("a.jsonl", b"[\n{\"text\": \"a\", \"label\": 1}\n]\n", &["line 1"]),
    ] {
        let text = read(name, content).expect_err(&String::from_utf8_lossy(content));
        for word in words {
            assert!(text.contains(word), "{}: {text}", String::from_utf8_lossy(content));
        }
    }
}

#[test]
fn quotes_between_tabs_are_text_where_they_do_not_enclose() {
    // As in GLUE: a text that begins with a quote, closed lines later by another text's.
    let content = "text\tlabel\n\"Well\tx\nno end\"\ty\n\"Yes,\" he said\tx\n";
    let expected = rows(&[("\"Well", "x"), ("no end\"", "y"), ("\"Yes,\" he said", "x")]);
    assert_eq!(read("a.tsv", content.as_bytes()), expected);
    let content = "text\tlabel\n\"Well\tx\nno\tend\"\n";
    assert_eq!(read("a.tsv", content.as_bytes()), rows(&[("\"Well", "x"), ("no", "end\"")]));
    // As data frames write them.
    let content = "text\tlabel\n\"a\tb\"\tx\n\"say \"\"b\"\"\"\ty\n";
    assert_eq!(read("a.tsv", content.as_bytes()), rows(&[("a\tb", "x"), ("say \"b\"", "y")]));
}

#[test]
fn json_lines_come_with_marks_and_line_ends_of_any_kind() {
    let text = "{\"text\": \"a\\nb\", \"label\": 1.5}\n\n{\"text\": \"Käse\", \"label\": true}\n";
    let expected = rows(&[("a\nb", "1.5"), ("Käse", "true")]);
    assert_eq!(read("a.jsonl", text.as_bytes()), expected);
    let marked = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(read("a.jsonl", marked.as_bytes()), expected);
    assert_eq!(read("a.ndjson", &in_utf16(&marked, u16::to_le_bytes)), expected);
}

#[test]
fn a_list_without_names_may_have_another_separator() {
    let wanted = [Column::required("path", "path_column"), Column::required("label", "label_column")];
    for content in
        ["a.png;cat\nb.png;dog\n", "a.png\tcat\nb.png\tdog\n", "path;label\na.png;cat\nb.png;dog\n"]
    {
        let (_dir, path) = file("a.csv", content.as_bytes());
        let table = Table::read_list(&path, &wanted).expect(content);
        assert_eq!(texts(&table, 0), ["a.png", "b.png"], "{content:?}");
        assert_eq!(texts(&table, 1), ["cat", "dog"], "{content:?}");
    }
}
