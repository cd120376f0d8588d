//! Where objects are watched: everywhere, or in some namespaces.

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        watcher::{self, Config, Error, Event},
    },
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt::Debug};

/// What a watch says.
type Said<K> = watcher::Result<Event<K>>;

/// The namespaces in which objects are watched; none means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Only these namespaces; all of them when there are none.
    #[must_use]
    pub fn of(mut namespaces: Vec<String>) -> Self {
        namespaces.sort();
        namespaces.dedup();
        Self(namespaces)
    }

    /// Whether objects of that namespace are watched.
    #[must_use]
    pub fn holds(&self, namespace: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|n| n == namespace)
    }

    /// One watch of all that is in scope. `id` tells objects of a kind apart.
    pub(crate) fn watch<K>(&self, client: &Client, config: &Config, id: fn(&K) -> String) -> BoxStream<'static, Said<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let one = |api: Api<K>| watcher::watcher(api, config.clone()).default_backoff().boxed();
        match self.0.as_slice() {
            [] => one(Api::all(client.clone())),
            [namespace] => one(Api::namespaced(client.clone(), namespace)),
            many => merge(many.iter().map(|n| one(Api::namespaced(client.clone(), n))).collect::<Vec<_>>(), id).boxed(),
        }
    }
}

/// What is known of one of several watches.
struct Part<K> {
    /// Its objects, as they were seen last.
    known: BTreeMap<String, K>,
    /// The list that it is about to show.
    listing: BTreeMap<String, K>,
    /// It has shown a complete list, or may not.
    ready: bool,
}

/// Several watches as one. As soon as each has shown its list, all is listed; and whenever one of them lists anew, all is
/// listed anew: those who listen need not know that there are several.
fn merge<K: Clone + Send + 'static>(
    watches: Vec<impl Stream<Item = Said<K>> + Send + Unpin + 'static>,
    id: fn(&K) -> String,
) -> impl Stream<Item = Said<K>> {
    let mut parts: Vec<Part<K>> =
        watches.iter().map(|_| Part { known: BTreeMap::new(), listing: BTreeMap::new(), ready: false }).collect();
    let tagged = watches.into_iter().enumerate().map(|(n, watch)| watch.map(move |said| (n, said)));
    stream::select_all(tagged).flat_map(move |(n, said)| stream::iter(take(&mut parts, n, said, id)))
}

/// Notes what one watch says. What the one watch of all then says.
fn take<K: Clone>(parts: &mut [Part<K>], n: usize, said: Said<K>, id: fn(&K) -> String) -> Vec<Said<K>> {
    let Some(part) = parts.get_mut(n) else { return Vec::new() };
    match said {
        Ok(Event::Init) => {
            part.listing.clear();
            Vec::new()
        }
        Ok(Event::InitApply(object)) => {
            part.listing.insert(id(&object), object);
            Vec::new()
        }
        Ok(Event::InitDone) => {
            part.known = std::mem::take(&mut part.listing);
            part.ready = true;
            list(parts)
        }
        Ok(Event::Apply(object)) => {
            part.known.insert(id(&object), object.clone());
            passed(parts, Event::Apply(object))
        }
        Ok(Event::Delete(object)) => {
            part.known.remove(&id(&object));
            passed(parts, Event::Delete(object))
        }
        Err(error) => {
            // A namespace that is gone, or not ours to see, holds up no other.
            let first = !part.ready && is_forbidden(&error);
            part.ready |= first;
            let mut out = vec![Err(error)];
            if first {
                out.extend(list(parts));
            }
            out
        }
    }
}

fn passed<K>(parts: &[Part<K>], event: Event<K>) -> Vec<Said<K>> {
    if parts.iter().all(|p| p.ready) { vec![Ok(event)] } else { Vec::new() }
}

