//! One field: a key of a table, or a part of it that is written at the same level.

use proc_macro2::{Span, TokenStream};
use syn::{Field, Fields, Ident, Result, Type};

use crate::attributes::{Attributes, help};

pub struct Row<'f> {
    /// The field's name; none in a variant `Name(Type)`.
    pub ident: Option<&'f Ident>,
    /// The variable that its value is read into: not the field's name, which means a function, perhaps, in a
    /// `default`.
    pub local: Ident,
    pub key: String,
    pub kind: &'f Type,
    pub help: String,
    pub attributes: Attributes,
}

/// What a field is to the table.
pub enum Role {
    /// A key.
    Key,
    /// The keys of a nested table, at this level.
    Flatten,
    /// All keys that nothing else reads.
    Rest,
    /// No key at all.
    Unwritten,
}

impl<'f> Row<'f> {
    /// The rows of named fields, or none.
    pub fn of(fields: &'f Fields) -> Result<Vec<Self>> {
        let Fields::Named(fields) = fields else { return Ok(Vec::new()) };
        fields.named.iter().enumerate().map(|(index, field)| Self::of_field(index, field)).collect()
    }

    /// A table that is all there is in a variant.
    pub fn of_variant(field: &'f Field) -> Self {
        Self {
            ident: None,
            local: local(0),
            key: String::new(),
            kind: &field.ty,
            help: String::new(),
            attributes: Attributes { flatten: true, ..Attributes::default() },
        }
    }

    fn of_field(index: usize, field: &'f Field) -> Result<Self> {
        let attributes = Attributes::read(&field.attrs)?;
        attributes.check_default()?;
        let name = field.ident.as_ref().map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
        let key = attributes.rename.clone().or(name).unwrap_or_default();
        let help = help(&field.attrs);
        Ok(Self { ident: field.ident.as_ref(), local: local(index), key, kind: &field.ty, help, attributes })
    }

    pub fn role(&self) -> Role {
        match &self.attributes {
            Attributes { flatten: true, .. } => Role::Flatten,
            Attributes { rest: true, .. } => Role::Rest,
            Attributes { state: true, .. } | Attributes { skip: true, .. } => Role::Unwritten,
            _ => Role::Key,
        }
    }

    /// The value where the key is missing, as an `Option`.
    fn default(&self) -> TokenStream {
        match self.default_value() {
            Some(default) => hygienic!(::core::option::Option::Some(#default)),
            None => hygienic!(::core::option::Option::None),
        }
    }

    /// What `default = …` says.
    pub fn default_value(&self) -> Option<TokenStream> {
        let kind = self.kind;
        self.attributes.default.as_ref().map(|default| match default {
            // Text literals default a `String`, a `PathBuf`, …; numbers and paths stay as they are.
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                hygienic!(<#kind as ::core::convert::From<_>>::from(#text))
            }
            default => hygienic!({ let default: #kind = #default; default }),
        })
    }

    /// Reads it from the variable `reader` into its own.
    pub fn read(&self, api: &TokenStream) -> TokenStream {
        let Row { local, key, kind, help, attributes, .. } = self;
        match self.role() {
            Role::Flatten => {
                hygienic!(let #local: #kind = <#kind as #api::config::Config>::read_table(reader)?;)
            }
            Role::Rest => hygienic!(let #local: #kind = ::core::convert::From::from(reader.rest());),
            Role::Unwritten => hygienic!(let #local: #kind = ::core::default::Default::default();),
            Role::Key => {
                let (default, aliases) = (self.default(), &attributes.aliases);
                let aliases = hygienic!(#(reader.alias(#key, #aliases)?;)*);
                match &attributes.range {
                    Some(range) => hygienic! {
                        #aliases
                        let #local = reader.about(#help).limited::<#kind, _>(#key, #default, &(#range))?;
                    },
                    None => hygienic! {
                        #aliases
                        let #local = reader.about(#help).field::<#kind>(#key, #default)?;
                    },
                }
            }
        }
    }

    /// Adds it to the variable `schema`, a `TableSchema`.
    pub fn schema(&self, api: &TokenStream) -> TokenStream {
        let Row { key, kind, help, attributes, .. } = self;
        match self.role() {
            Role::Flatten => {
                hygienic!(schema.flatten(<#kind as #api::config::Config>::inline_schema());)
            }
            Role::Rest => hygienic!(schema.open();),
            Role::Unwritten => TokenStream::new(),
            Role::Key => {
                let (default, aliases) = (self.default(), &attributes.aliases);
                let range = attributes
                    .range
                    .as_ref()
                    .map(|range| hygienic!(let property = #api::config::range_schema(property, &(#range));));
                hygienic! {{
                    let property = <#kind as #api::config::Config>::schema();
                    #range
                    let default: ::core::option::Option<#kind> = #default;
                    let default = default.or_else(<#kind as #api::config::Config>::default_value);
                    let default = default.map(|value| #api::config::Config::to_value(&value));
                    schema.property(#key, &[#(#aliases),*], property, #help, default);
                }}
            }
        }
    }

    /// Adds the definitions that it refers to.
    pub fn definitions(&self, api: &TokenStream) -> TokenStream {
        let kind = self.kind;
        match self.role() {
            Role::Key | Role::Flatten => {
                hygienic!(<#kind as #api::config::Config>::definitions(definitions);)
            }
            Role::Rest | Role::Unwritten => TokenStream::new(),
        }
    }

    /// Adds its keys to the variable `keys`.
    pub fn keys(&self, api: &TokenStream) -> TokenStream {
        let Row { key, kind, attributes, .. } = self;
        match self.role() {
            Role::Flatten => {
                hygienic!(keys.extend(<#kind as #api::config::Config>::table_keys(table)?);)
            }
            Role::Rest => hygienic!(return ::core::option::Option::None;),
            Role::Unwritten => TokenStream::new(),
            Role::Key => {
                let aliases = &attributes.aliases;
                hygienic!(keys.extend([#key, #(#aliases),*].map(::std::string::String::from));)
            }
        }
    }

    /// Writes what `place` borrows into the variable `table`.
    pub fn write(&self, place: &TokenStream, api: &TokenStream) -> TokenStream {
        let key = &self.key;
        match self.role() {
            Role::Flatten => hygienic! {
                if let #api::serde_json::Value::Object(nested) = #api::config::Config::to_value(#place) {
                    table.extend(nested);
                }
            },
            Role::Rest => hygienic! {
                let rest = #api::serde_json::Value::from(::core::clone::Clone::clone(#place));
                if let #api::serde_json::Value::Object(rest) = rest {
                    table.extend(rest);
                }
            },
            Role::Unwritten => TokenStream::new(),
            Role::Key => hygienic! {
                let value = #api::config::Config::to_value(#place);
                table.insert(::std::string::String::from(#key), value);
            },
        }
    }
}

/// What takes the rest comes last: by then all other keys are known.
pub fn in_reading_order<'r, 'f>(rows: &'r [Row<'f>]) -> impl Iterator<Item = &'r Row<'f>> {
    let (rest, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.attributes.rest);
    others.into_iter().chain(rest)
}

fn local(index: usize) -> Ident {
    Ident::new(&format!("field_{index}"), Span::mixed_site())
}
