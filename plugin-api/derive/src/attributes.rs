//! What is written in `#[config(…)]` and in doc comments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Result, Token};

/// `#[config(…)]` of a field, or of the type.
#[derive(Default)]
pub struct Attributes {
    pub default: Option<Expr>,
    pub range: Option<Expr>,
    pub flatten: bool,
    pub state: bool,
    pub skip: bool,
    pub check: Option<syn::Path>,
    pub krate: Option<syn::Path>,
}

impl Attributes {
    pub fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    read.default = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("range") {
                    read.range = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("flatten") {
                    read.flatten = true;
                } else if meta.path.is_ident("state") {
                    read.state = true;
                } else if meta.path.is_ident("skip") {
                    read.skip = true;
                } else if meta.path.is_ident("check") {
                    read.check = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("crate") {
                    meta.input.parse::<Token![=]>()?;
                    read.krate = Some(syn::Path::parse_mod_style(meta.input)?);
                } else {
                    return Err(meta.error(
                        "expected default, range, flatten, state or skip; check or crate on the type",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(read)
    }

    /// Refuses a default that its own range does not have, where both are literals: no run config could do
    /// without the key.
    pub fn check_default(&self) -> Result<()> {
        let (Some(default), Some(Expr::Range(range))) = (&self.default, &self.range) else { return Ok(()) };
        let Some(value) = number(default) else { return Ok(()) };
        let is_closed = matches!(range.limits, syn::RangeLimits::Closed(_));
        let bound = |bound: &Option<Box<Expr>>| bound.as_deref().and_then(number);
        let below = bound(&range.start).is_some_and(|start| value < start);
        let above = bound(&range.end).is_some_and(|end| value > end || (value == end && !is_closed));
        if below || above {
            Err(syn::Error::new_spanned(default, "the default is outside of the range"))
        } else {
            Ok(())
        }
    }

    /// Path of `thaw-plugin-api` as the author's crate sees it.
    pub fn api(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::thaw_plugin_api), |path| quote!(#path))
    }
}

/// A number that is written out.
fn number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse().ok(),
        Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => number(expr).map(|number| -number),
        _ => None,
    }
}

/// The doc comment, as one text with its line breaks.
pub fn help(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            match &attribute.meta {
                Meta::NameValue(value) => match &value.value {
                    Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            }
        });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
