//! Parts of a blob, as HTTP asks for them.

use std::ops::Range;

/// The bytes that a header `Range` asks for; Some(None) when there are none. Of forms other than one range of bytes the
/// header says nothing (RFC 9110, 14.2).
#[must_use]
pub fn byte_range(text: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let span = match (first, last) {
        ("", suffix) => size.saturating_sub(suffix.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size),
    };
    Some((span.start < span.end).then_some(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        assert_eq!(byte_range("bytes=0-3", 10), Some(Some(0..4)));
        assert_eq!(byte_range("bytes=4-", 10), Some(Some(4..10)));
        assert_eq!(byte_range("bytes=-3", 10), Some(Some(7..10)));
        assert_eq!(byte_range("bytes=-30", 10), Some(Some(0..10)));
        assert_eq!(byte_range("bytes=8-99", 10), Some(Some(8..10)));
        for none in ["bytes=10-", "bytes=10-12", "bytes=5-4", "bytes=-0"] {
            assert_eq!(byte_range(none, 10), Some(None), "{none}");
        }
        for ignored in ["bytes=a-b", "lines=1-2", "bytes=", "bytes=1-2,4-5", ""] {
            assert_eq!(byte_range(ignored, 10), None, "{ignored}");
        }
    }
}
