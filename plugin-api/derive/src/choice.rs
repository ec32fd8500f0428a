//! Enums without fields: one of several names, written in kebab-case.

use proc_macro2::TokenStream;
use syn::{DataEnum, DeriveInput, Fields, Result, Variant};

use crate::attributes::{Attributes, help};
use crate::tagged;

pub fn derive(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let attributes = Attributes::read(&input.attrs)?;
    if let Some(tag) = &attributes.tag {
        return tagged::derive(input, data, tag);
    }
    let api = attributes.api();
    let name = &input.ident;
    let help_text = help(&input.attrs);
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(
                variant,
                "an enum whose variants have fields needs `#[config(tag = \"KEY\")]`: the key that says \
                 which",
            ));
        }
        variants.push((&variant.ident, name_of(variant)?, help(&variant.attrs)));
    }
    let idents: Vec<_> = variants.iter().map(|(ident, _, _)| ident).collect();
    let names: Vec<_> = variants.iter().map(|(_, name, _)| name).collect();
    let helps: Vec<_> = variants.iter().map(|(_, _, help)| help).collect();
    Ok(hygienic! {
        #[automatically_derived]
        impl #api::config::Config for #name {
            fn schema() -> #api::serde_json::Value {
                #api::serde_json::json!({
                    "type": "string", "enum": [#(#names),*], "enumDescriptions": [#(#helps),*],
                    "description": #help_text,
                })
            }

            fn from_value(value: &#api::serde_json::Value,
                key: &#api::config::Key) -> #api::__private::Read<Self> {
                match value.as_str() {
                    #(::core::option::Option::Some(#names) => ::core::result::Result::Ok(Self::#idents),)*
                    _ => {
                        let known = [#(#names),*];
                        ::core::result::Result::Err(#api::config::ConfigError::no_choice(key, value, &known))
                    }
                }
            }

            fn to_value(&self) -> #api::serde_json::Value {
                #api::serde_json::Value::from(match self { #(Self::#idents => #names,)* })
            }
        }
    })
}

/// What a run config writes for a variant.
pub fn name_of(variant: &Variant) -> Result<String> {
    let rename = Attributes::read(&variant.attrs)?.rename;
    Ok(rename.unwrap_or_else(|| kebab(&variant.ident.to_string())))
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
