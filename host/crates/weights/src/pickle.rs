//! Reading what `torch.save` wrote: zip archives, legacy streams, state dicts, whole modules, Lightning
//! checkpoints.
//!
//! `pytorch-reader` parses the pickle and knows the containers; it interprets nothing but tensors and plain
//! data. Before it, the pickle is outlined (see [`outline`]): a file that would make Python call something is
//! refused by name, though here nothing would be called. The outline also has what the reader does not give:
//! the order of the names and the storage behind each.

mod container;
mod outline;
mod policy;
mod values;

pub(super) use container::ZipChecksums;

use super::error::WeightsError;
use super::state_dict::{Entry, StateDict, Values, Widen};
use container::{Archive, Container};
use outline::Outline;
use pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use tch::Kind;

/// Keys under which a checkpoint keeps its model's state dict, the usual ones first; of a checkpoint with
/// averaged weights besides, those that were trained.
pub(super) const WRAPPERS: [&str; 15] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "teacher",
    "student",
    "model_ema",
    "state_dict_ema",
    "ema",
    "model_ema_state_dict",
];

/// The tensors of a file that begins as `bytes` do and holds one or more pickles.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<StateDict, WeightsError> {
    let damaged = |reason: String| WeightsError::Damaged { path: path.to_owned(), tensor: None, reason };
    let container = Container::open(path, bytes)?;
    let outline = outlined(path, &container, bytes)?;
    if let Container::Zip(archive) = &container {
        check_sizes(path, archive, &outline)?;
    }

    let root = PytorchReader::read_pickle_data(path, None).map_err(|error| located(path, &outline, error))?;
    if let Some(name) = values::named_twice(&root) {
        let reason = "two tensors of its nested dicts have this name".to_owned();
        return Err(WeightsError::Damaged { path: path.to_owned(), tensor: Some(name), reason });
    }
    if !matches!(root, PickleValue::Dict(_)) {
        let found = format!("its pickle holds {}", values::describe(&root));
        return Err(WeightsError::NoTensors { path: path.to_owned(), found });
    }
    let reader = PytorchReader::new(path).map_err(|error| located(path, &outline, error))?;
    if reader.is_empty() {
        let found = format!("it holds {}", values::describe(&root));
        return Err(WeightsError::NoTensors { path: path.to_owned(), found });
    }

    let wrapper = wrapper(&root, &outline);
    let part = wrapper.map(|key| format!("{key}.")).unwrap_or_default();
    let order = Order::of(&outline);
    let checksums = container.checksums(path).map_err(|error| damaged(error.to_string()))?.map(Arc::new);
    let mut tensors: Vec<_> = reader.into_tensors().into_iter().collect();
    tensors.sort_by_cached_key(|(name, _)| order.key(name.strip_prefix(&part).unwrap_or(name)));
    let file: Arc<Path> = path.into();
    let (mut own, mut beside) = (Vec::new(), Vec::new());
    for (name, tensor) in tensors {
        let (name, list) = match name.strip_prefix(&part) {
            Some(name) => (name.to_owned(), &mut own),
            None => (name, &mut beside),
        };
        let shape = tensor.shape().to_vec();
        let kind = kind(tensor.dtype());
        let storages = order.storages(&name);
        let values = Values::Pickled { tensor, storages, checksums: checksums.clone() };
        list.push(Entry::new(&file, name, &shape, kind, values));
    }
    let found = StateDict::new(path, own).with_beside(wrapper.unwrap_or_default(), beside);
    Ok(found.with_data(values::beside(root, wrapper)))
}

/// Outlines every pickle of the file and refuses calls that have no place in one.
fn outlined(path: &Path, container: &Container, bytes: &[u8]) -> Result<Outline, WeightsError> {
    let mut whole = Outline::default();
    let mut check = |pickle: &[u8]| -> Result<usize, WeightsError> {
        let (outline, fault) = Outline::of(pickle);
        // A bad call comes first: the rest of such a file may well be nonsense.
        if let Some(what) = policy::objection(&outline) {
            return Err(WeightsError::Refused { path: path.to_owned(), what });
        }
        let end = outline.end;
        if let Some(fault) = fault {
            let reason = format!("its pickle breaks off at byte {end}: {fault}");
            return Err(WeightsError::Damaged { path: path.to_owned(), tensor: None, reason });
        }
        whole.add(outline);
        Ok(end)
    };
    match container {
        Container::Zip(archive) => {
            check(&archive.pickle)?;
        }
        Container::Stream { pickles } => {
            let mut rest = bytes;
            for _ in 0..*pickles {
                let end = check(rest)?;
                rest = &rest[end..];
            }
        }
        // Its few fixed entries are checked by the reader alone; PyTorch has not written this since 2017.
        Container::Tar => {}
    }
    Ok(whole)
}

