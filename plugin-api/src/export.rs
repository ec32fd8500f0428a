//! `export_plugin!`: makes a `cdylib` a plugin.

/// Exports strategies, callbacks, models and data sets from a `cdylib`.
///
/// The lists may be left out; what is named must be in scope. Name, version, description and authors come
/// from the crate's `Cargo.toml`. Once per library.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// /// Does nothing.
/// #[derive(Config)]
/// struct Idle {}
///
/// impl Callback for Idle {
///     const ID: &'static str = "idle";
/// }
///
/// /// Trains everything.
/// #[derive(Config)]
/// struct Everything {}
///
/// impl Strategy for Everything {
///     const ID: &'static str = "everything";
///
///     fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
///         Ok(())
///     }
///
///     fn finetune(&mut self, _: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// export_plugin!(strategies: [Everything], callbacks: [Idle]);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($list:ident: [$($item:ty),* $(,)?]),* $(,)?) => {
        const _: () = {
            use $crate::abi::abi_stable;

            extern "C" fn root() -> abi_stable::library::RootModuleResult {
                abi_stable::library::__call_root_module_loader(|| $crate::__root!($($list: [$($item),*]),*))
            }

            // The name that abi_stable looks a root up by.
            #[unsafe(no_mangle)]
            static _1as_0lib_1header_0root_bmodule_bloader: abi_stable::library::LibHeader =
                // SAFETY: the constructor gives the module of the type it is declared with.
                unsafe { abi_stable::library::LibHeader::from_constructor::<$crate::abi::PluginRoot_Ref>(root,
                    abi_stable::library::CheckTypeLayout::Yes) };
        };
    };
    (@describe strategies, $item:ty, $items:ident, $torch:ident) =>
    { $items.push($crate::__private::strategy_item::<$item>()); };
    (@describe callbacks, $item:ty, $items:ident, $torch:ident) =>
    { $items.push($crate::__private::callback_item::<$item>()); };
    (@describe models, $item:ty, $items:ident, $torch:ident) => {
        $items.push($crate::__private::model_item::<$item>());
        $torch = ::core::option::Option::Some($crate::abi::torch_versions());
    };
    (@describe datasets, $item:ty, $items:ident, $torch:ident) =>
    { $items.push($crate::__private::dataset_item::<$item>()); };
    (@describe $other:ident, $item:ty, $items:ident, $torch:ident) =>
    { $crate::export_plugin!(@unknown $other); };
    (@create strategies, $item:ty, $kind:ident, $id:ident, $config:ident) => {
        if $kind.as_str() == "strategy" && $id.as_str() == <$item as $crate::strategy::Strategy>::ID {
            return $crate::__private::create_strategy::<$item>($config);
        }
    };
    (@create callbacks, $item:ty, $kind:ident, $id:ident, $config:ident) => {
        if $kind.as_str() == "callback" && $id.as_str() == <$item as $crate::callback::Callback>::ID {
            return $crate::__private::create_callback::<$item>($config);
        }
    };
    (@create datasets, $item:ty, $kind:ident, $id:ident, $config:ident) => {};
    (@create models, $item:ty, $kind:ident, $id:ident, $config:ident) => {};
    (@create_model models, $item:ty, $id:ident, $config:ident) => {
        if $id.as_str() == <$item as $crate::model::Model>::ID {
            return $crate::abi::create_model::<$item>($config);
        }
    };
    (@create_model $other:ident, $item:ty, $id:ident, $config:ident) => {};
    (@create_dataset datasets, $item:ty, $id:ident, $config:ident) => {
        if $id.as_str() == <$item as $crate::dataset::Dataset>::ID {
            return $crate::abi::create_dataset::<$item>($config);
        }
    };
    (@create_dataset $other:ident, $item:ty, $id:ident, $config:ident) => {};
    (@unknown $other:ident) => {
        ::core::compile_error!(::core::concat!(
            "export_plugin! knows strategies, callbacks, models and datasets, not ",
            ::core::stringify!($other)
        ))
    };
}

