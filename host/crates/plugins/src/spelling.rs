//! Models by the names that other libraries give them.

use thaw_plugin_api::abi::{Item, Kind};

/// The model that `name` means, of those there are: `timm/vit_tiny_patch16_224`, `resnet18.a1_in1k`,
/// `torchvision/resnet50`, `ResNet18`. `None` if there is none, or several.
pub(super) fn model<'i>(name: &str, items: impl IntoIterator<Item = &'i Item>) -> Option<&'i str> {
    let wanted = plain(name);
    let means = |item: &&Item| {
        item.kind == Kind::Model
            && (plain(&item.id) == wanted || item.other_names.iter().any(|other| plain(other) == wanted))
    };
    let mut found = items.into_iter().filter(means);
    let first = found.next()?;
    found.all(|other| other.id == first.id).then_some(first.id.as_str())
}

/// What to say of a name that is no model's, where there are models: the nearest one, in other libraries'
/// names, too, or how any module becomes one.
pub(super) fn hint(name: &str, models: &[&Item]) -> Option<String> {
    let bare = name.rsplit(['/', ':']).next().unwrap_or(name);
    // `vit_tiny_patch16_224.augreg_in21k`, `torchvision.models.resnet18`
    let bare = bare.strip_prefix("torchvision.models.").unwrap_or(bare);
    let bare = bare.split('.').next().unwrap_or(bare).to_lowercase();
    let names = |item: &&'_ Item| -> Vec<(String, String)> {
        let all = item.other_names.iter().chain([&item.id]);
        all.map(|other| (other.to_lowercase().replace('_', "-"), item.id.clone())).collect()
    };
    let all: Vec<(String, String)> = models.iter().flat_map(names).collect();
    let wanted = bare.replace('_', "-");
    if let Some(rest) = wanted.strip_prefix("tf-")
        && let Some(id) = id_of(rest, &all)
    {
        return Some(format!(
            "; timm's `tf_` models pad otherwise than `{id}`, and give other outputs with the same \
             weights: {EXPORT}"
        ));
    }
    if let Some(scaled) = scaled(&wanted, &all) {
        return Some(format!("; did you mean {scaled}?"));
    }
    let nearest = thaw_plugin_api::nearest(&wanted, all.iter().map(|(other, _)| other.as_str()));
    if let Some(id) = nearest.and_then(|nearest| id_of(nearest, &all)) {
        return Some(format!("; did you mean `{id}`?"));
    }
    let ids: Vec<&str> = models.iter().map(|item| item.id.as_str()).collect();
    (!ids.is_empty()).then(|| format!("{}\n  {EXPORT}", listed(&ids)))
}

/// How any module becomes a model.
const EXPORT: &str =
    "any module is exported with Python once (examples/export_for_thaw.py), for `torch-export`";

fn id_of<'n>(wanted: &str, names: &'n [(String, String)]) -> Option<&'n str> {
    names.iter().find(|(name, _)| plain(name) == plain(wanted)).map(|(_, id)| id.as_str())
}

/// A model of another picture size or width, whose names end with a number at timm: `vit_base_patch16_384`,
/// `mobilenetv2_050`.
fn scaled(wanted: &str, names: &[(String, String)]) -> Option<String> {
    let (stem, number) = wanted.rsplit_once('-')?;
    let number: u32 = number.parse().ok()?;
    for (usual, key, value) in [
        ("224", "image_size", number.to_string()),
        ("100", "width_mult", (f64::from(number) / 100.0).to_string()),
    ] {
        if let Some(id) = id_of(&format!("{stem}-{usual}"), names) {
            return Some(format!("`{id}` with `{key} = {value}` in [model]"));
        }
    }
    None
}

