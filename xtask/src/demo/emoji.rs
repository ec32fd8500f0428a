//! Emoji as data: pictures by group as an image folder, names by group as text.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use emojis::{Emoji, Group};
use twemoji_assets::png::PngTwemojiAsset;

use super::made_data::make;

/// The part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    Train,
    Val,
}

impl Split {
    const BOTH: [Self; 2] = [Self::Train, Self::Val];

    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
        }
    }
}

/// Seed of the split.
const SEED: u64 = 42;

/// One emoji in this many is for validation.
const VAL_ONE_IN: u64 = 5;

/// Where the data come from, written beside them. Data with another text are made anew.
const SOURCE: &str = "\
Pictures: Twemoji 17.0.2 (CC-BY 4.0), crate twemoji-assets 1.5, 72 x 72, the emoji that have one under their \
exact code.
Names and groups: Unicode, crate emojis 0.9, without skin tones.
One emoji in five is for validation, chosen by a hash of seed 42 and its name.
";

/// Writes `{train,val}/<group>/<name>.png`.
pub fn write_pictures(folder: &Path) -> Result<()> {
    make(folder, "Writing the emoji pictures", SOURCE, |partial| {
        for group in groups() {
            for split in Split::BOTH {
                make_folder(&partial.join(split.name()).join(group_name(group)))?;
            }
            for emoji in group.emojis() {
                let Some(picture) = PngTwemojiAsset::from_emoji(emoji.as_str()) else {
                    continue;
                };
                let class = partial.join(split_of(emoji).name()).join(group_name(group));
                write_new(&class.join(file_name(emoji)), picture)?;
            }
        }
        Ok(())
    })
}

/// Writes `train.csv` and `val.csv` with the columns `text` (the name) and `label` (the group).
pub fn write_names(folder: &Path) -> Result<()> {
    make(folder, "Writing the emoji names", SOURCE, |partial| {
        for split in Split::BOTH {
            let path = partial.join(format!("{}.csv", split.name()));
            let mut table =
                csv::Writer::from_path(&path).with_context(|| format!("cannot create {}", path.display()))?;
            table.write_record(["text", "label"])?;
            for group in groups() {
                for emoji in group.emojis().filter(|emoji| split_of(emoji) == split) {
                    table.write_record([emoji.name(), group_name(group)])?;
                }
            }
            table.flush().with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    })
}

fn groups() -> impl Iterator<Item = Group> {
    Group::iter()
}

fn group_name(group: Group) -> &'static str {
    match group {
        Group::SmileysAndEmotion => "smileys-and-emotion",
        Group::PeopleAndBody => "people-and-body",
        Group::AnimalsAndNature => "animals-and-nature",
        Group::FoodAndDrink => "food-and-drink",
        Group::TravelAndPlaces => "travel-and-places",
        Group::Activities => "activities",
        Group::Objects => "objects",
        Group::Symbols => "symbols",
        Group::Flags => "flags",
    }
}

/// The emoji's name in lower case, letters and digits joined by hyphens, `.png`. A name that has other
/// characters too gets its code points, so that no two emoji share a file.
fn file_name(emoji: &Emoji) -> String {
    let mut name = String::new();
    for word in emoji.name().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(&word.to_ascii_lowercase());
    }
    if !emoji.name().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | ':')) {
        for c in emoji.as_str().chars() {
            // Writing to a string cannot fail.
            let _ = write!(name, "-{:x}", u32::from(c));
        }
    }
    name + ".png"
}

/// By a hash of the name alone: an emoji stays on its side whatever others there are, in whatever order.
fn split_of(emoji: &Emoji) -> Split {
    if hash(emoji.name()).is_multiple_of(VAL_ONE_IN) { Split::Val } else { Split::Train }
}

/// FNV-1a of the seed and the name, mixed as splitmix64 does, since the low bits of FNV alone are poor.
fn hash(name: &str) -> u64 {
    let bytes = SEED.to_le_bytes().into_iter().chain(name.bytes());
    let fnv = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Refuses to write over a file: two emoji of one name would be one picture fewer.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files below a folder, by `split/class`.
    fn pictures(folder: &Path) -> Vec<(Split, String, usize)> {
        let mut found = Vec::new();
        for split in Split::BOTH {
            for class in fs::read_dir(folder.join(split.name())).unwrap() {
                let class = class.unwrap();
                let count = fs::read_dir(class.path()).unwrap().count();
                found.push((split, class.file_name().into_string().unwrap(), count));
            }
        }
        found
    }

    #[test]
    fn every_picture_is_written_once_in_nine_groups() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("emoji");
        write_pictures(&data).unwrap();
        let found = pictures(&data);
        let total: usize = found.iter().map(|(_, _, count)| count).sum();
        assert_eq!((found.len(), total), (18, 1694));
        let val: usize =
            found.iter().filter(|(split, ..)| *split == Split::Val).map(|(_, _, count)| count).sum();
        assert!((0.18..0.22).contains(&(val as f64 / total as f64)), "{val} of {total} are for validation");
        for (_, class, count) in &found {
            assert!(*count >= 10, "{class} has {count} pictures in one part");
        }
        let png = fs::read(data.join("train/flags/flag-germany.png"))
            .or_else(|_| fs::read(data.join("val/flags/flag-germany.png")))
            .unwrap();
        assert_eq!(&png[1..4], b"PNG");
    }

    #[test]
    fn names_and_pictures_are_split_alike() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("names");
        write_names(&data).unwrap();
        let mut rows = 0;
        for split in Split::BOTH {
            let mut table = csv::Reader::from_path(data.join(format!("{}.csv", split.name()))).unwrap();
            assert_eq!(table.headers().unwrap(), vec!["text", "label"]);
            for row in table.records() {
                let row = row.unwrap();
                let emoji = emojis::iter().find(|emoji| emoji.name() == &row[0]).unwrap();
                assert_eq!(split_of(emoji), split);
                assert_eq!(group_name(emoji.group()), &row[1]);
                rows += 1;
            }
        }
        assert_eq!(rows, emojis::iter().count());
    }

    #[test]
    fn the_hash_is_the_same_everywhere() {
        // FNV-1a and splitmix64 computed in Python.
        assert_eq!(hash("grinning face"), 0x99cd_8ead_bbce_8579);
    }
}
