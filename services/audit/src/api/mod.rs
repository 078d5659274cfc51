//! What programs ask: JSON and files. What is answered is made by [`crate::query`] and [`crate::export`].

pub(crate) mod access;
pub(crate) mod closures;
pub(crate) mod foreign;
pub(crate) mod lists;
mod log;
pub(crate) mod people;
pub(crate) mod problem;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::desk::{Desk, observe};
use crate::token::Right;

/// What an address needs, and who answers there.
struct Route {
    path: &'static str,
    /// None: everybody is answered.
    right: Option<Right>,
    methods: fn() -> MethodRouter<Arc<Desk>>,
}

/// Every address: the description of the interface and the tests go by this table.
const ROUTES: &[Route] = &[
    Route { path: "/v1/closures", right: Some(Right::Lists), methods: || get(lists::closures) },
    Route { path: "/v1/closures/{case}", right: Some(Right::Case), methods: || get(closures::show) },
    Route {
        path: "/v1/closures/{case}/records/{id}",
        right: Some(Right::Records),
        methods: || get(closures::record),
    },
    Route {
        path: "/v1/closures/{case}/unmask",
        right: Some(Right::Unmask),
        methods: || post(closures::unmask),
    },
    Route { path: "/v1/audit/sample", right: Some(Right::Lists), methods: || get(lists::sample) },
    Route { path: "/v1/audit/{list}", right: Some(Right::Lists), methods: || get(lists::list) },
    Route { path: "/v1/access", right: Some(Right::AccessLog), methods: || get(access::log) },
    Route { path: "/v1/exports/{id}", right: Some(Right::Exports), methods: || get(access::export) },
    Route { path: "/log/checkpoint", right: None, methods: || get(log::checkpoint) },
    Route { path: "/log/tile/{level}/{*index}", right: None, methods: || get(log::hashes) },
    Route { path: "/log/tile/entries/{*index}", right: Some(Right::Records), methods: || get(log::entries) },
    Route { path: "/log/proof/{record}", right: Some(Right::Records), methods: || get(log::proof) },
    Route { path: "/log/rulebooks", right: Some(Right::Records), methods: || get(log::rulebook_hashes) },
    Route { path: "/log/rulebooks/{hash}", right: Some(Right::Records), methods: || get(log::rulebook) },
];

/// The addresses, to be merged with the pages.
pub(crate) fn router(desk: &Arc<Desk>) -> Router<Arc<Desk>> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let mut methods = (route.methods)();
        if let Some(right) = route.right {
            methods = methods.route_layer(from_fn_with_state((Arc::clone(desk), right), access::check));
        }
        let observed = from_fn_with_state((Arc::clone(desk), route.path), observe);
        router.route(route.path, methods.route_layer(observed))
    })
}