/// A name without the library it is of, the tag of its weights, capitals and marks between its parts.
fn plain(name: &str) -> String {
    let name = name.rsplit(['/', ':']).next().unwrap_or(name);
    let name = name.split('.').next().unwrap_or(name);
    name.chars()
        .filter(|character| !['-', '_', ' '].contains(character))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The names that mean the same as `name`, as a regular expression of JSON Schema.
pub fn pattern(name: &str) -> String {
    const MARKS: &str = "[-_ ]*";
    let mut pattern = format!("^(.*[/:])?{MARKS}");
    for letter in plain(name).chars() {
        match letter.to_uppercase().next().filter(|capital| *capital != letter) {
            Some(capital) => pattern.push_str(&format!("[{letter}{capital}]")),
            None if letter.is_alphanumeric() => pattern.push(letter),
            None => pattern.push_str(&format!("\\{letter}")),
        }
        pattern.push_str(MARKS);
    }
    pattern + "([.][^/:]*)?$"
}

/// The ids that an error has, in lines: the first of each family, then how many there are.
pub(super) fn listed(ids: &[&str]) -> String {
    const SHOWN: usize = 12;
    const WIDTH: usize = 96;
    let mut text = String::from("; there are:");
    let mut width = WIDTH;
    for id in ids.iter().take(SHOWN) {
        if width + id.len() + 2 > WIDTH {
            text.push_str("\n   ");
            width = 4;
        }
        text.push_str(&format!(" {id},"));
        width += id.len() + 2;
    }
    match ids.len().saturating_sub(SHOWN) {
        0 => text.trim_end_matches(',').to_owned(),
        more => format!("{text}\n    and {more} more (`host plugin inspect NAME` shows a plugin's)"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_pattern_of_a_name_has_its_other_spellings() {
        let names = [
            "vit-ti-16",
            "timm/vit_ti_16",
            "ViT ti16",
            "vit_ti_16.augreg_in21k",
            "hub:a/vit-ti-16.b.c",
            "vit-ti-161",
            "a.b/vit-ti-16",
            "vit-ti-16.a/b",
        ];
        let pattern = regex::Regex::new(&pattern("vit-ti-16")).unwrap();
        for name in names {
            assert_eq!(pattern.is_match(name), plain(name) == plain("vit-ti-16"), "{name}");
        }
    }

    fn item(id: &str, other_names: &[&str]) -> Item {
        let other_names = other_names.iter().map(|&name| name.to_owned()).collect();
        Item {
            kind: Kind::Model,
            id: id.to_owned(),
            description: String::new(),
            schema: Value::Null,
            metrics: None,
            other_names,
        }
    }

    #[test]
    fn names_of_other_libraries_are_understood() {
        let items = [
            item("resnet18", &[]),
            item("mobilenet-v2", &["mobilenetv2_100"]),
            item("vit-ti-16", &["vit_tiny_patch16_224"]),
        ];
        let model = |name| model(name, &items);
        for name in
            ["ResNet18", "timm/resnet18.a1_in1k", "torchvision/resnet18", "resnet_18", "hf-hub:timm/resnet18"]
        {
            assert_eq!(model(name), Some("resnet18"), "{name}");
        }
        assert_eq!(model("mobilenet_v2"), Some("mobilenet-v2"));
        assert_eq!(model("mobilenetv2_100.ra_in1k"), Some("mobilenet-v2"));
        assert_eq!(model("timm/vit_tiny_patch16_224.augreg_in21k"), Some("vit-ti-16"));
        assert_eq!(model("resnet180"), None);
        assert_eq!(super::model("a", &[item("a_", &[]), item("A", &[])]), None, "either might be meant");
    }

    #[test]
    fn a_long_list_of_ids_is_wrapped_and_cut() {
        let ids: Vec<String> = (0..40).map(|at| format!("efficientnet-b{at}")).collect();
        let text = listed(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        assert!(text.ends_with("and 28 more (`host plugin inspect NAME` shows a plugin's)"), "{text}");
        assert_eq!(listed(&["a", "b"]), "; there are:\n    a, b");
    }
}
