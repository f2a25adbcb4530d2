//! The demo lab, carried in the binary. It unpacks files and serves none of them.

use std::{fs, io, path::Path};

use include_dir::{Dir, include_dir};

static DEMO: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo");

/// Unpacks the demo lab into `dir`, which is made if it is not there, so that child processes can
/// serve it. Files of the same name are overwritten.
///
/// # Errors
/// When the folder or a file can't be written.
pub fn write_to(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    DEMO.extract(dir)
}
