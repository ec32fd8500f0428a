//! Enums with fields: a table whose keys depend on one of them, the tag.

use proc_macro2::TokenStream;
use syn::{DataEnum, DeriveInput, Fields, Ident, Result, Variant};

use crate::attributes::{Attributes, help};
use crate::choice::name_of;
use crate::definition;
use crate::row::{Row, in_reading_order};

/// A variant: what the tag says, and its keys.
struct Choice<'f> {
    ident: &'f Ident,
    tag: String,
    help: String,
    rows: Vec<Row<'f>>,
    shape: Shape,
}

/// How a variant's fields are written in Rust.
enum Shape {
    Unit,
    /// `Name(Table)`.
    Table,
    /// `Name { … }`.
    Keys,
}

impl<'f> Choice<'f> {
    fn of(variant: &'f Variant) -> Result<Self> {
        let (rows, shape) = match &variant.fields {
            Fields::Unit => (Vec::new(), Shape::Unit),
            fields @ Fields::Named(_) => (Row::of(fields)?, Shape::Keys),
            Fields::Unnamed(fields) => match fields.unnamed.first().filter(|_| fields.unnamed.len() == 1) {
                Some(field) => (vec![Row::of_variant(field)], Shape::Table),
                None => return Err(syn::Error::new_spanned(fields, "a variant is of one table, or of keys")),
            },
        };
        let (tag, help) = (name_of(variant)?, help(&variant.attrs));
        Ok(Self { ident: &variant.ident, tag, help, rows, shape })
    }

    /// The variant with every field in its variable, as pattern and as expression.
    fn with_locals(&self) -> TokenStream {
        let ident = self.ident;
        let (idents, locals): (Vec<_>, Vec<_>) = self.rows.iter().map(|row| (row.ident, &row.local)).unzip();
        match self.shape {
            Shape::Unit => hygienic!(Self::#ident),
            Shape::Table => hygienic!(Self::#ident(#(#locals),*)),
            Shape::Keys => hygienic!(Self::#ident { #(#idents: #locals),* }),
        }
    }

    fn schema(&self, tag: &str, api: &TokenStream) -> TokenStream {
        let (name, help) = (&self.tag, &self.help);
        let schemas = self.rows.iter().map(|row| row.schema(api));
        hygienic! {
            choices.choice(#name, #help, {
                let mut schema = #api::config::TableSchema::tagged(#tag, #name);
                #(#schemas)*
                schema
            });
        }
    }

    fn keys(&self, api: &TokenStream) -> TokenStream {
        let (name, keys) = (&self.tag, self.rows.iter().map(|row| row.keys(api)));
        hygienic!(#name => { #(#keys)* })
    }

    fn read(&self, api: &TokenStream) -> TokenStream {
        let reads = in_reading_order(&self.rows).map(|row| row.read(api));
        let (name, made) = (&self.tag, self.with_locals());
        hygienic!(::core::option::Option::Some(#name) => { #(#reads)* #made })
    }

    fn write(&self, tag: &str, api: &TokenStream) -> TokenStream {
        let (pattern, name) = (self.with_locals(), &self.tag);
        let writes = self.rows.iter().map(|row| {
            let local = &row.local;
            row.write(&hygienic!(#local), api)
        });
        hygienic! {
            #pattern => {
                table.insert(::std::string::String::from(#tag), #api::serde_json::Value::from(#name));
                #(#writes)*
            }
        }
    }
}

pub fn derive(input: &DeriveInput, data: &DataEnum, tag: &str) -> Result<TokenStream> {
    let attributes = Attributes::read(&input.attrs)?;
    let (api, name, help_text) = (attributes.api(), &input.ident, help(&input.attrs));
    let choices = data.variants.iter().map(Choice::of).collect::<Result<Vec<_>>>()?;
    let tags: Vec<&String> = choices.iter().map(|choice| &choice.tag).collect();
    let count = tags.len();
    let check_all = attributes.call_check(&api, &hygienic!(reader.table_key()));
    let schema = definition::functions(&attributes, choices.iter().flat_map(|choice| &choice.rows), &api);
    let schemas = choices.iter().map(|choice| choice.schema(tag, &api));
    let keys = choices.iter().map(|choice| choice.keys(&api));
    let reads = choices.iter().map(|choice| choice.read(&api));
    let writes = choices.iter().map(|choice| choice.write(tag, &api));
    let idents = choices.iter().map(|choice| {
        let (ident, tag) = (choice.ident, &choice.tag);
        hygienic!(Self::#ident { .. } => #tag)
    });
    Ok(hygienic! {
        #[automatically_derived]
        impl #name {
            /// What the table's tag may say, in the order of the variants.
            pub const TAGS: [&'static str; #count] = [#(#tags),*];

            /// What the table's tag says.
            pub fn tag(&self) -> &'static str {
                match self { #(#idents),* }
            }
        }

        #[automatically_derived]
        #[allow(unused_mut, unused_variables, unreachable_code)]
        impl #api::config::Config for #name {
            #schema

            fn inline_schema() -> #api::serde_json::Value {
                let mut choices = #api::config::TaggedSchema::new(#tag);
                #(#schemas)*
                choices.finish(#help_text)
            }

            fn from_value(value: &#api::serde_json::Value,
                key: &#api::config::Key) -> #api::__private::Read<Self> {
                #api::config::ObjectReader::read(value, key)
            }

            fn table_keys(table: &#api::__private::Table) -> #api::__private::Keys {
                let mut keys = ::std::vec![::std::string::String::from(#tag)];
                match table.get(#tag)?.as_str()? {
                    #(#keys)*
                    _ => return ::core::option::Option::None,
                }
                ::core::option::Option::Some(keys)
            }

            fn read_table(reader: &mut #api::config::ObjectReader<'_>) -> #api::__private::Read<Self> {
                let mut config = match reader.tag(#tag) {
                    #(#reads)*
                    _ => return ::core::result::Result::Err(reader.no_such_tag(#tag, &Self::TAGS)),
                };
                #check_all
                ::core::result::Result::Ok(config)
            }

            fn to_value(&self) -> #api::serde_json::Value {
                let mut table = #api::serde_json::Map::new();
                match self { #(#writes)* }
                #api::serde_json::Value::Object(table)
            }
        }
    })
}