/// The root of a plugin, by what it offers: an expression.
#[doc(hidden)]
#[macro_export]
macro_rules! __root {
    ($($list:ident: [$($item:ty),* $(,)?]),* $(,)?) => {{
        use $crate::abi::abi_stable::std_types::{RResult, RStr, RString};

        extern "C" fn metadata() -> RString {
            let package = $crate::__private::Package {
                name: ::core::env!("CARGO_PKG_NAME"),
                version: ::core::env!("CARGO_PKG_VERSION"),
                description: ::core::env!("CARGO_PKG_DESCRIPTION"),
                authors: ::core::env!("CARGO_PKG_AUTHORS"),
                panic_unwinds: ::core::cfg!(panic = "unwind"),
            };
            #[allow(unused_mut)]
            $crate::__private::metadata_text(package, || {
                let mut items = ::std::vec::Vec::new();
                let mut torch = ::core::option::Option::None;
                $($($crate::export_plugin!(@describe $list, $item, items, torch);)*)*
                (items, torch)
            })
        }

        extern "C" fn initialise(log: $crate::abi::RawLog_Ref, plugin: u64) {
            $crate::abi::install_hook();
            $crate::abi::install_log(log, plugin);
        }

        extern "C" fn create(kind: RStr<'_>, id: RStr<'_>,
            config: RStr<'_>) -> $crate::abi::RawResult<$crate::abi::BoxedInstance> {
            $($($crate::export_plugin!(@create $list, $item, kind, id, config);)*)*
            RResult::RErr($crate::__private::unknown_id(kind.as_str(), id.as_str()))
        }

        extern "C" fn create_model(id: RStr<'_>,
            config: RStr<'_>) -> $crate::abi::RawResult<$crate::abi::BoxedModel> {
            $($($crate::export_plugin!(@create_model $list, $item, id, config);)*)*
            RResult::RErr($crate::__private::unknown_id("model", id.as_str()))
        }

        extern "C" fn create_dataset(id: RStr<'_>,
            config: RStr<'_>) -> $crate::abi::RawResult<$crate::abi::BoxedDataset> {
            $($($crate::export_plugin!(@create_dataset $list, $item, id, config);)*)*
            RResult::RErr($crate::__private::unknown_id("dataset", id.as_str()))
        }

        $crate::abi::abi_stable::prefix_type::PrefixTypeTrait::leak_into_prefix($crate::abi::PluginRoot {
            metadata,
            initialise,
            create,
            create_model,
            create_dataset,
        })
    }};
}

/// What a program offers to its own trainer, without a plugin file: the same lists as those of
/// [`export_plugin!`]. The ids of its strategies, callbacks, models and data sets are then those of a run
/// config.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// /// Does nothing.
/// #[derive(Config)]
/// struct Idle {}
///
/// impl Callback for Idle {
///     const ID: &'static str = "idle";
/// }
///
/// let program = thaw_plugin_api::this_program!(callbacks: [Idle]);
/// assert!(program.metadata()().contains("idle"));
/// ```
#[macro_export]
macro_rules! this_program {
    ($($list:ident: [$($item:ty),* $(,)?]),* $(,)?) => { $crate::__root!($($list: [$($item),*]),*) };
}

/// What the macro calls.
#[doc(hidden)]
pub mod private {
    use abi_stable::sabi_trait::TD_Opaque;
    use abi_stable::std_types::{RBox, RStr, RString};

    use crate::abi::{
        BoxedInstance, CallbackAdapter, Item, Kind, Metadata, RawError, RawInstance_TO, RawResult,
        StrategyAdapter, TorchVersions, contain,
    };
    use crate::callback::Callback;
    use crate::config::{Config, parse};
    use crate::error::{Error, ErrorKind};
    use crate::strategy::Strategy;

    pub struct Package {
        pub name: &'static str,
        pub version: &'static str,
        pub description: &'static str,
        pub authors: &'static str,
        pub panic_unwinds: bool,
    }