/// Refuses an archive with a storage of another size than its pickle declares, as PyTorch does.
fn check_sizes(path: &Path, archive: &Archive, outline: &Outline) -> Result<(), WeightsError> {
    let Some(misfit) = archive.of_another_size(outline.storages.iter()) else { return Ok(()) };
    let container::Misfit { key, declared, found } = misfit;
    let of = outline.tensors.iter().find(|tensor| &*tensor.storage == key);
    Err(WeightsError::Damaged {
        path: path.to_owned(),
        tensor: of.map(|tensor| tensor.name.to_string()),
        reason: format!(
            "its storage {key} has {found} bytes, but {declared} are declared: the file is damaged or was \
             changed"
        ),
    })
}

/// The key of the state dict in a checkpoint; `None` if the root is the state dict.
fn wrapper(root: &PickleValue, outline: &Outline) -> Option<&'static str> {
    let PickleValue::Dict(entries) = root else {
        return None;
    };
    // A whole module may have a child called `model`. A state dict is flat: a dict with tensors beside a
    // tensor, such as the loss, is a wrapper all the same.
    if outline.root_is_object {
        return None;
    }
    WRAPPERS.into_iter().find(|&key| entries.get(key).is_some_and(values::holds_tensors))
}

/// An error of the reader's, with the tensor if it is about the storage of one.
fn located(path: &Path, outline: &Outline, error: PytorchError) -> WeightsError {
    if let PytorchError::Io(source) = error {
        return match source.raw_os_error() {
            Some(_) => WeightsError::Io { path: path.to_owned(), source },
            None => WeightsError::Damaged { path: path.to_owned(), tensor: None, reason: source.to_string() },
        };
    }
    let reason = error.to_string();
    let storage = reason.split_once("storage '").and_then(|(_, rest)| rest.split_once('\''));
    let tensor = storage.and_then(|(key, _)| outline.tensors.iter().find(|tensor| &*tensor.storage == key));
    WeightsError::Damaged {
        path: path.to_owned(),
        tensor: tensor.map(|tensor| tensor.name.to_string()),
        reason,
    }
}

/// Where each name first stood in the pickle, and the storages of its tensors.
struct Order<'o>(HashMap<&'o str, (usize, BTreeSet<&'o str>)>);

impl<'o> Order<'o> {
    fn of(outline: &'o Outline) -> Self {
        let mut first = HashMap::new();
        for (at, tensor) in outline.tensors.iter().enumerate() {
            let (_, storages) = first.entry(&*tensor.name).or_insert((at, BTreeSet::new()));
            storages.insert(&*tensor.storage);
        }
        Self(first)
    }

    /// Names in the order of the pickle; those of nested dicts, which stand there in pieces, by name with
    /// numbers as numbers.
    fn key(&self, name: &str) -> (usize, Vec<(Option<u64>, String)>) {
        let at = self.0.get(name).map_or(usize::MAX, |(at, _)| *at);
        (at, name.split('.').map(|part| (part.parse().ok(), part.to_owned())).collect())
    }

    /// The storages of the tensors of this name in their own dicts, of which the first parts of `name` may be
    /// the path.
    fn storages(&self, name: &str) -> Vec<String> {
        let ends = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        let known = [name].into_iter().chain(ends).find_map(|end| self.0.get(end));
        known.map(|(_, keys)| keys.iter().map(|&key| key.to_owned()).collect()).unwrap_or_default()
    }
}

fn kind(dtype: DType) -> (Kind, Option<Widen>) {
    match dtype {
        DType::F64 => (Kind::Double, None),
        DType::F32 => (Kind::Float, None),
        DType::F16 => (Kind::Half, None),
        DType::BF16 => (Kind::BFloat16, None),
        DType::I64 => (Kind::Int64, None),
        DType::I32 => (Kind::Int, None),
        DType::I16 => (Kind::Int16, None),
        DType::I8 => (Kind::Int8, None),
        DType::U64 => (Kind::Int64, Some(Widen::U64)),
        DType::U32 => (Kind::Int64, Some(Widen::U32)),
        DType::U16 => (Kind::Int, Some(Widen::U16)),
        DType::U8 => (Kind::Uint8, None),
        DType::Bool => (Kind::Bool, None),
    }
}
