//! Parquet files.

use super::{Builder, Column, Table};
use crate::DataError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::path::Path;
use std::sync::Arc;

/// Reads the wanted columns of all row groups; the others stay untouched on the disk.
pub(super) fn read(path: &Path, wanted: &[Column<'_>]) -> Result<Table, DataError> {
    let broken = |error: parquet::errors::ParquetError| {
        DataError::layout(path, format!("not readable as Parquet: {error}"), "write it again")
    };
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();
    let names: Vec<String> = schema.get_fields().iter().map(|f| f.name().to_string()).collect();
    let mut builder = Builder::new(path, wanted, &names)?;
    let fields: Vec<_> = schema
        .get_fields()
        .iter()
        .filter(|field| wanted.iter().any(|column| column.name == field.name()))
        .map(Arc::clone)
        .collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(broken)?;
    let rows = reader.get_row_iter(Some(projection)).map_err(broken)?;
    for (line, row) in (1..).zip(rows) {
        let row = row.map_err(broken)?;
        builder.push(line, |i| {
            let (_, field) = row.get_column_iter().find(|(name, _)| *name == wanted[i].name)?;
            match field {
                Field::ListInternal(list) if wanted[i].lists => json_of(list.elements()),
                Field::Null | Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => None,
                Field::Str(text) => Some(text.clone()),
                Field::Bytes(bytes) => bytes.as_utf8().ok().map(str::to_string),
                other => Some(other.to_string()),
            }
        })?;
    }
    Ok(builder.finish())
}

/// A list as the text of a JSON array of texts.
fn json_of(elements: &[Field]) -> Option<String> {
    let text = |field: &Field| match field {
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    };
    serde_json::to_string(&elements.iter().map(text).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    fn write(path: &Path) {
        let schema = "message rows { required binary text (UTF8); required binary extra (UTF8); optional \
                      int64 label; }";
        let schema = Arc::new(parse_message_type(schema).expect("schema"));
        let properties =
            WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
        let file = std::fs::File::create(path).expect("created");
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).expect("writer");
        for group in [["a, b", "c"], ["d", "e"]] {
            let mut rows = writer.next_row_group().expect("group");
            for _ in 0..2 {
                let texts = group.map(ByteArray::from);
                let mut column = rows.next_column().expect("column").expect("one");
                let typed = column.typed::<ByteArrayType>();
                typed.write_batch(&texts, None, None).expect("written");
                column.close().expect("closed");
            }
            let mut column = rows.next_column().expect("column").expect("one");
            let typed = column.typed::<Int64Type>();
            // The second label of each group is null.
            typed.write_batch(&[3], Some(&[1, 0]), None).expect("written");
            column.close().expect("closed");
            rows.close().expect("closed");
        }
        writer.close().expect("closed");
    }

    #[test]
    fn columns_of_all_row_groups_are_read() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("t.parquet");
        write(&path);
        let wanted = [
            Column::optional("label", "label"),
            Column::required("text", "text"),
            Column::optional("text_pair", "text_pair"),
        ];
        let table = Table::read(&path, &wanted).expect("reads");
        let column = |i| (0..4).map(|row| table.cell(i, row)).collect::<Vec<_>>();
        assert_eq!(column(0), ["3", "", "3", ""]);
        assert_eq!(column(1), ["a, b", "c", "d", "e"]);
        assert!(table.columns[2].is_none());
        let text = Table::read(&path, &[Column::required("label", "label")]).expect_err("null");
        assert!(text.to_string().contains("line 2"), "{text}");
        std::fs::write(&path, b"PAR1 nothing").expect("written");
        assert!(Table::read(&path, &wanted).is_err());
    }
}
