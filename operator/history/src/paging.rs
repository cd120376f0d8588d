//! Pages of a list.

use crate::model::Page;

/// The most rows of a page.
const MOST: u32 = 500;

/// Between 1 and the most.
pub(crate) fn page_size(limit: u32) -> u32 {
    limit.clamp(1, MOST)
}

/// Cuts off the one row more that was asked for, which only says that there is a next page.
pub(crate) fn page<T, C>(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> C) -> Page<T, C> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(key) } else { None };
    Page { items, next }
}
