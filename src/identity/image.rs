//! An image reference, parted.

/// An image reference parted into name and tag; a digest is no tag.
///
/// The registry's port is not a tag: `registry:5000/app` has none.
#[must_use]
pub fn split_image(reference: &str) -> (String, Option<String>) {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        // `sha256:<id>`: an image known by its id alone.
        Some(("sha256", _)) => (name.to_owned(), None),
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), Some(tag.to_owned())),
        _ => (name.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn images_part_into_name_and_tag() {
        let cases = [
            ("bb:1", "bb", Some("1")),
            ("busybox", "busybox", None),
            ("registry:5000/team/app", "registry:5000/team/app", None),
            ("registry:5000/team/app:v2", "registry:5000/team/app", Some("v2")),
            ("app@sha256:00ff", "app", None),
            ("app:v1@sha256:00ff", "app", Some("v1")),
            ("sha256:00ff", "sha256:00ff", None),
        ];
        for (reference, name, tag) in cases {
            assert_eq!(split_image(reference), (name.to_owned(), tag.map(str::to_owned)), "{reference}");
        }
    }

    proptest! {
        #[test]
        fn anything_at_all_is_survived(text in "\\PC*") {
            let _ = split_image(&text);
        }
    }
}
