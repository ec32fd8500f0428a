//! Enums without fields: one of several names, written in kebab-case.

use proc_macro2::TokenStream;
use syn::{DataEnum, DeriveInput, Fields, Result};

use crate::attributes::{Attributes, help};

pub fn derive(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let api = Attributes::read(&input.attrs)?.api();
    let name = &input.ident;
    let help_text = help(&input.attrs);
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                variant,
                "Config is for enums whose variants have no fields",
            ));
        }
        variants.push((&variant.ident, kebab(&variant.ident.to_string()), help(&variant.attrs)));
    }
    let idents: Vec<_> = variants.iter().map(|(ident, _, _)| ident).collect();
    let names: Vec<_> = variants.iter().map(|(_, name, _)| name).collect();
    let helps: Vec<_> = variants.iter().map(|(_, _, help)| help).collect();
    Ok(hygienic! {
        #[automatically_derived]
        impl #api::config::Config for #name {
            fn schema() -> #api::serde_json::Value {
                #api::serde_json::json!({
                    "type": "string", "enum": [#(#names),*], "enumDescriptions": [#(#helps),*], "description": #help_text,
                })
            }

            fn from_value(value: &#api::serde_json::Value, key: &#api::config::Key) -> ::core::result::Result<Self, #api::config::ConfigError> {
                match value.as_str() {
                    #(::core::option::Option::Some(#names) => ::core::result::Result::Ok(Self::#idents),)*
                    _ => ::core::result::Result::Err(#api::config::ConfigError::Value {
                        key: key.clone(),
                        found: value.to_string(),
                        expected: ::std::format!("one of {}", [#(#names),*].join(", ")),
                    }),
                }
            }

            fn to_value(&self) -> #api::serde_json::Value {
                #api::serde_json::Value::from(match self { #(Self::#idents => #names,)* })
            }
        }
    })
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}
