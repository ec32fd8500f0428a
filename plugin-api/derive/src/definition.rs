//! Schemas that are written once, under a name, and referred to: what a type that holds itself needs.

use proc_macro2::TokenStream;

use crate::attributes::Attributes;
use crate::row::Row;

/// The functions `schema` and `definitions`.
pub fn functions<'r, 'f: 'r>(
    attributes: &Attributes,
    rows: impl Iterator<Item = &'r Row<'f>>,
    api: &TokenStream,
) -> TokenStream {
    let inner = rows.map(|row| row.definitions(api));
    match &attributes.definition {
        Some(name) => hygienic! {
            fn schema() -> #api::serde_json::Value {
                #api::config::Definitions::reference(#name)
            }

            fn definitions(definitions: &mut #api::config::Definitions) {
                if definitions.add(#name, Self::inline_schema) {
                    #(#inner)*
                }
            }
        },
        None => hygienic! {
            fn schema() -> #api::serde_json::Value {
                <Self as #api::config::Config>::inline_schema()
            }

            fn definitions(definitions: &mut #api::config::Definitions) {
                #(#inner)*
            }
        },
    }
}