    /// Schemas may be written by the author, so that asking for them may panic: the metadata then says so.
    pub fn metadata_text(
        package: Package,
        describe: impl FnOnce() -> (Vec<Item>, Option<TorchVersions>),
    ) -> RString {
        let described = contain(|| Ok(describe()));
        let (error, (items, torch)) = match described {
            Ok(described) => (None, described),
            Err(error) => (Some(error.to_string()), (Vec::new(), None)),
        };
        let metadata = Metadata {
            name: package.name.to_owned(),
            version: package.version.to_owned(),
            description: package.description.to_owned(),
            authors: package.authors.to_owned(),
            plugin_api: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("THAW_RUSTC").to_owned(),
            target: env!("THAW_TARGET").to_owned(),
            panic_unwinds: package.panic_unwinds,
            torch,
            items: Vec::new(),
            datasets: Vec::new(),
            error,
        }
        .offering(items);
        serde_json::to_string(&metadata).unwrap_or_default().into()
    }

    fn item<C: Config>(kind: Kind, id: &str, description: &str) -> Item {
        let schema = crate::config::document::<C>();
        let documented = schema.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
        let description =
            if description.is_empty() { documented.lines().next().unwrap_or_default() } else { description };
        Item {
            kind,
            id: id.to_owned(),
            description: description.to_owned(),
            schema,
            metrics: None,
            other_names: Vec::new(),
        }
    }

    fn names(metrics: Option<&[&str]>) -> Option<Vec<String>> {
        Some(metrics?.iter().map(|name| (*name).to_owned()).collect())
    }

    pub fn strategy_item<S: Strategy>() -> Item {
        Item { metrics: names(S::METRICS), ..item::<S>(Kind::Strategy, S::ID, S::DESCRIPTION) }
    }

    pub fn callback_item<C: Callback>() -> Item {
        Item { metrics: names(C::METRICS), ..item::<C>(Kind::Callback, C::ID, C::DESCRIPTION) }
    }

    #[cfg(feature = "torch")]
    pub fn model_item<M: crate::model::Model>() -> Item {
        let other_names = M::OTHER_NAMES.iter().map(|&name| name.to_owned()).collect();
        Item { other_names, ..item::<M::Config>(Kind::Model, M::ID, M::DESCRIPTION) }
    }

    pub fn dataset_item<D: crate::dataset::Dataset>() -> Item {
        item::<D::Config>(Kind::Dataset, D::ID, D::DESCRIPTION)
    }

    pub fn create_strategy<S: Strategy>(config: RStr<'_>) -> RawResult<BoxedInstance> {
        let strategy = contain(|| parse::<S>(config.as_str())).map_err(RawError::from);
        strategy.map(box_strategy).into()
    }

    pub fn create_callback<C: Callback>(config: RStr<'_>) -> RawResult<BoxedInstance> {
        let callback = contain(|| parse::<C>(config.as_str())).map_err(RawError::from);
        callback.map(box_callback).into()
    }

    pub fn box_strategy<S: Strategy>(strategy: S) -> BoxedInstance {
        RawInstance_TO::from_ptr(RBox::new(StrategyAdapter::new(strategy)), TD_Opaque)
    }

    pub fn box_callback<C: Callback>(callback: C) -> BoxedInstance {
        RawInstance_TO::from_ptr(RBox::new(CallbackAdapter::new(callback)), TD_Opaque)
    }

    pub fn unknown_id(kind: &str, id: &str) -> RawError {
        Error::of(ErrorKind::Config, format_args!("this plugin has no {kind} `{id}`")).into()
    }

    /// A table.
    pub type Table = serde_json::Map<String, serde_json::Value>;

    /// The keys of a table; none where any will do.
    pub type Keys = Option<Vec<String>>;

    /// What reading a configuration gives.
    pub type Read<T> = Result<T, crate::config::ConfigError>;

    /// A number of saved state, infinite ones included.
    #[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(transparent)]
    pub struct Number(#[serde(with = "crate::context::number")] pub f64);

    /// Takes one entry out of saved state.
    pub fn state_entry<T: serde::de::DeserializeOwned>(
        state: &mut serde_json::Map<String, serde_json::Value>,
        key: &str,
    ) -> crate::Result<T> {
        let entry = state.remove(key).ok_or_else(|| {
            Error::of(ErrorKind::State, format_args!("the saved state has no entry `{key}`"))
        })?;
        let text = entry.to_string();
        serde_json::from_value(entry).map_err(|error| {
            Error::of(ErrorKind::State, format_args!("the saved state's entry `{key}` is {text}: {error}"))
        })
    }
}
