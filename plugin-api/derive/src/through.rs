//! Structs that are read and written as another type, which has the keys.

use proc_macro2::TokenStream;
use syn::{Ident, Path};

pub fn derive(name: &Ident, table: &Path, api: &TokenStream) -> TokenStream {
    let config = hygienic!(<#table as #api::config::Config>);
    hygienic! {
        #[automatically_derived]
        impl #api::config::Config for #name {
            fn schema() -> #api::serde_json::Value {
                #config::schema()
            }

            fn inline_schema() -> #api::serde_json::Value {
                #config::inline_schema()
            }

            fn definitions(definitions: &mut #api::config::Definitions) {
                #config::definitions(definitions);
            }

            fn from_value(value: &#api::serde_json::Value,
                key: &#api::config::Key) -> #api::__private::Read<Self> {
                #config::from_value(value, key).map(::core::convert::Into::into)
            }

            fn table_keys(table: &#api::__private::Table) -> #api::__private::Keys {
                #config::table_keys(table)
            }

            fn read_table(reader: &mut #api::config::ObjectReader<'_>) -> #api::__private::Read<Self> {
                #config::read_table(reader).map(::core::convert::Into::into)
            }

            fn to_value(&self) -> #api::serde_json::Value {
                let table: #table = ::core::convert::Into::into(::core::clone::Clone::clone(self));
                #config::to_value(&table)
            }

            fn default_value() -> ::core::option::Option<Self> {
                #config::default_value().map(::core::convert::Into::into)
            }
        }
    }
}
