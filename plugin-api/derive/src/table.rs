//! Structs with named fields: a table with one key a field.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{DataStruct, DeriveInput, Field, Fields, Ident, Result, Type};

use crate::attributes::{Attributes, help};

struct Row<'f> {
    ident: &'f Ident,
    /// The variable that its value is read into: not the field's name, which means a function, perhaps, in a
    /// `default`.
    local: Ident,
    key: String,
    kind: &'f Type,
    help: String,
    attributes: Attributes,
}

fn rows(data: &DataStruct) -> Result<Vec<Row<'_>>> {
    let fields: Vec<&Field> = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            return Err(syn::Error::new_spanned(fields, "Config is for structs with named fields"));
        }
    };
    fields
        .into_iter()
        .filter_map(|field| field.ident.as_ref().map(|ident| (field, ident)))
        .enumerate()
        .map(|(index, (field, ident))| {
            let local = Ident::new(&format!("field_{index}"), Span::mixed_site());
            let key = ident.to_string().trim_start_matches("r#").to_owned();
            let attributes = Attributes::read(&field.attrs)?;
            attributes.check_default()?;
            Ok(Row { ident, local, key, kind: &field.ty, help: help(&field.attrs), attributes })
        })
        .collect()
}

pub fn derive(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let attributes = Attributes::read(&input.attrs)?;
    let api = attributes.api();
    let check_all = attributes.check.as_ref().map(|check| {
        hygienic!(#check(&mut config).map_err(|error| #api::config::ConfigError::Invalid { key: key.clone(), reason: error.to_string() })?;)
    });
    let (name, help_text) = (&input.ident, help(&input.attrs));
    let rows = rows(data)?;
    let reads = rows.iter().map(|row| read(row, &api));
    let schemas = rows.iter().map(|row| schema(row, &api));
    let writes = rows.iter().map(|row| write(row, &api));
    let saves = rows.iter().map(|row| save(row, &api));
    let checks = rows.iter().map(|row| check(row, &api));
    let flattened = rows.iter().filter(|row| row.attributes.flatten).map(|row| restore(row, &api));
    let restores = rows.iter().filter(|row| row.attributes.state).map(|row| restore(row, &api));
    let (idents, locals): (Vec<_>, Vec<_>) = rows.iter().map(|row| (row.ident, &row.local)).unzip();
    Ok(hygienic! {
        #[automatically_derived]
        #[allow(unused_mut, unused_variables)]
        impl #api::config::Config for #name {
            fn schema() -> #api::serde_json::Value {
                let mut properties = #api::serde_json::Map::new();
                let mut required: ::std::vec::Vec<#api::serde_json::Value> = ::std::vec::Vec::new();
                #(#schemas)*
                #api::serde_json::json!({
                    "type": "object", "description": #help_text, "properties": properties,
                    "required": required, "additionalProperties": false,
                })
            }

            fn from_value(value: &#api::serde_json::Value, key: &#api::config::Key) -> ::core::result::Result<Self, #api::config::ConfigError> {
                let mut reader = #api::config::ObjectReader::new(value, key)?;
                #(#reads)*
                reader.finish()?;
                let mut config = Self { #(#idents: #locals),* };
                #check_all
                ::core::result::Result::Ok(config)
            }

            fn to_value(&self) -> #api::serde_json::Value {
                let mut table = #api::serde_json::Map::new();
                #(#writes)*
                #api::serde_json::Value::Object(table)
            }

            fn state(&self) -> #api::Result<#api::serde_json::Map<::std::string::String, #api::serde_json::Value>> {
                let mut state = #api::serde_json::Map::new();
                #(#saves)*
                ::core::result::Result::Ok(state)
            }

            fn load_state(&mut self, state: &mut #api::serde_json::Map<::std::string::String, #api::serde_json::Value>) -> #api::Result<()> {
                #(#checks)*
                #(#flattened)*
                #(#restores)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

impl Row<'_> {
    fn has_key(&self) -> bool {
        !self.attributes.state && !self.attributes.skip && !self.attributes.flatten
    }

    fn default(&self) -> TokenStream {
        let kind = self.kind;
        match &self.attributes.default {
            // Text literals default a `String`, a `PathBuf`, …; numbers and paths stay as they are.
            Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) => {
                hygienic!(::core::option::Option::Some(<#kind>::from(#text)))
            }
            Some(default) => {
                hygienic!(::core::option::Option::Some({ let default: #kind = #default; default }))
            }
            None => hygienic!(::core::option::Option::None),
        }
    }
}

fn read(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { local, key, kind, attributes, .. } = row;
    if attributes.flatten {
        return hygienic! {
            let #local: #kind = {
                let schema = <#kind as #api::config::Config>::schema();
                let keys = #api::__private::schema_keys(&schema);
                reader.flatten::<#kind>(&keys)?
            };
        };
    }
    if !row.has_key() {
        return hygienic!(let #local: #kind = ::core::default::Default::default(););
    }
    let default = row.default();
    let limit = attributes
        .range
        .as_ref()
        .map(|range| hygienic!(let #local = #api::config::limit(#local, &(#range), &reader.key(#key))?;));
    hygienic! {
        let #local: #kind = reader.field::<#kind>(#key, #default)?;
        #limit
    }
}

fn schema(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { key, kind, help, attributes, .. } = row;
    if attributes.flatten {
        return hygienic!(#api::__private::merge_schema(<#kind as #api::config::Config>::schema(), &mut properties, &mut required););
    }
    if !row.has_key() {
        return TokenStream::new();
    }
    let range = attributes
        .range
        .as_ref()
        .map(|range| hygienic!(let schema = #api::config::range_schema(schema, &(#range));));
    let default = row.default();
    hygienic! {{
        let schema = <#kind as #api::config::Config>::schema();
        #range
        let default: ::core::option::Option<#kind> = #default;
        let default = default.or_else(<#kind as #api::config::Config>::default_value);
        #api::__private::add_property(&mut properties, &mut required, #key, schema, #help, default.map(|value| #api::config::Config::to_value(&value)));
    }}
}

fn write(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, key, attributes, .. } = row;
    if attributes.flatten {
        return hygienic!(if let #api::serde_json::Value::Object(nested) = #api::config::Config::to_value(&self.#ident) { table.extend(nested); });
    }
    if !row.has_key() {
        return TokenStream::new();
    }
    hygienic!(table.insert(::std::string::String::from(#key), #api::config::Config::to_value(&self.#ident));)
}

fn save(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, key, attributes, .. } = row;
    if attributes.flatten {
        return hygienic!(state.extend(#api::config::Config::state(&self.#ident)?););
    }
    if !attributes.state {
        return TokenStream::new();
    }
    let entry = match Number::of(row.kind) {
        Some(Number::Always) => hygienic!(#api::__private::Number(self.#ident)),
        Some(Number::Perhaps) => hygienic!(self.#ident.map(#api::__private::Number)),
        None => hygienic!(&self.#ident),
    };
    hygienic!(state.insert(::std::string::String::from(#key), #api::serde_json::to_value(#entry)?);)
}

/// State that is infinite, or not a number, before its first value: JSON alone would make it null.
enum Number {
    /// `f64`.
    Always,
    /// `Option<f64>`.
    Perhaps,
}

impl Number {
    fn of(kind: &Type) -> Option<Self> {
        match kind.to_token_stream().to_string().as_str() {
            "f64" => Some(Self::Always),
            "Option < f64 >" => Some(Self::Perhaps),
            _ => None,
        }
    }
}

/// Reads every field before any is set, so that a bad state changes nothing.
fn check(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { local, key, kind, attributes, .. } = row;
    if !attributes.state {
        return TokenStream::new();
    }
    let entry = match Number::of(kind) {
        Some(Number::Always) => {
            hygienic!(#api::__private::state_entry::<#api::__private::Number>(state, #key)?.0)
        }
        Some(Number::Perhaps) => {
            hygienic!(#api::__private::state_entry::<Option<#api::__private::Number>>(state, #key)?.map(|number| number.0))
        }
        None => hygienic!(#api::__private::state_entry(state, #key)?),
    };
    hygienic!(let #local: #kind = #entry;)
}

fn restore(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, local, .. } = row;
    if row.attributes.flatten {
        // By the trait's name: a strategy used as a part has a `load_state` of its own, too.
        hygienic!(#api::config::Config::load_state(&mut self.#ident, state)?;)
    } else {
        hygienic!(self.#ident = #local;)
    }
}
