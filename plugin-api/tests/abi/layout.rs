//! Layouts of the types that cross, as abi_stable compares them.

use std::collections::BTreeMap;

use thaw_plugin_api::abi::abi_stable::StableAbi;
use thaw_plugin_api::abi::abi_stable::std_types::utypeid::UTypeId;
use thaw_plugin_api::abi::abi_stable::type_layout::{TLData, TLField, TypeLayout};
use thaw_plugin_api::abi::{
    BoxedDataset, BoxedInstance, BoxedModel, PluginRoot_Ref, RawArray, RawError, RawLog_Ref, RawNamedTensor,
    RawSample, RawServices, RawStep, RawTarget, RawTensor, ServicesTable_Ref,
};

use crate::Section;

/// Every type of plugin-api that the boundary's types are made of, by name.
pub fn sections() -> Vec<Section> {
    let mut found = Found::default();
    let roots = [
        PluginRoot_Ref::LAYOUT,
        BoxedInstance::LAYOUT,
        BoxedModel::LAYOUT,
        BoxedDataset::LAYOUT,
        RawLog_Ref::LAYOUT,
        <ServicesTable_Ref as StableAbi>::LAYOUT,
        <RawServices<'static>>::LAYOUT,
        RawError::LAYOUT,
        RawTensor::LAYOUT,
        RawNamedTensor::LAYOUT,
        RawStep::LAYOUT,
        RawArray::LAYOUT,
        RawTarget::LAYOUT,
        RawSample::LAYOUT,
    ];
    for root in roots {
        visit(root, &mut found);
    }
    found.sections.into_values().flatten().collect()
}

#[derive(Default)]
struct Found {
    /// By abi_stable's number, since its own types have one text for all that they are generic over.
    seen: Vec<UTypeId>,
    /// By name, for an order that stays.
    sections: BTreeMap<String, [Section; 2]>,
}

fn visit(layout: &'static TypeLayout, found: &mut Found) {
    let id = layout.get_utypeid();
    if found.seen.contains(&id) {
        return;
    }
    found.seen.push(id);
    let name = format!("{}::{}", layout.mod_path(), one_line(&layout.full_type().to_string()));
    let fields: Vec<TLField> = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let used = layout.shared_vars().type_layouts();
    if layout.package().as_str() == "thaw-plugin-api" {
        let (rule, title) = match layout.data() {
            TLData::PrefixType(prefix) => ("grows", format!("prefix({}) {name}", prefix.first_suffix_field)),
            _ => ("fixed", format!("{} {name}", size(layout))),
        };
        let entries = fields.iter().map(entry).collect();
        // Also what functions return, which abi_stable tells in no other way.
        let types = used.iter().map(|layout| spelled(layout())).collect();
        let sections = [
            Section { title: format!("{rule} {title}"), entries },
            Section { title: format!("{rule} types of {name}"), entries: types },
        ];
        found.sections.insert(name, sections);
    }
    fields.iter().for_each(|field| visit(field.layout(), found));
    used.iter().for_each(|layout| visit(layout(), found));
}

fn entry(field: &TLField) -> String {
    if !field.is_function() {
        return format!("{}: {} {}", field.name(), spelled(field.layout()), size(field.layout()));
    }
    let functions = field.function_range().iter().map(|function| {
        let text = one_line(&function.to_string());
        let returned = text
            .split("->")
            .nth(1)
            .and_then(|text| text.split(" lifetime ").next())
            .unwrap_or_default()
            .to_owned();
        let parameters: Vec<String> =
            function.param_type_layouts.iter().map(|layout| spelled(layout())).collect();
        let safety = if text.starts_with("unsafe ") { "unsafe " } else { "" };
        format!("{safety}fn({}) -> {returned}", parameters.join(", "))
    });
    format!("{}: {}", field.name(), functions.collect::<Vec<_>>().join(" "))
}

fn size(layout: &TypeLayout) -> String {
    format!("size({}) align({})", layout.size(), layout.alignment())
}

/// A type; one of abi_stable's with the types that it is made of, which its own text leaves out.
fn spelled(layout: &'static TypeLayout) -> String {
    let name = one_line(&layout.full_type().to_string());
    let tells_all =
        ["RString", "RStr", "PrefixRef", "PhantomData", "*mut"].iter().any(|known| name.starts_with(known));
    if layout.package().as_str() != "abi_stable" || tells_all {
        return name;
    }
    let names =
        layout.shared_vars().type_layouts().iter().map(|layout| one_line(&layout().full_type().to_string()));
    format!("{name}{{{}}}", names.collect::<Vec<_>>().join(", "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
