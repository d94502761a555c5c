//! Any small tree that is packed comes out as it was; any bytes that are unpacked end in an image or an error.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Place, import_layers, listing};
use image::Limits;
use proptest::prelude::*;

/// A file of a tree to be packed.
#[derive(Debug, Clone)]
enum Node {
    File { content: Vec<u8>, mode: u32, uid: u32, mtime: u32 },
    Dir { mode: u32, uid: u32 },
    Link(String),
}

fn node() -> impl Strategy<Value = Node> {
    let file = (proptest::collection::vec(any::<u8>(), 0..1500), 0..0o10000_u32, 0..70_000_u32, any::<u32>());
    prop_oneof![
        3 => file.prop_map(|(content, mode, uid, mtime)| Node::File { content, mode, uid, mtime }),
        1 => (0..0o10000_u32, 0..70_000_u32).prop_map(|(mode, uid)| Node::Dir { mode, uid }),
        1 => r"/?(\.\./){0,3}[a-z]{1,5}(/[a-z]{1,5}){0,25}".prop_map(Node::Link),
    ]
}

/// Trees whose names are short, long, with spaces or not ASCII; entries below a file or a link are left out.
fn tree() -> impl Strategy<Value = BTreeMap<String, Node>> {
    let name = prop_oneof![4 => "[a-c]{1,2}", 1 => "[a-z ü]{90,120}", 1 => "[.]{3}[a-z]"];
    let path = proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    proptest::collection::btree_map(path, node(), 0..12).prop_map(|mut tree: BTreeMap<String, Node>| {
        let all = tree.clone();
        tree.retain(|path, _| {
            let above = path.match_indices('/').filter_map(|(at, _)| all.get(&path[..at]));
            above.into_iter().all(|node| matches!(node, Node::Dir { .. }))
        });
        tree
    })
}

/// Packed by the `tar` crate: a writer that is not ours.
fn pack(tree: &BTreeMap<String, Node>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, node) in tree {
        let mut header = tar::Header::new_gnu();
        header.set_gid(9);
        match node {
            Node::File { content, mode, uid, mtime } => {
                header.set_mode(*mode);
                header.set_uid((*uid).into());
                header.set_mtime((*mtime).into());
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, path, content.as_slice()).unwrap();
            }
            Node::Dir { mode, uid } => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                header.set_uid((*uid).into());
                header.set_size(0);
                tar.append_data(&mut header, path, std::io::empty()).unwrap();
            }
            Node::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                header.set_mode(0o777);
                tar.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    tar.into_inner().unwrap()
}

/// The listing that the tree must have, by `common::listing`'s format.
fn expected(tree: &BTreeMap<String, Node>) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, node) in tree {
        for (at, _) in path.match_indices('/') {
            if !tree.contains_key(&path[..at]) {
                lines.push(format!("{}/ implicit", &path[..at]));
            }
        }
        lines.push(match node {
            Node::File { content, mode, uid, mtime } => {
                format!("{path} {:o} {uid}:9 {mtime} x1 = {}", 0o100_000 | mode, content.escape_ascii())
            }
            Node::Dir { mode, uid } => format!("{path}/ {:o} {uid}:9 0", 0o40000 | mode),
            Node::Link(target) => format!("{path} 120777 0:9 0 -> {target}"),
        });
    }
    lines.sort();
    lines.dedup();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packed_tree_comes_out_as_it_was(tree in tree()) {
        let place = Place::new();
        let dirs = import_layers(&place, vec![pack(&tree)], Limits::default()).unwrap();
        let implicit = |line: String| match line.split_once("/ 40755 0:0 ") {
            Some((path, _)) if !tree.contains_key(path) => format!("{path}/ implicit"),
            _ => line,
        };
        let mut found: Vec<String> = listing(&dirs[0]).into_iter().map(implicit).collect();
        found.sort();
        prop_assert_eq!(found, expected(&tree));
    }

    #[test]
    fn damaged_bytes_end_in_an_image_or_an_error(tree in tree(), flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let place = Place::new();
        fs::write(place.path("sentinel"), "x").unwrap();
        let mut layer = pack(&tree);
        for (at, byte) in flips {
            // Headers are where the harm is.
            let at = at % layer.len();
            layer[at - at % 512 + at % 160] = byte;
        }
        let _ = import_layers(&place, vec![layer], Limits { layer_bytes: 1 << 20, ..Limits::default() });
        let mut names: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        prop_assert_eq!(names, ["images", "layers.tar", "sentinel"]);
        prop_assert_eq!(fs::read_dir(place.path("images/tmp")).unwrap().count(), 0);
    }
}
