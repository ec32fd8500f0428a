//! What a function of this module acts on: a module, or a nested list of modules.

/// One module by path, or a (nested) list of them: what Lightning's functions accept.
///
/// ```
/// use thaw_plugin_api::module_tree::Targets;
///
/// let one = Targets::from("backbone");
/// let nested = Targets::list([Targets::from("decoder"), Targets::from(["encoder.1", "encoder.2"])]);
/// # let _ = (one, nested);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A module by path; `""` is the whole model.
    Module(String),
    /// Several, one after the other.
    List(Vec<Targets>),
}

impl Targets {
    /// Several targets, one after the other.
    pub fn list(targets: impl IntoIterator<Item = Self>) -> Self {
        Self::List(targets.into_iter().collect())
    }

    /// The paths named, in order.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Module(path) => vec![path],
            Self::List(targets) => targets.iter().flat_map(Self::paths).collect(),
        }
    }
}

impl From<&str> for Targets {
    fn from(path: &str) -> Self {
        Self::Module(path.to_owned())
    }
}

impl From<String> for Targets {
    fn from(path: String) -> Self {
        Self::Module(path)
    }
}

impl From<&String> for Targets {
    fn from(path: &String) -> Self {
        Self::Module(path.clone())
    }
}

impl<T: Into<Targets>, const N: usize> From<[T; N]> for Targets {
    fn from(targets: [T; N]) -> Self {
        Self::List(targets.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Targets>> From<Vec<T>> for Targets {
    fn from(targets: Vec<T>) -> Self {
        Self::List(targets.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Targets> + Clone> From<&[T]> for Targets {
    fn from(targets: &[T]) -> Self {
        Self::List(targets.iter().cloned().map(Into::into).collect())
    }
}
