//! `#[derive(Config)]` of `thaw-plugin-api`: see its module `config` for the attributes.

/// `quote!` whose variables are not the author's, whatever the names of fields and functions are.
macro_rules! hygienic {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*)
    };
}

mod attributes;
mod choice;
mod definition;
mod row;
mod state;
mod table;
mod tagged;
mod through;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, parse_macro_input};

/// Implements `Config` for a struct with named fields, an enum without fields, or one with a tag.
#[proc_macro_derive(Config, attributes(config))]
pub fn derive_config(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let written = match &input.data {
        Data::Struct(data) => table::derive(&input, data),
        Data::Enum(data) => choice::derive(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input, "Config is for structs and enums")),
    };
    written.unwrap_or_else(syn::Error::into_compile_error).into()
}
