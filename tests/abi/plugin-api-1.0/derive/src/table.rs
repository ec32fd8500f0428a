//! Structs with named fields: a table with one key a field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataStruct, DeriveInput, Field, Fields, Ident, Result, Type};

use crate::attributes::{Attributes, help};

struct Row<'f> {
    ident: &'f Ident,
    key: String,
    kind: &'f Type,
    help: String,
    attributes: Attributes,
}

fn rows(data: &DataStruct) -> Result<Vec<Row<'_>>> {
    let fields: Vec<&Field> = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => return Err(syn::Error::new_spanned(fields, "Config is for structs with named fields")),
    };
    fields
        .into_iter()
        .filter_map(|field| field.ident.as_ref().map(|ident| (field, ident)))
        .map(|(field, ident)| {
            let key = ident.to_string().trim_start_matches("r#").to_owned();
            Ok(Row { ident, key, kind: &field.ty, help: help(&field.attrs), attributes: Attributes::read(&field.attrs)? })
        })
        .collect()
}

pub fn derive(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let attributes = Attributes::read(&input.attrs)?;
    let api = attributes.api();
    let check_all = attributes.check.as_ref().map(|check| {
        quote!(#check(&mut config).map_err(|error| #api::config::ConfigError::Invalid { key: key.clone(), reason: error.to_string() })?;)
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
    let idents = rows.iter().map(|row| row.ident);
    Ok(quote! {
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
                let mut config = Self { #(#idents),* };
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
                quote!(::core::option::Option::Some(<#kind>::from(#text)))
            }
            Some(default) => quote!(::core::option::Option::Some({ let default: #kind = #default; default })),
            None => quote!(::core::option::Option::None),
        }
    }
}

fn read(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, key, kind, attributes, .. } = row;
    if attributes.flatten {
        return quote! {
            let #ident: #kind = {
                let schema = <#kind as #api::config::Config>::schema();
                let keys = #api::__private::schema_keys(&schema);
                reader.flatten::<#kind>(&keys)?
            };
        };
    }
    if !row.has_key() {
        return quote!(let #ident: #kind = ::core::default::Default::default(););
    }
    let default = row.default();
    let limit = attributes.range.as_ref().map(|range| quote!(let #ident = #api::config::limit(#ident, &(#range), &reader.key(#key))?;));
    quote! {
        let #ident: #kind = reader.field::<#kind>(#key, #default)?;
        #limit
    }
}

fn schema(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { key, kind, help, attributes, .. } = row;
    if attributes.flatten {
        return quote!(#api::__private::merge_schema(<#kind as #api::config::Config>::schema(), &mut properties, &mut required););
    }
    if !row.has_key() {
        return TokenStream::new();
    }
    let range = attributes.range.as_ref().map(|range| quote!(let schema = #api::config::range_schema(schema, &(#range));));
    let default = row.default();
    quote! {{
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
        return quote!(if let #api::serde_json::Value::Object(nested) = #api::config::Config::to_value(&self.#ident) { table.extend(nested); });
    }
    if !row.has_key() {
        return TokenStream::new();
    }
    quote!(table.insert(::std::string::String::from(#key), #api::config::Config::to_value(&self.#ident));)
}

fn save(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, key, attributes, .. } = row;
    if attributes.flatten {
        return quote!(state.extend(#api::config::Config::state(&self.#ident)?););
    }
    if !attributes.state {
        return TokenStream::new();
    }
    quote!(state.insert(::std::string::String::from(#key), #api::serde_json::to_value(&self.#ident)?);)
}

/// Reads every field before any is set, so that a bad state changes nothing.
fn check(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let Row { ident, key, kind, attributes, .. } = row;
    if attributes.state { quote!(let #ident: #kind = #api::__private::state_entry(state, #key)?;) } else { TokenStream::new() }
}

fn restore(row: &Row<'_>, api: &TokenStream) -> TokenStream {
    let ident = row.ident;
    if row.attributes.flatten {
        // By the trait's name: a strategy used as a part has a `load_state` of its own, too.
        quote!(#api::config::Config::load_state(&mut self.#ident, state)?;)
    } else {
        quote!(self.#ident = #ident;)
    }
}
