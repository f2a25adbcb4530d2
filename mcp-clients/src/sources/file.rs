//! A file of one alert a line, followed through rotation and truncation; it is only ever read.
//!
//! The position is `{inode, offset}`. A last line without its newline waits, unless the file was
//! rotated away and its successor is being written.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AlertSource, Batch, Reader, SourceError};
use crate::mappings::{MAX_ALERT_BYTES, Rejected};

/// Most lines of one batch.
pub const MAX_LINES: usize = 500;

/// A followed file.
pub struct FileSource {
    path: PathBuf,
    reader: Reader,
}

impl FileSource {
    /// A source over one file.
    #[must_use]
    pub fn new(path: PathBuf, reader: Reader) -> Self {
        Self { path, reader }
    }
}

#[async_trait]
impl AlertSource for FileSource {
    fn name(&self) -> &str {
        self.reader.source()
    }

    async fn poll(&mut self, position: &Value) -> Result<Batch, SourceError> {
        let (path, place) = (self.path.clone(), Place::read(position));
        let read = tokio::task::spawn_blocking(move || next_lines(&path, place));
        let failed = |reason: String| SourceError::File {
            path: self.path.display().to_string(),
            reason,
        };
        let lines = match read.await {
            Ok(Ok(lines)) => lines,
            Ok(Err(e)) => return Err(failed(e.to_string())),
            Err(e) => return Err(failed(e.to_string())),
        };
        let (mut alerts, mut rejected) = (Vec::new(), Vec::new());
        for line in lines.lines {
            match line.read(&self.reader) {
                Ok(alert) => alerts.push(alert),
                Err(why) => rejected.push(why),
            }
        }
        Ok(Batch {
            alerts,
            rejected,
            position: lines.place.map_or(Value::Null, Place::write),
            more: lines.more,
        })
    }
}

/// Where the reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    inode: u64,
    offset: u64,
}

impl Place {
    fn read(position: &Value) -> Option<Self> {
        Some(Self {
            inode: position.get("inode")?.as_u64()?,
            offset: position.get("offset")?.as_u64()?,
        })
    }

    fn write(self) -> Value {
        json!({ "inode": self.inode, "offset": self.offset })
    }
}

struct Line {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Line {
    fn read(&self, reader: &Reader) -> Result<state::model::NewAlert, Rejected> {
        if self.too_long {
            return Err(Rejected {
                raw: String::from_utf8_lossy(&self.bytes).into_owned(),
                reason: format!(
                    "the line is longer than {MAX_ALERT_BYTES} bytes; its beginning is kept"
                ),
            });
        }
        reader.read_bytes(&self.bytes)
    }
}

struct Lines {
    lines: Vec<Line>,
    place: Option<Place>,
    more: bool,
}

fn next_lines(path: &Path, place: Option<Place>) -> std::io::Result<Lines> {
    let current = std::fs::metadata(path);
    if let Some(place) = place
        && current.as_ref().map(Metadata::ino).ok() != Some(place.inode)
        && let Some(old) = rotated(path, place)
    {
        let grows = current.as_ref().is_ok_and(|meta| meta.len() > 0);
        let lines = lines_of(&old, place, if grows { Tail::Take } else { Tail::Wait })?;
        let done = grows && !lines.more;
        // The rest of the old file first; the new one is read from its beginning afterwards.
        return Ok(match (done, current) {
            (true, Ok(meta)) => Lines {
                place: Some(Place {
                    inode: meta.ino(),
                    offset: 0,
                }),
                more: true,
                ..lines
            },
            _ => lines,
        });
    }
    let meta = current?;
    let offset = match place {
        Some(place) if place.inode == meta.ino() && place.offset <= meta.len() => place.offset,
        _ => 0,
    };
    let place = Place {
        inode: meta.ino(),
        offset,
    };
    lines_of(path, place, Tail::Wait)
}

/// The file that now holds what was being read, under whatever name, in the same folder.
fn rotated(path: &Path, place: Place) -> Option<PathBuf> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    entries.flatten().find_map(|entry| {
        let meta = entry.metadata().ok()?;
        let same = meta.is_file() && meta.ino() == place.inode && meta.len() >= place.offset;
        same.then(|| entry.path())
    })
}

/// What to do with a last line that has no newline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Wait,
    Take,
}

fn lines_of(path: &Path, place: Place, tail: Tail) -> std::io::Result<Lines> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place.offset))?;
    let mut input = BufReader::new(file);
    let (mut lines, mut offset) = (Vec::new(), place.offset);
    while lines.len() < MAX_LINES {
        let Some((line, length, ended)) = line(&mut input)? else {
            break;
        };
        if !ended && tail == Tail::Wait {
            break;
        }
        offset += length;
        if line.bytes.iter().any(|b| !b.is_ascii_whitespace()) {
            lines.push(line);
        }
    }
    Ok(Lines {
        more: lines.len() == MAX_LINES,
        lines,
        place: Some(Place { offset, ..place }),
    })
}

/// The next line with its length on disk and whether it ended; of an over-long one the beginning.
fn line(input: &mut impl BufRead) -> std::io::Result<Option<(Line, u64, bool)>> {
    let mut bytes = Vec::new();
    let limit = MAX_ALERT_BYTES as u64 + 2;
    let mut length = input.by_ref().take(limit).read_until(b'\n', &mut bytes)? as u64;
    if length == 0 {
        return Ok(None);
    }
    let mut ended = bytes.last() == Some(&b'\n');
    let mut too_long = false;
    while !ended && length >= limit {
        too_long = true;
        let mut rest = Vec::new();
        let more = input.by_ref().take(limit).read_until(b'\n', &mut rest)?;
        if more == 0 {
            break;
        }
        length += more as u64;
        ended = rest.last() == Some(&b'\n');
    }
    while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        bytes.pop();
    }
    bytes.truncate(MAX_ALERT_BYTES);
    Ok(Some((Line { bytes, too_long }, length, ended)))
}
