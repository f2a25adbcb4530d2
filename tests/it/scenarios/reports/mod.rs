//! Reports of cases: every form is a view over one record, and nothing that an outsider wrote is more than text in it.

mod demo;
mod hostile;
mod signing;

use std::collections::BTreeSet;

use tests::markup::{Tag, tags};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// All that a report is made of.
const TAGS: &str = "!doctype html head meta title style body main div h1 dl dt dd nav a section h2 p ul li table \
    thead tr th tbody td span footer svg g text rect line path circle";
const ATTRIBUTES: &str = "lang charset http-equiv content name class id href scope html role aria-label width \
    height viewbox x y x1 y1 x2 y2 cx cy r rx d";

/// Holds a page to what a report may be; gives its tags.
fn sound(html: &str) -> Vec<Tag> {
    let known: BTreeSet<&str> = TAGS.split_whitespace().collect();
    let attributes: BTreeSet<&str> = ATTRIBUTES.split_whitespace().collect();
    let found = tags(html).unwrap();
    let mut open = Vec::new();
    let (mut ids, mut links) = (BTreeSet::new(), Vec::new());
    for tag in &found {
        let name = tag.name.trim_start_matches('/');
        assert!(known.contains(name), "{tag:?}");
        match tag.name.strip_prefix('/') {
            Some(closes) => assert_eq!(open.pop(), Some(closes.to_owned()), "{tag:?}"),
            None if ["!doctype", "meta", "rect", "line", "path", "circle"].contains(&name) => {}
            None => open.push(name.to_owned()),
        }
        for (key, value) in &tag.attributes {
            assert!(attributes.contains(key.as_str()), "{key} of {tag:?}");
            match key.as_str() {
                "id" => assert!(ids.insert(value.clone()), "{value} twice"),
                "href" => links.push(value.clone()),
                _ => {}
            }
        }
        let odd = |c: char| {
            (c.is_control() && c != '\n') || "\u{202e}\u{202d}\u{2066}\u{200b}\u{feff}".contains(c)
        };
        let shown = tag.attributes.values().chain([&tag.text]);
        for text in shown {
            assert!(!text.chars().any(odd), "{text:?}");
        }
        if name != "style" {
            assert!(tag.text.chars().count() < 1000, "{tag:?}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for link in links {
        let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{link}"));
        assert!(ids.contains(target), "{link} leads nowhere");
    }
    assert!(html.contains("default-src 'none'"));
    found
}

/// Boxes of a drawing: no two lie on each other and none outside.
fn drawn(page: &[Tag]) -> usize {
    let mut boxes: Vec<[i64; 4]> = Vec::new();
    let (mut size, mut all) = ((0, 0), 0);
    for tag in page {
        match tag.name.as_str() {
            "svg" => {
                boxes.clear();
                size = (tag.number("width").unwrap(), tag.number("height").unwrap());
            }
            "rect" => {
                let [x, y, w, h] = ["x", "y", "width", "height"].map(|k| tag.number(k).unwrap());
                assert!(
                    x >= 0 && y >= 0 && x + w <= size.0 && y + h <= size.1,
                    "{tag:?}"
                );
                let apart = |b: &[i64; 4]| {
                    x >= b[0] + b[2] || b[0] >= x + w || y >= b[1] + b[3] || b[1] >= y + h
                };
                assert!(boxes.iter().all(apart), "{tag:?} lies on another");
                boxes.push([x, y, w, h]);
                all += 1;
            }
            "circle" => {
                let (x, y) = (tag.number("cx").unwrap(), tag.number("cy").unwrap());
                assert!(
                    (0..=size.0).contains(&x) && (0..=size.1).contains(&y),
                    "{tag:?}"
                );
            }
            _ => {}
        }
    }
    all
}
