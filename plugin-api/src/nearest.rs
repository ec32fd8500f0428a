//! The nearest name to a misspelt one.

/// The candidate most like `name`, if any is alike enough to be what was meant. Capitals count as small
/// letters, and `_`, `.` and spaces as `-`; of equals, one that is spelt alike comes first.
pub fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = plain(name);
    let rated = candidates.into_iter().map(|candidate| {
        let distance = strsim::damerau_levenshtein(&plain, &self::plain(candidate));
        ((distance, strsim::damerau_levenshtein(name, candidate)), candidate)
    });
    let alike = rated.filter(|((distance, _), candidate)| {
        *distance <= 1 + candidate.chars().count().max(name.chars().count()) / 5
    });
    alike.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// `"; did you mean `NAME`?"` for the end of a message, or nothing where no name is near.
pub fn hint<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['_', '.', ' '], "-")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn spelling_conventions_are_no_difference() {
        let near = |name| nearest(name, ["sgd", "adam", "adamw", "efficientnet-b0", "resnet101", "val_loss"]);
        assert_eq!(near("adamW"), Some("adamw"));
        assert_eq!(near("Adam"), Some("adam"));
        assert_eq!(near("EfficientNet_B0"), Some("efficientnet-b0"));
        assert_eq!(near("ResNet 101"), Some("resnet101"));
        assert_eq!(near("val-los"), Some("val_loss"));
        assert_eq!(near("densenet121"), None, "another architecture is no misspelling");
    }
}
