//! Routes that can stand together.

use axum::Router;
use axum::routing::MethodRouter;

use crate::ConfigError;

/// A router in the making. axum panics where two routes cannot stand together, or a path cannot be
/// read; here that is an error, and says which.
///
/// ```
/// use axum::routing::get;
/// use portcullis_resource_server::Routes;
///
/// let mut routes = Routes::new();
/// routes.add("/files/{id}", get(async || "a file"))?;
/// let error = routes.add("/files/{name}", get(async || "the same?")).unwrap_err();
/// assert!(error.to_string().contains("`/files/{id}`"));
/// let app: axum::Router = routes.into_router();
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Routes {
    router: Router,
    /// The paths, in the tree that axum keeps them in.
    tree: matchit::Router<()>,
    paths: Vec<String>,
}

impl Routes {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route. `path` is axum's: `/files/{id}`, `/assets/{*rest}`.
    ///
    /// # Errors
    /// [`ConfigError`] for a path that cannot be read, or that another route has.
    pub fn add(&mut self, path: &str, route: MethodRouter) -> Result<(), ConfigError> {
        self.check(path)
            .map_err(|fault| ConfigError::new(format!("route `{path}`"), fault))?;
        self.router = std::mem::take(&mut self.router).route(path, route);
        self.paths.push(path.to_owned());
        Ok(())
    }

    /// Adds all of `others`.
    ///
    /// # Errors
    /// [`ConfigError`] for the first path that cannot stand beside those that are here.
    pub fn merge(&mut self, others: Self) -> Result<(), ConfigError> {
        for path in &others.paths {
            self.check(path)
                .map_err(|fault| ConfigError::new(format!("route `{path}`"), fault))?;
        }
        self.router = std::mem::take(&mut self.router).merge(others.router);
        self.paths.extend(others.paths);
        Ok(())
    }

    /// The routes, as axum serves them.
    pub fn into_router(self) -> Router {
        self.router
    }

    fn check(&mut self, path: &str) -> Result<(), String> {
        let old_style = |part: &str| part.starts_with(':') || part.starts_with('*');
        if !path.starts_with('/') {
            return Err("does not begin with `/`".to_owned());
        }
        if path.split('/').any(old_style) {
            return Err(NO_PATH.to_owned());
        }
        self.tree.insert(path, ()).map_err(|error| match error {
            matchit::InsertError::Conflict { with } if with == path => {
                "is defined twice".to_owned()
            }
            matchit::InsertError::Conflict { with } => {
                format!("cannot stand beside `{with}`: both match the same requests")
            }
            _ => NO_PATH.to_owned(),
        })
    }
}

const NO_PATH: &str = "is not a path of axum: variables are `{name}` and `{*rest}`";

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    /// What axum itself does with the same paths, so that the two cannot drift apart.
    fn axum_panics(paths: &[&str]) -> bool {
        let add = |router: Router, path: &&str| router.route(path, get(async || ""));
        std::panic::catch_unwind(|| paths.iter().fold(Router::new(), add)).is_err()
    }

    #[test]
    fn routes_fail_where_axum_panics_and_nowhere_else() {
        let good: [&[&str]; 4] = [
            &["/a", "/a/", "/a/b", "/a/{x}"],
            &["/a/{x}", "/a/{y}/b", "/a/{x}/c"],
            &["/a{x}", "/b{x}"],
            &["/", "/{*rest}"],
        ];
        let bad: [&[&str]; 13] = [
            &["/{*rest}", "/{x}"],
            &["/a", "/a"],
            &["/a/{x}", "/a/{y}"],
            &["/a/{*x}", "/a/{*y}"],
            &["/a/{*x}", "/a/{*y}/"],
            &[""],
            &["a"],
            &["/:id"],
            &["/*rest"],
            &["/{"],
            &["/a/{}"],
            &["/{x}{y}"],
            &["/{*x}/b"],
        ];
        for (paths, is_bad) in good
            .iter()
            .zip([false; 4])
            .chain(bad.iter().zip([true; 13]))
        {
            let mut routes = Routes::new();
            let added = |path: &&str| routes.add(path, get(async || ""));
            let failed = paths.iter().try_for_each(added).is_err();
            assert_eq!(failed, is_bad, "{paths:?}");
            let mut merged = Routes::new();
            let added = |path: &&str| {
                let mut one = Routes::new();
                one.add(path, get(async || ""))?;
                merged.merge(one)
            };
            let failed = paths.iter().try_for_each(added).is_err();
            assert_eq!(failed, is_bad, "merged: {paths:?}");
            assert_eq!(axum_panics(paths), is_bad, "axum: {paths:?}");
        }
    }
}
