//! Structs with named fields: a table with one key a field.

use proc_macro2::TokenStream;
use syn::{DataStruct, DeriveInput, Fields, Ident, Result};

use crate::attributes::{Attributes, help};
use crate::definition;
use crate::row::{Row, in_reading_order};
use crate::{state, through};

pub fn derive(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let attributes = Attributes::read(&input.attrs)?;
    if let Some(table) = &attributes.through {
        return Ok(through::derive(&input.ident, table, &attributes.api()));
    }
    if let Fields::Unnamed(fields) = &data.fields {
        return Err(syn::Error::new_spanned(fields, "Config is for structs with named fields"));
    }
    let api = attributes.api();
    let (name, help_text) = (&input.ident, help(&input.attrs));
    let rows = Row::of(&data.fields)?;
    let check_all = attributes.call_check(&api, &hygienic!(reader.table_key()));
    let reads = in_reading_order(&rows).map(|row| row.read(&api));
    let schemas = rows.iter().map(|row| row.schema(&api));
    let keys = rows.iter().map(|row| row.keys(&api));
    let writes = rows.iter().map(|row| {
        let ident = row.ident;
        row.write(&hygienic!(&self.#ident), &api)
    });
    let (idents, locals): (Vec<_>, Vec<_>) = rows.iter().map(|row| (row.ident, &row.local)).unzip();
    let short = Short::of(&attributes, &rows)?;
    let (from_value, shorten) = (short.reading(&api), short.schema(&api));
    let schema = definition::functions(&attributes, rows.iter(), &api);
    let state = state::functions(&rows, &api);
    let (default, default_value) = default(name, &attributes, &rows, &api);
    Ok(hygienic! {
        #default

        #[automatically_derived]
        #[allow(unused_mut, unused_variables, unreachable_code)]
        impl #api::config::Config for #name {
            #schema
            #default_value

            fn inline_schema() -> #api::serde_json::Value {
                let mut schema = #api::config::TableSchema::new();
                #(#schemas)*
                let schema = schema.finish(#help_text);
                #shorten
                schema
            }

            #from_value

            fn table_keys(table: &#api::__private::Table) -> #api::__private::Keys {
                let mut keys = ::std::vec::Vec::new();
                #(#keys)*
                ::core::option::Option::Some(keys)
            }

            fn read_table(reader: &mut #api::config::ObjectReader<'_>) -> #api::__private::Read<Self> {
                #(#reads)*
                let mut config = Self { #(#idents: #locals),* };
                #check_all
                ::core::result::Result::Ok(config)
            }

            fn to_value(&self) -> #api::serde_json::Value {
                let mut table = #api::serde_json::Map::new();
                #(#writes)*
                #api::serde_json::Value::Object(table)
            }

            #state
        }
    })
}

/// The key whose value alone may stand for the whole table.
struct Short<'r, 'f>(Option<&'r Row<'f>>);

impl<'r, 'f> Short<'r, 'f> {
    fn of(attributes: &Attributes, rows: &'r [Row<'f>]) -> Result<Self> {
        let Some(short) = &attributes.short else { return Ok(Self(None)) };
        let row = rows.iter().find(|row| row.ident == Some(short));
        row.map(|row| Self(Some(row))).ok_or_else(|| syn::Error::new_spanned(short, "there is no such field"))
    }

    fn reading(&self, api: &TokenStream) -> TokenStream {
        let lengthen = self.lengthen(api);
        hygienic! {
            fn from_value(value: &#api::serde_json::Value,
                key: &#api::config::Key) -> #api::__private::Read<Self> {
                #lengthen
                #api::config::ObjectReader::read(value, key)
            }
        }
    }

    fn lengthen(&self, api: &TokenStream) -> Option<TokenStream> {
        let Row { key, kind, .. } = self.0?;
        Some(hygienic! {
            let table = #api::config::lengthen::<#kind>(value, #key, key)?;
            let value = &*table;
        })
    }

    fn schema(&self, api: &TokenStream) -> Option<TokenStream> {
        let kind = self.0?.kind;
        Some(hygienic! {
            let schema = #api::config::short_schema(<#kind as #api::config::Config>::schema(), schema);
        })
    }
}

/// `impl Default` with the keys' defaults, and the table's value where it is left out.
fn default(
    name: &Ident,
    attributes: &Attributes,
    rows: &[Row<'_>],
    api: &TokenStream,
) -> (Option<TokenStream>, Option<TokenStream>) {
    if !attributes.has_default {
        return (None, None);
    }
    let fields = rows.iter().map(|row| {
        let ident = row.ident;
        let value = row.default_value().unwrap_or_else(|| hygienic!(::core::default::Default::default()));
        hygienic!(#ident: #value)
    });
    let default = hygienic! {
        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#fields),* }
            }
        }
    };
    let value = hygienic! {
        fn default_value() -> ::core::option::Option<Self> {
            #api::config::of_empty_table()
        }
    };
    (Some(default), Some(value))
}