/// A list of everything, once every watch has shown its own.
fn list<K: Clone>(parts: &[Part<K>]) -> Vec<Said<K>> {
    if !parts.iter().all(|p| p.ready) {
        return Vec::new();
    }
    let objects = parts.iter().flat_map(|p| p.known.values().cloned()).map(Event::InitApply);
    std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]).map(Ok).collect()
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::InitialListFailed(kube::Error::Api(status)) if status.code == 403)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use kube::core::Status;

    /// An object is its namespace, its name and its version.
    type Object = (&'static str, u32);

    fn id(object: &Object) -> String {
        object.0.to_owned()
    }

    fn listed(objects: &[Object]) -> Vec<Said<Object>> {
        let all = objects.iter().copied().map(Event::InitApply);
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).map(Ok).collect()
    }

    /// What is said when the watches speak in turns.
    fn merged(turns: Vec<(usize, Vec<Said<Object>>)>) -> Vec<String> {
        let mut parts: Vec<Part<Object>> =
            (0..2).map(|_| Part { known: BTreeMap::new(), listing: BTreeMap::new(), ready: false }).collect();
        let said = turns.into_iter().flat_map(|(n, all)| all.into_iter().map(move |one| (n, one)));
        said.flat_map(|(n, one)| take(&mut parts, n, one, id)).map(|said| words(&said)).collect()
    }

    fn words(said: &Said<Object>) -> String {
        match said {
            Ok(Event::Init) => "init".to_owned(),
            Ok(Event::InitApply((name, version))) => format!("has {name}{version}"),
            Ok(Event::InitDone) => "done".to_owned(),
            Ok(Event::Apply((name, version))) => format!("sees {name}{version}"),
            Ok(Event::Delete((name, _))) => format!("loses {name}"),
            Err(_) => "fails".to_owned(),
        }
    }

    fn refused(code: u16) -> Said<Object> {
        Err(Error::InitialListFailed(kube::Error::Api(Status::failure("no", "No").with_code(code).boxed())))
    }

    #[test]
    fn nothing_is_listed_before_every_watch_has_its_list() {
        let early = merged(vec![(0, listed(&[("a", 1)])), (0, vec![Ok(Event::Apply(("a", 2)))])]);
        assert!(early.is_empty(), "{early:?}");
        let all = merged(vec![
            (0, listed(&[("a", 1), ("b", 1)])),
            (0, vec![Ok(Event::Apply(("a", 2))), Ok(Event::Delete(("b", 1)))]),
            (1, listed(&[("c", 1)])),
        ]);
        assert_eq!(all, ["init", "has a2", "has c1", "done"]);
    }

    #[test]
    fn a_watch_that_lists_anew_takes_nothing_from_the_other() {
        let said = merged(vec![
            (0, listed(&[("a", 1), ("b", 1)])),
            (1, listed(&[("c", 1)])),
            (1, vec![Ok(Event::Apply(("c", 2)))]),
            (0, listed(&[("b", 3)])),
            (1, vec![Ok(Event::Delete(("c", 2)))]),
        ]);
        assert_eq!(said[5..], ["sees c2", "init", "has b3", "has c2", "done", "loses c"]);
    }

    #[test]
    fn a_namespace_that_is_not_ours_to_see_holds_up_no_other() {
        let said = merged(vec![(0, listed(&[("a", 1)])), (1, vec![refused(500)]), (1, vec![refused(403)])]);
        assert_eq!(said, ["fails", "fails", "init", "has a1", "done"]);
        // Seen later, it is there.
        let said = merged(vec![(0, listed(&[("a", 1)])), (1, vec![refused(403)]), (1, listed(&[("c", 1)]))]);
        assert_eq!(said[4..], ["init", "has a1", "has c1", "done"]);
    }

    #[test]
    fn the_streams_themselves_are_merged() {
        let watches = vec![stream::iter(listed(&[("a", 1)])), stream::iter(listed(&[("b", 1)]))];
        let said: Vec<_> = merge(watches, id).map(|s| words(&s)).collect::<Vec<_>>().now_or_never().unwrap();
        assert_eq!(said, ["init", "has a1", "has b1", "done"]);
    }

    #[test]
    fn no_names_mean_all_namespaces() {
        assert!(Scope::default().holds("any"));
        let some = Scope::of(vec!["b".into(), "a".into(), "b".into()]);
        assert!(some.holds("a") && some.holds("b") && !some.holds("c"));
        assert_eq!(some, Scope(vec!["a".into(), "b".into()]));
    }
}
