//! Fields of a struct that are saved in checkpoints and restored.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Type;

use crate::row::Row;

/// The functions `state` and `load_state`.
pub fn functions(rows: &[Row<'_>], api: &TokenStream) -> TokenStream {
    let saves = rows.iter().map(|row| save(row, api));
    let checks = rows.iter().map(|row| check(row, api));
    let flattened = rows.iter().filter(|row| row.attributes.flatten).map(|row| restore(row, api));
    let restores = rows.iter().filter(|row| row.attributes.state).map(|row| restore(row, api));
    hygienic! {
        fn state(&self) -> #api::Result<#api::__private::Table> {
            let mut state = #api::serde_json::Map::new();
            #(#saves)*
            ::core::result::Result::Ok(state)
        }

        fn load_state(&mut self, state: &mut #api::__private::Table) -> #api::Result<()> {
            #(#checks)*
            #(#flattened)*
            #(#restores)*
            ::core::result::Result::Ok(())
        }
    }
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
            let entry = hygienic!(#api::__private::state_entry::<Option<#api::__private::Number>>);
            hygienic!(#entry(state, #key)?.map(|number| number.0))
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
