//! What is written in `#[config(…)]` and in doc comments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Result, Token, meta::ParseNestedMeta};

/// `#[config(…)]` of a field, of a variant, or of the type.
#[derive(Default)]
pub struct Attributes {
    pub default: Option<Expr>,
    pub range: Option<Expr>,
    pub rename: Option<String>,
    pub aliases: Vec<String>,
    pub flatten: bool,
    pub rest: bool,
    pub state: bool,
    pub skip: bool,
    /// `default` without a value: the type implements `Default`.
    pub has_default: bool,
    pub check: Option<syn::Path>,
    pub tag: Option<String>,
    pub definition: Option<String>,
    pub short: Option<Ident>,
    pub through: Option<syn::Path>,
    pub krate: Option<syn::Path>,
}

const EXPECTED: &str = "expected default, range, rename, alias, flatten, rest, state or skip; \
                        check, default, tag, definition, short, through or crate on the type";

impl Attributes {
    pub fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("config")) {
            attribute.parse_nested_meta(|meta| read.take(&meta))?;
        }
        Ok(read)
    }

    fn take(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        match name.as_str() {
            "default" if !meta.input.peek(Token![=]) => self.has_default = true,
            "default" => self.default = Some(meta.value()?.parse()?),
            "range" => self.range = Some(meta.value()?.parse()?),
            "rename" => self.rename = Some(text(meta)?),
            "alias" => self.aliases.push(text(meta)?),
            "flatten" => self.flatten = true,
            "rest" => self.rest = true,
            "state" => self.state = true,
            "skip" => self.skip = true,
            "check" => self.check = Some(meta.value()?.parse()?),
            "tag" => self.tag = Some(text(meta)?),
            "definition" => self.definition = Some(text(meta)?),
            "short" => self.short = Some(meta.value()?.parse()?),
            "through" => self.through = Some(meta.value()?.parse()?),
            "crate" => {
                meta.input.parse::<Token![=]>()?;
                self.krate = Some(syn::Path::parse_mod_style(meta.input)?);
            }
            _ => return Err(meta.error(EXPECTED)),
        }
        Ok(())
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

    /// Calls the type's own check of the variable `config`, in the table at `key`.
    pub fn call_check(&self, api: &TokenStream, key: &TokenStream) -> Option<TokenStream> {
        self.check.as_ref().map(
            |check| hygienic!(#check(&mut config).map_err(|error| #api::config::Fault::at(error, #key))?;),
        )
    }
}

fn text(meta: &ParseNestedMeta) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
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
